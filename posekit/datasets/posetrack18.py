"""PoseTrack18's JSON form of a sequence: `images`, `annotations` and `categories`, as COCO."""

from typing import Any

import numpy as np

from posekit.datasets.number_lists import flag, number_array, whole_number
from posekit.images import MAX_PIXELS
from posekit.skeletons import POSETRACK, index_map, skeleton_from_category


def frames_of_images(content: dict[str, Any]) -> dict[str, list[Any]]:
    """Returns the columns of `posetrack_files.read_columns`, keypoints in PoseTrack's 15.

    Raises:
        ValueError: naming the image or annotation, and what was expected.
    """
    images, people = (_objects(content, key) for key in ("images", "annotations"))
    order = _keypoint_order(content) if people else None
    columns = _frames(images)
    places = {number: row for row, number in enumerate(columns["image_ids"])}
    rows = [_person(person, i, places, order) for i, person in enumerate(people)]
    names = ("frame", "keypoints", "scores", "track_ids", "head_boxes", "is_crowd")
    columns["listed"] = [True] * len(people)
    columns["annotation_ids"] = [person.get("id") for person in people]
    return columns | {name: [row[n] for row in rows] for n, name in enumerate(names)}


def _objects(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    items = content.get(key, [] if key == "annotations" else None)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError(f"expected a list of objects as {key}, or as annolist, found none")
    return items


def _keypoint_order(content: dict[str, Any]) -> tuple[np.ndarray, int]:
    """Where the 15 keypoints are among those of the file, and how many those are."""
    categories = [c for c in _objects(content, "categories") if c.get("name") == "person"]
    if len(categories) != 1:
        raise ValueError(f"categories: expected one person, received {len(categories)}")
    names = skeleton_from_category({"name": "person", "keypoints": categories[0].get("keypoints")})
    order = index_map(names, POSETRACK)
    if (order < 0).any():
        missing = [name for name, at in zip(POSETRACK.names, order, strict=True) if at < 0]
        raise ValueError(
            f"categories: expected the keypoints of PoseTrack, found no {', '.join(missing)}"
        )
    return order, names.num_keypoints


def _frames(images: list[dict[str, Any]]) -> dict[str, list[Any]]:
    columns = {"image_ids": [], "file_names": [], "sizes": [], "labelled": [], "ignore_regions": []}
    for i, image in enumerate(images):
        where = f"images[{i}]"
        if not isinstance(image.get("file_name"), str):
            raise ValueError(
                f"{where}: expected a file_name, received {image.get('file_name')!r:.60}"
            )
        columns["image_ids"].append(whole_number(image.get("id"), f"{where}, field id"))
        columns["file_names"].append(image["file_name"])
        columns["sizes"].append(_size(image, where))
        said = image.get("is_labeled")
        columns["labelled"].append(
            None if said is None else flag(said, f"{where}, field is_labeled")
        )
        columns["ignore_regions"].append(_regions(image, where))
    return columns


def _size(image: dict[str, Any], where: str) -> tuple[int, int]:
    if "height" not in image and "width" not in image:
        return 0, 0
    height, width = (whole_number(image.get(k), f"{where}, field {k}") for k in ("height", "width"))
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        raise ValueError(
            f"{where}: expected height x width of 1 to {MAX_PIXELS} pixels, received "
            f"{height} x {width}"
        )
    return height, width


def _regions(image: dict[str, Any], where: str) -> tuple[np.ndarray, ...]:
    xs, ys = (image.get(f"ignore_regions_{axis}") or [] for axis in "xy")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise ValueError(f"{where}: expected ignore_regions_x and _y, lists of one length")
    if xs and not isinstance(xs[0], list):  # a single region without the outer list
        xs, ys = [xs], [ys]
    where = f"{where}, field ignore_regions"
    regions = [
        np.stack([number_array(x, (-1,), where), number_array(y, (len(x),), where)], axis=1)
        for x, y in zip(xs, ys, strict=True)
    ]
    return tuple(regions)


def _person(
    person: dict[str, Any], number: int, places: dict[int, int], order: tuple[np.ndarray, int]
) -> tuple[Any, ...]:
    where = f"annotations[{number}], id {person.get('id')!r:.40}"
    image_id = person.get("image_id")
    if type(image_id) is not int or image_id not in places:
        raise ValueError(
            f"{where}: expected an image_id among the images, received {image_id!r:.40}"
        )
    rows, count = order
    values = person.get("keypoints") or [0] * (3 * count)
    keypoints = number_array(values, (3 * count,), f"{where}, field keypoints")
    scores = np.full(count, np.nan)
    if person.get("scores"):
        scores = number_array(person["scores"], (count,), f"{where}, field scores")
    track = person.get("track_id")
    head = np.full(4, np.nan)
    if person.get("bbox_head"):
        head = number_array(person["bbox_head"], (4,), f"{where}, field bbox_head")
        head = np.concatenate([head[:2], head[:2] + head[2:]])
    return (
        places[image_id],
        keypoints.reshape(-1, 3)[rows],
        scores[rows],
        -1 if track is None else whole_number(track, f"{where}, field track_id"),
        head,
        flag(person.get("iscrowd", 0), f"{where}, field iscrowd"),
    )
