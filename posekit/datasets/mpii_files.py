"""The three forms in which MPII's annotations are passed round, as arrays.

* `mpii_human_pose_v1_u12_1.mat`, the official file: all people with head boxes, no image sizes,
  keypoints of the training images only.
* JSON lists of {image, joints, joints_vis, center, scale}, a file per split.
* JSON lists of {img_paths, joint_self, joint_others, objpos, scale_provided, isValidation, ...},
  with image sizes. It lists the people of the single-person task and, with each, the others on
  the image.

All count pixels from 1, a missing keypoint is absent, (0, 0) or has joints_vis 0.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from posekit.datasets.number_lists import number_array
from posekit.gzip_files import plain_file
from posekit.images import MAX_PIXELS
from posekit.strict_json import read_json

_NO_SIZE = (0, 0)


@dataclasses.dataclass(frozen=True)
class MpiiPeople:
    """M images and A people in the order of the file; coordinates count from 0.

    Args:
        names: M file names, each once.
        sizes: (M, 2) int (height, width); zeros where the file does not say.
        image: (A,) int64 rows of their images.
        keypoints: (A, 16, 3) x, y, v; v is 0 absent, 1 located but hidden, 2 visible or not said.
        centres: (A, 2) x, y as annotated, without the protocol's shift; NaN for none.
        scales: (A,) height of the person in units of 200 pixels; NaN for none.
        head_boxes: (A, 4) xyxy edges; NaN for none.
        is_other: (A,) bool people who are on the images, but no entries of the list.
    """

    names: tuple[str, ...]
    sizes: np.ndarray
    image: np.ndarray
    keypoints: np.ndarray
    centres: np.ndarray
    scales: np.ndarray
    head_boxes: np.ndarray
    is_other: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Entry:
    """One person as the file has them, pixels from 1."""

    name: str
    keypoints: Any
    centre: Any
    scale: Any
    size: tuple[int, int] = _NO_SIZE
    others: tuple[Any, ...] = ()


def read_mpii_json(path: Path, split: str | None = None) -> MpiiPeople:
    """Reads either JSON form, plain or `.gz`.

    Args:
        path: the file.
        split: "train" or "valid" of a file that holds both; other files are of one split, whatever
            it is called. None takes all people.

    Raises:
        ValueError: naming the file, the entry, and what was expected there.
    """
    with plain_file(path) as plain:
        items = read_json(plain)
    try:
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ValueError("expected a list of objects, one per person")
        entries = [_entry(item, i) for i, item in _of_split(items, split)]
        return _people(entries)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _of_split(items: list[dict], split: str | None) -> list[tuple[int, dict]]:
    numbered = list(enumerate(items))
    missing = [i for i, item in numbered if item.get("isValidation") not in (0, 1)]
    if split is None or len(missing) == len(items):
        return numbered
    if missing or split not in ("train", "valid"):
        raise ValueError(
            f"expected the split train or valid, received {split!r}"
            if not missing
            else f"entry {missing[0]}: expected isValidation 0 or 1, as other entries have it"
        )
    wanted = split == "valid"
    return [(i, item) for i, item in numbered if item["isValidation"] == wanted]


def _entry(item: dict[str, Any], number: int) -> _Entry:
    where = f"entry {number}"
    if "joint_self" in item:
        size = _number(item, "img_height", where), _number(item, "img_width", where)
        if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
            raise ValueError(
                f"{where}: expected img_height x img_width of 1 to {MAX_PIXELS} pixels, received "
                f"{size[0]:g} x {size[1]:g}"
            )
        points = number_array(item["joint_self"], (16, 3), f"{where}, field joint_self")
        return _Entry(
            name=_text(item, "img_paths", where),
            keypoints=_visible(points, located=(points[:, :2] != 0).any(axis=1)),
            centre=number_array(item.get("objpos"), (2,), f"{where}, field objpos"),
            scale=_number(item, "scale_provided", where),
            size=(int(size[0]), int(size[1])),
            others=_others(item.get("joint_others"), f"{where}, field joint_others"),
        )
    points = number_array(item.get("joints"), (16, 2), f"{where}, field joints (or joint_self)")
    there = number_array(item.get("joints_vis"), (16,), f"{where}, field joints_vis")
    return _Entry(
        name=_text(item, "image", where),
        keypoints=np.column_stack([points, 2 * (there > 0)]),
        centre=number_array(item.get("center"), (2,), f"{where}, field center"),
        scale=_number(item, "scale", where),
    )


def _visible(points: np.ndarray, located: np.ndarray) -> np.ndarray:
    """Turns the file's 0 and 1 into v: what is located but not visible is hidden."""
    return np.column_stack([points[:, :2], np.where(located, 1 + (points[:, 2] > 0), 0)])


def _others(value: Any, where: str) -> tuple[np.ndarray, ...]:
    """Keypoints of the other people; one person stands without the outer list, none as a dict."""
    if not isinstance(value, list) or not value:
        return ()
    single = isinstance(value[0], list) and value[0] and not isinstance(value[0][0], list)
    people = [number_array(one, (16, 3), where) for one in ([value] if single else value)]
    return tuple(_visible(p, (p[:, :2] != 0).any(axis=1)) for p in people)


def _people(entries: list[_Entry]) -> MpiiPeople:
    rows: dict[str, int] = {}
    image = [rows.setdefault(entry.name, len(rows)) for entry in entries]
    sizes = np.zeros((len(rows), 2), np.int32)
    sizes[image] = [entry.size for entry in entries]
    own = {(row, _key(entry.keypoints)) for row, entry in zip(image, entries, strict=True)}
    others = {
        (row, _key(other)): other
        for row, entry in zip(image, entries, strict=True)
        for other in entry.others
    }
    others = [(key[0], points) for key, points in others.items() if key not in own]
    keypoints = [entry.keypoints for entry in entries] + [points for _, points in others]
    absent = np.full((len(others), 2), np.nan)
    centres = np.array([entry.centre for entry in entries], np.float64).reshape(-1, 2)
    return MpiiPeople(
        names=tuple(rows),
        sizes=sizes,
        image=np.array(image + [row for row, _ in others], np.int64),
        keypoints=from_zero(np.array(keypoints, np.float64).reshape(-1, 16, 3)),
        centres=np.concatenate([_known(centres) - 1, absent]),
        scales=np.concatenate([[entry.scale for entry in entries], absent[:, 0]]),
        head_boxes=np.full((len(keypoints), 4), np.nan),
        is_other=np.arange(len(keypoints)) >= len(entries),
    )


def from_zero(keypoints: np.ndarray) -> np.ndarray:
    """Moves (..., 3) keypoints from pixels counted from 1 to pixels from 0; absent ones to 0."""
    there = keypoints[..., 2:] > 0
    return np.where(there, keypoints - [1, 1, 0], 0).astype(np.float32)


def _known(centres: np.ndarray) -> np.ndarray:
    """A centre x of -1 says that there is none."""
    return np.where(centres[:, :1] == -1, np.nan, centres)


def _key(keypoints: np.ndarray) -> bytes:
    """What the lists of two people of one image have in common: files round to thousandths."""
    return np.round(keypoints[:, :2], 2).tobytes()


def _number(item: dict[str, Any], field: str, where: str) -> float:
    return float(number_array(item.get(field), (), f"{where}, field {field}"))


def _text(item: dict[str, Any], field: str, where: str) -> str:
    if not isinstance(item.get(field), str):
        raise ValueError(
            f"{where}: expected a file name as {field}, received {item.get(field)!r:.80}"
        )
    return item[field]
