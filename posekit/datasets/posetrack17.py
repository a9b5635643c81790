"""PoseTrack17's JSON form of a sequence: `annolist`, in which most values stand in lists of one."""

from typing import Any

import numpy as np

from posekit.datasets.number_lists import flag, number_array, whole_number
from posekit.skeletons import POSETRACK


def frames_of_annolist(annolist: Any) -> dict[str, list[Any]]:
    """Returns the columns of `posetrack_files.read_columns`; point ids are PoseTrack's 15 in order.

    Raises:
        ValueError: naming the frame and person, and what was expected.
    """
    names = ("file_names", "sizes", "labelled", "ignore_regions")
    of_people = ("frame", "keypoints", "scores", "track_ids", "head_boxes", "listed", "is_crowd")
    columns = {"image_ids": None, "annotation_ids": []} | {
        name: [] for name in (*names, *of_people)
    }
    for row, frame in enumerate(_objects(annolist, "annolist")):
        where = f"annolist[{row}]"
        image = _one(frame.get("image"))
        name = _one(image.get("name")) if isinstance(image, dict) else None
        if not isinstance(name, str):
            raise ValueError(f"{where}: expected an image with a name, received {image!r:.60}")
        said = _one(frame.get("is_labeled"))
        labelled = None if said is None else flag(said, f"{where}, field is_labeled")
        regions = _regions(frame.get("ignore_regions"), where)
        values = (name, (0, 0), labelled, regions)
        people = _objects(frame.get("annorect") or [], f"{where}, field annorect")
        for column, value in zip(names, values, strict=True):
            columns[column].append(value)
        for number, person in enumerate(people):
            values = (row, *_person(person, f"{where}, annorect[{number}]"), False)
            for column, value in zip(of_people, values, strict=True):
                columns[column].append(value)
    return columns


def _person(person: dict[str, Any], where: str) -> tuple[Any, ...]:
    """Returns keypoints (15, 3), their scores, track id, head box, and whether there is a list."""
    keypoints, scores = np.zeros((15, 3)), np.full(15, np.nan)
    for point in _points(person.get("annopoints"), where):
        number = whole_number(_one(point.get("id")), f"{where}, point id")
        if not 0 <= number < POSETRACK.num_keypoints:
            raise ValueError(f"{where}: expected point ids 0 to 14, received {number}")
        if keypoints[number, 2]:
            raise ValueError(f"{where}: expected each point id once, received {number} again")
        at = f"{where}, point {number}"
        keypoints[number] = *_place(point, at), 1
        score = _one(point.get("score"))
        scores[number] = np.nan if score is None else number_array(score, (), f"{at}, score")
    track = _one(person.get("track_id"))
    track = -1 if track is None else whole_number(track, f"{where}, field track_id")
    corners = [_one(person.get(name)) for name in ("x1", "y1", "x2", "y2")]
    head = np.full(4, np.nan)
    if None not in corners:
        head = number_array(corners, (4,), f"{where}, head box")
    return keypoints, scores, track, head, bool(_one(person.get("annopoints")))


def _regions(value: Any, where: str) -> tuple[np.ndarray, ...]:
    where = f"{where}, field ignore_regions"
    regions = [
        [_place(point, where) for point in _points(region, where)]
        for region in _objects(value or [], where)
    ]
    return tuple(np.array(region).reshape(-1, 2) for region in regions)


def _place(point: dict[str, Any], where: str) -> np.ndarray:
    return number_array([_one(point.get(axis)) for axis in "xy"], (2,), where)


def _points(value: Any, where: str) -> list[dict[str, Any]]:
    """The list under `point`; there may be a list of one round its holder, or nothing at all."""
    holder = _one(value)
    if not holder:
        return []
    points = holder.get("point") if isinstance(holder, dict) else None
    return _objects([points] if isinstance(points, dict) else points, f"{where}, field point")


def _objects(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"{where}: expected a list of objects, received {value!r:.60}")
    return value


def _one(value: Any) -> Any:
    """Takes a value out of a list of one; an empty list is None."""
    if isinstance(value, list):
        return value[0] if value else None
    return value
