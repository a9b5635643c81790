"""A COCO keypoint file as arrays.

What makes a file meaningless stops the reading with an error that names file and id: ids that
repeat or point nowhere, lists of wrong length, numbers that are none. A single person with an
impossible box or area is dropped and listed in the report, since COCO itself has a few.
"""

import dataclasses
from pathlib import Path

import numpy as np

from posekit.datasets.coco_columns import (
    MAX_COORDINATE,
    ImageColumns,
    PeopleColumns,
    check_categories,
)
from posekit.datasets.coco_json import iterate_items
from posekit.datasets.masks import Segmentations
from posekit.skeletons import COCO, Skeleton, remap_keypoints, skeleton_from_category


@dataclasses.dataclass(frozen=True)
class CocoIndex:
    """The M images and A people of an annotation file; people sorted by image.

    Args:
        image_ids: (M,) int64.
        file_names: M names relative to the folder of images.
        sizes: (M, 2) int32 (height, width).
        first: (M + 1,) int64; image i has the people `first[i]:first[i + 1]`.
        annotation_ids: (A,) int64.
        keypoints: (A, K, 3) float32 x, y, v; 0 where a person has none.
        boxes: (A, 4) float32 xyxy, inside the image.
        areas: (A,) float32 mask areas in square pixels.
        is_crowd: (A,) bool.
        segmentations: masks of the A people.
        skeleton: names of the K keypoints.
        report: counts and lists of annotation ids, see `load_coco`.
    """

    image_ids: np.ndarray
    file_names: tuple[str, ...]
    sizes: np.ndarray
    first: np.ndarray
    annotation_ids: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    is_crowd: np.ndarray
    segmentations: Segmentations
    skeleton: Skeleton
    report: dict[str, int | list[int]]


def read_index(path: Path, skeleton: Skeleton | None = None) -> CocoIndex:
    """Reads an annotation file; `load_coco` says what is checked.

    Args:
        path: JSON file with `images`, `annotations` and `categories`.
        skeleton: wanted keypoints, mapped by name; None keeps those of the file.

    Raises:
        ValueError: naming the file and the image or annotation id.
    """
    try:
        return _read_index(path, skeleton)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read_index(path: Path, skeleton: Skeleton | None) -> CocoIndex:
    images, people, categories = ImageColumns(), PeopleColumns(), None
    for key, place, value in iterate_items(path, ("images", "annotations")):
        if key == "images":
            images.add(value, place)
        elif key == "annotations":
            people.add(value, place)
        elif key == "categories":
            categories = value
    category = _person_category(categories)
    numbers = np.frombuffer(people.numbers, np.int64).reshape(-1, 6)
    check_categories(categories, numbers[:, 0], numbers[:, 2])
    return _join(images, people, category, skeleton)


def _person_category(categories: object) -> dict[str, object]:
    """The category called person, else the only one with keypoints."""
    listed = categories if isinstance(categories, list) else []
    listed = [c for c in listed if isinstance(c, dict)]
    found = [c for c in listed if c.get("name") == "person"]
    found = found or [c for c in listed if c.get("keypoints")]
    if len(found) != 1 or type(found[0].get("id")) is not int:
        names = [str(c.get("name")) + " (has keypoints)" * bool(c.get("keypoints")) for c in listed]
        raise ValueError(
            "categories: expected one named 'person', or else one with keypoints, with a whole "
            f"number as id, received {names!r:.400}"
        )
    return found[0]


def _join(
    images: ImageColumns,
    people: PeopleColumns,
    category: dict[str, object],
    skeleton: Skeleton | None,
) -> CocoIndex:
    rows = _person_rows(people, category["id"])
    image_ids = np.array(images.ids, np.int64)
    sizes = np.array(images.sizes, np.int32).reshape(-1, 2)
    _require_unique(image_ids, "image")
    numbers = np.frombuffer(people.numbers, np.int64).reshape(-1, 6)
    ids = numbers[rows, 0]
    _require_unique(ids, "annotation")
    places = _places(numbers[rows, 1], image_ids, ids)
    _check_mask_sizes(numbers[rows, 4:], sizes[places], ids)
    keypoints, skeleton = _keypoints(people, rows, ids, category, skeleton)
    boxes, areas, keep, report = _boxes(people, rows, sizes[places], ids)
    report = {
        "images": len(image_ids),
        "people": int(keep.sum()),
        "other_categories": len(numbers) - len(rows),
        **report,
        "short_polygons": np.intersect1d(people.short_polygons, ids).tolist(),
    }
    order = np.flatnonzero(keep)[np.argsort(places[keep], kind="stable")]
    return CocoIndex(
        image_ids=image_ids,
        file_names=tuple(images.names),
        sizes=sizes,
        first=np.searchsorted(places[order], np.arange(len(image_ids) + 1)),
        annotation_ids=ids[order],
        keypoints=keypoints[order],
        boxes=boxes[order],
        areas=areas[order],
        is_crowd=numbers[rows[order], 3] == 1,
        segmentations=people.segmentations().take(rows[order]),
        skeleton=skeleton,
        report=report,
    )


