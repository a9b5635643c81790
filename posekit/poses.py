"""Poses, the one result type, and its form in COCO results files."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posekit.boxes import box_of_keypoints
from posekit.skeletons import Skeleton
from posekit.strict_json import read_json, write_json

_FLOAT32_MAX = float(np.finfo(np.float32).max)


class NotFiniteError(ValueError):
    """People with NaN or infinity among their numbers."""

    exit_code = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Poses:
    """The people found in one image or frame. The arrays are copies and read-only.

    Args:
        keypoints: (N, K, 3) float32 x, y in pixels of the original image, score.
        scores: (N,) float32, one per person.
        boxes: (N, 4) float32 xyxy in pixels of the original image, edges as in `posekit.boxes`: a
            keypoint at (x, y) lies at (x + 0.5, y + 0.5) among them.
        skeleton: what the K keypoints are.
        track_ids: (N,) int64 from 0, none twice; None where nobody tracked.

    Raises:
        NotFiniteError: a number is not finite.
        ValueError: shapes do not belong together, or a track id is there twice.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    skeleton: Skeleton
    track_ids: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(np.atleast_1d(self.scores))
        shape = (count, self.skeleton.num_keypoints, 3)
        self._keep("keypoints", shape, np.float32)
        self._keep("scores", (count,), np.float32)
        self._keep("boxes", (count, 4), np.float32)
        if self.track_ids is not None:
            self._keep("track_ids", (count,), np.int64)
            self._check_track_ids()

    def _keep(self, field: str, shape: tuple[int, ...], dtype: type) -> None:
        given = np.asarray(getattr(self, field))
        if given.shape != shape:
            raise ValueError(
                f"{field}: expected {shape} (people by skeleton {self.skeleton.name!r}), "
                f"received {given.shape}; for nobody use Poses.empty(skeleton)"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            array = given.astype(dtype)
        wrong = ~np.isfinite(array) if dtype is np.float32 else array != given
        if wrong.any():
            place = tuple(map(int, np.argwhere(wrong)[0]))
            raise NotFiniteError(
                f"{field}: expected finite {np.dtype(dtype).name} numbers, received "
                f"{given[place]} at {place}; a diverged network gives such"
            )
        array.setflags(write=False)
        object.__setattr__(self, field, array)

    def _check_track_ids(self) -> None:
        ids = self.track_ids
        if len(np.unique(ids)) < len(ids) or (ids < 0).any():
            raise ValueError(f"track_ids: expected ids from 0, none twice, received {ids.tolist()}")

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls, skeleton: Skeleton) -> "Poses":
        """Returns the poses of an image without people."""
        blank = np.zeros((0, skeleton.num_keypoints, 3))
        return cls(blank, np.zeros(0), np.zeros((0, 4)), skeleton)

    def select(self, indices: np.ndarray) -> "Poses":
        """Returns the people at the indices (n,), or where a mask (N,) is True, in that order."""
        chosen = np.asarray(indices)
        chosen = chosen if chosen.dtype == bool else chosen.astype(np.int64)
        ids = None if self.track_ids is None else self.track_ids[chosen]
        arrays = self.keypoints[chosen], self.scores[chosen], self.boxes[chosen]
        return Poses(*arrays, self.skeleton, ids)


def to_coco_results(poses: Poses, image_id: int) -> list[dict[str, Any]]:
    """Returns one COCO results entry per person, in Python numbers.

    Returns:
        N dicts: `image_id`, `category_id` 1, `keypoints` (3 K numbers x, y, score flattened),
        `score`, and `track_id` where the poses have them. No `bbox`: with one, pycocotools takes
        the entry for a box result and its area from there.
    """
    keypoints = shortest_floats(
        poses.keypoints.reshape(len(poses), 3 * poses.skeleton.num_keypoints)
    )
    results = [
        {"image_id": int(image_id), "category_id": 1, "keypoints": row, "score": score}
        for row, score in zip(keypoints, shortest_floats(poses.scores), strict=True)
    ]
    if poses.track_ids is None:
        return results
    ids = poses.track_ids.tolist()
    return [{**entry, "track_id": i} for entry, i in zip(results, ids, strict=True)]


