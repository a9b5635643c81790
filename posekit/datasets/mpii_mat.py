"""MPII's official annotation file, `mpii_human_pose_v1_u12_1.mat`, as arrays."""

from pathlib import Path
from typing import Any

import numpy as np

from posekit.datasets.coco_columns import MAX_COORDINATE
from posekit.datasets.mat_files import read_mat, variable_names
from posekit.datasets.mpii_files import MpiiPeople, from_zero

_HEAD_BOX = ("x1", "y1", "x2", "y2")


def read_mpii_mat(path: Path, split: str = "train") -> MpiiPeople:
    """Reads the people of the training or of the test images.

    Args:
        path: the official file; it must be of MATLAB's version 7 or before, as it is.
        split: "train" for the images whose people have keypoints, "test" for the others.

    Returns:
        People in the order of the file. Test people have centre and scale only.

    Raises:
        ValueError: naming the file, and the image and person (from 0) with what was expected.
        OSError: the file cannot be read.
    """
    if split not in ("train", "test"):
        raise ValueError(
            f"expected the split train or test of {path}, received {split!r}; what others call "
            "valid are training images, listed in a JSON file of its own"
        )
    release = read_mat(path, ("RELEASE",)).get("RELEASE")
    try:
        if not release or not _structs(release):
            raise ValueError(f"expected the struct RELEASE, received {variable_names(path)!r:.200}")
        images = _structs(release[0].get("annolist"))
        train = np.array(release[0].get("img_train")).ravel()
        if len(train) != len(images):
            raise ValueError(f"expected img_train for {len(images)} images, received {len(train)}")
        chosen = np.flatnonzero(train == (split == "train")).tolist()
        return _people(images, chosen)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _people(images: list[Any], chosen: list[int]) -> MpiiPeople:
    names, image, people = {}, [], []
    for i in chosen:
        name = _one(images[i], "image").get("name")
        if not isinstance(name, str) or not name or name in names:
            raise ValueError(f"image {i}: expected a new file name, received {name!r:.80}")
        names[name] = len(names)
        for r, person in enumerate(_structs(images[i].get("annorect"))):
            image.append(names[name])
            people.append(_person(person, f"image {i} ({name}), person {r}"))
    rows = np.array(people, np.float64).reshape(-1, 16 * 3 + 3 + 4)
    return MpiiPeople(
        names=tuple(names),
        sizes=np.zeros((len(names), 2), np.int32),
        image=np.array(image, np.int64),
        keypoints=from_zero(rows[:, :48].reshape(-1, 16, 3)),
        centres=rows[:, 48:50] - 1,
        scales=rows[:, 50],
        head_boxes=rows[:, 51:] - 0.5,  # corners are points: less 1, and half a pixel to edges
        is_other=np.zeros(len(rows), bool),
    )


def _person(person: dict[str, Any], where: str) -> np.ndarray:
    """One row: keypoints 16 x 3, centre 2, scale 1, head box 4; NaN for what is not there."""
    keypoints = np.zeros((16, 3))
    for point in _structs(_one(person, "annopoints").get("point")):
        number, x, y = (_number(point, field, where) for field in ("id", "x", "y"))
        if number not in range(16) or np.isnan(x + y):
            raise ValueError(f"{where}: expected point ids 0 to 15 with x and y, received {number}")
        hidden = _number(point, "is_visible", where) == 0
        keypoints[int(number)] = x, y, 1 if hidden else 2
    centre = [_number(_one(person, "objpos"), axis, where) for axis in "xy"]
    rest = [_number(person, field, where) for field in ("scale", *_HEAD_BOX)]
    return np.concatenate([keypoints.ravel(), centre, rest])


def _structs(value: Any) -> list[dict[str, Any]]:
    """The structs of an array of structs; none where something else stands, as for nobody."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _one(struct: dict[str, Any], field: str) -> dict[str, Any]:
    return next(iter(_structs(struct.get(field))), {})


def _number(struct: dict[str, Any], field: str, where: str) -> float:
    """A number of a struct, also if written as text; NaN where it is absent or empty."""
    value = struct.get(field)
    if value is None or (isinstance(value, np.ndarray) and not value.size):
        return np.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.inf
    if np.abs(number) >= MAX_COORDINATE:
        raise ValueError(f"{where}: expected a number as {field}, received {value!r:.80}")
    return number