def _person_rows(people: PeopleColumns, category_id: int) -> np.ndarray:
    for faulty in (category_id, None):  # None: faults of the category number itself
        if faulty in people.errors:
            raise ValueError(people.errors[faulty])
    return np.flatnonzero(np.frombuffer(people.numbers, np.int64)[2::6] == category_id)


def _require_unique(ids: np.ndarray, kind: str) -> None:
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        twice = values[counts > 1]
        raise ValueError(
            f"expected unique {kind} ids, received {kind} id {twice[0]} {counts[counts > 1][0]} "
            f"times, and {len(twice) - 1} other repeated ids"
        )


def _places(wanted: np.ndarray, image_ids: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Returns the row of each annotation's image."""
    order = np.argsort(image_ids)
    found = np.searchsorted(image_ids, wanted, sorter=order)
    places = order[np.minimum(found, len(order) - 1)] if len(order) else np.zeros_like(wanted)
    unknown = image_ids[places] != wanted if len(order) else np.ones(len(wanted), bool)
    if unknown.any():
        row = unknown.argmax()
        raise ValueError(
            f"annotation id {ids[row]}: expected an image_id among the images, received "
            f"{wanted[row]} ({unknown.sum()} annotations have unknown images)"
        )
    return places


def _check_mask_sizes(masks: np.ndarray, sizes: np.ndarray, ids: np.ndarray) -> None:
    wrong = (masks != 0).any(axis=1) & (masks != sizes).any(axis=1)
    if wrong.any():
        row = wrong.argmax()
        raise ValueError(
            f"annotation id {ids[row]}: segmentation: expected the size of its image "
            f"{sizes[row].tolist()} (height, width), received {masks[row].tolist()}"
        )


def _keypoints(
    people: PeopleColumns,
    rows: np.ndarray,
    ids: np.ndarray,
    category: dict[str, object],
    wanted: Skeleton | None,
) -> tuple[np.ndarray, Skeleton]:
    """Returns (A, K, 3) keypoints of some rows in the wanted skeleton, and that skeleton."""
    source = skeleton_from_category(category) if "keypoints" in category else wanted or COCO
    if source.names == COCO.names:
        source = COCO
    ends = np.frombuffer(people.keypoint_ends, np.int64)
    lengths = np.diff(ends)[rows]
    wrong = (lengths != 0) & (lengths != 3 * source.num_keypoints)
    if wrong.any():
        raise ValueError(
            f"annotation id {ids[wrong.argmax()]}: keypoints: expected "
            f"{3 * source.num_keypoints} numbers, received {lengths[wrong.argmax()]}"
        )
    keypoints = np.zeros((len(rows), source.num_keypoints, 3), np.float32)
    labelled = lengths > 0
    cells = ends[rows[labelled], None] + np.arange(3 * source.num_keypoints)
    values = np.frombuffer(people.keypoints, np.float32)
    keypoints[labelled] = values[cells].reshape(-1, source.num_keypoints, 3)
    if wanted is None or wanted.names == source.names:
        return keypoints, wanted or source
    return remap_keypoints(keypoints, source, wanted), wanted


def _boxes(
    people: PeopleColumns, rows: np.ndarray, sizes: np.ndarray, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, list[int]]]:
    """Returns clipped xyxy boxes, areas, which rows to keep, and ids for the report."""
    columns = np.frombuffer(people.boxes, np.float64).reshape(-1, 5)[rows]
    boxes, areas = columns[:, :4], columns[:, 4]
    plain = (np.abs(boxes) < MAX_COORDINATE).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    boxes = np.where(plain[:, None], boxes, 0)
    boxes[:, 2:] += boxes[:, :2]
    clipped = np.clip(boxes, 0, np.tile(sizes[:, ::-1], 2)).astype(np.float32)
    areas = np.where((areas > 0) & (areas <= MAX_COORDINATE**2), areas, 0).astype(np.float32)
    good_box = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
    good_area = areas > 0
    keep = good_box & good_area
    # Files round to hundredths, so only what exceeds that counts as clipped.
    moved = (np.abs(clipped - boxes) > 0.02).any(axis=1)
    report = {
        "bad_boxes": ids[~good_box].tolist(),
        "bad_areas": ids[good_box & ~good_area].tolist(),
        "clipped_boxes": ids[keep & moved].tolist(),
    }
    return clipped, areas, keep, report