def from_coco_results(results: Sequence[dict[str, Any]], skeleton: Skeleton) -> dict[int, Poses]:
    """Groups results entries by image, the reverse of `to_coco_results`.

    Args:
        results: entries as `read_coco_results` returns them.
        skeleton: what their keypoints are.

    Returns:
        image_id -> Poses, people in the entries' order. Boxes are the tight boxes of the keypoints
        with a score above 0, as entries carry none; track ids where every entry has one.
    """
    groups: dict[int, list[dict[str, Any]]] = {}
    for entry in results:
        groups.setdefault(entry["image_id"], []).append(entry)
    return {image_id: _poses_of(group, skeleton) for image_id, group in groups.items()}


def _poses_of(entries: list[dict[str, Any]], skeleton: Skeleton) -> Poses:
    rows = np.array([entry["keypoints"] for entry in entries], np.float64)
    keypoints = rows.reshape(len(entries), -1, 3)
    scores = np.array([entry["score"] for entry in entries])
    tracked = all("track_id" in entry for entry in entries)
    ids = np.array([entry["track_id"] for entry in entries]) if tracked else None
    return Poses(keypoints, scores, box_of_keypoints(keypoints, margin=0.0), skeleton, ids)


def write_coco_results(
    path: str | Path, results: Sequence[dict[str, Any]], num_keypoints: int | None = None
) -> None:
    """Writes a COCO results file, whole or not at all.

    Args:
        path: of the file to make or to replace.
        results: the entries of all images.
        num_keypoints: K that every entry must have; None: that of the first.

    Raises:
        ValueError: naming the file, the entry and the field that pycocotools could not read or
            would score wrongly (it counts NaN keypoints as perfect).
        OSError: when writing fails; the old file is untouched.
    """
    results = list(results)
    _check_results(results, num_keypoints, path)
    write_json(path, results)


def read_coco_results(path: str | Path, num_keypoints: int | None = None) -> list[dict[str, Any]]:
    """Reads a COCO keypoint results file.

    Args:
        path: of a JSON list of entries `image_id`, `category_id`, `keypoints`, `score`; further
            fields stay in the entries.
        num_keypoints: K that every entry must have; None: that of the first.

    Returns:
        The entries, every number in them finite.

    Raises:
        ValueError: naming the file, the entry and the field.
        OSError: when the file cannot be read.
    """
    results = read_json(path)
    if not isinstance(results, list):
        raise ValueError(
            f"{path}: expected a list of results, received {type(results).__name__}; an annotation "
            "file is an object, a results file a list"
        )
    _check_results(results, num_keypoints, path)
    return results


def _check_results(results: list[Any], num_keypoints: int | None, path: str | Path) -> None:
    for index, entry in enumerate(results):
        fault = _fault_of(entry, num_keypoints)
        if fault:
            raise ValueError(f"{path}: entry {index}, {fault}")
        num_keypoints = num_keypoints or len(entry["keypoints"]) // 3


def _fault_of(entry: Any, num_keypoints: int | None) -> str | None:
    if not isinstance(entry, dict):
        return f"expected an object, received {type(entry).__name__}"
    for field in ("image_id", "category_id", "track_id"):
        if not _is_id(entry.get(field, 0 if field == "track_id" else None)):
            return f"field {field}: expected a whole number, received {entry.get(field)!r}"
    if not _is_number(entry.get("score")):
        return f"field score: expected a finite number, received {entry.get('score')!r}"
    keypoints = entry.get("keypoints")
    if not isinstance(keypoints, list) or not keypoints or len(keypoints) % 3:
        return f"field keypoints: expected a list of x, y, score triples, received {keypoints!r}"
    if len(keypoints) != 3 * (num_keypoints or len(keypoints) // 3):
        return (
            f"field keypoints: expected {num_keypoints} keypoints as x, y, score, received "
            f"{len(keypoints)} numbers; write the file with one skeleton"
        )
    wrong = [value for value in keypoints if not _is_number(value)]
    return f"field keypoints: expected finite numbers, received {wrong[0]!r}" if wrong else None


def _is_number(value: Any) -> bool:
    """True for what float32 holds; the comparison is also right for NaN and huge integers."""
    number = isinstance(value, (int, float)) and type(value) is not bool
    return number and abs(value) <= _FLOAT32_MAX


def _is_id(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def shortest_floats(values: np.ndarray) -> list[Any]:
    """Returns an array as lists of floats with the fewest digits that are the same float32.

    Files of results are half as large with them.
    """
    return np.asarray(values, np.float32).astype(str).astype(np.float64).tolist()
