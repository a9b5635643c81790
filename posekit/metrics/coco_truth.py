"""The people of a COCO ground-truth file as the official evaluation sees them.

`posekit.datasets.coco` clips boxes and drops impossible people, which is right for training; the
official numbers want every annotation as the file has it, and more digits than float32 keeps.
"""

import dataclasses
from array import array
from pathlib import Path

import numpy as np

from posekit.datasets.coco_columns import check_categories
from posekit.datasets.coco_json import iterate_items
from posekit.gzip_files import plain_file
from posekit.skeletons import COCO, Skeleton, skeleton_from_category

MAX_VALUE = 1e12
"""Larger numbers are refused: their squares lead to NaN, and COCOeval counts that as a match."""
_MAX_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class CocoTruth:
    """The A people of M images, sorted by image.

    Args:
        image_ids: (M,) int64, ascending.
        first: (M + 1,) int64; image i has the people `first[i]:first[i + 1]`, in the file's order.
        boxes_xywh: (A, 4) float64 x, y, width, height.
        areas: (A,) float64 mask areas, px².
        is_crowd: (A,) bool.
        keypoints: (A, K, 3) float64 x, y, v; 0 where a person has none.
        num_labelled: (A,) int64, the file's `num_keypoints`, else counted from v > 0.
        category_id: of the person.
        other_categories: ids of the file's other categories.
        skeleton: what the K keypoints are; None where the category names no keypoints.
    """

    image_ids: np.ndarray
    first: np.ndarray
    boxes_xywh: np.ndarray
    areas: np.ndarray
    is_crowd: np.ndarray
    keypoints: np.ndarray
    num_labelled: np.ndarray
    category_id: int
    other_categories: frozenset[int]
    skeleton: Skeleton | None

    def people(self, image_id: int) -> slice:
        """Rows of the people of an image."""
        i = np.searchsorted(self.image_ids, image_id)
        if i == len(self.image_ids) or self.image_ids[i] != image_id:
            raise ValueError(f"expected an image of the ground truth, received id {image_id}")
        return slice(self.first[i], self.first[i + 1])


def read_truth(path: str | Path) -> CocoTruth:
    """Reads the images and people of a COCO annotation file.

    Args:
        path: JSON file, plain or `.gz`, with `images`, `annotations` and `categories`; the person
            is the category of that name, or the only one. Other categories' annotations may be
            there and are left out. Masks are not read.

    Raises:
        ValueError: naming the file and the image or annotation id: ids that repeat or point
            nowhere, numbers that are missing, not finite or negative sizes.
        OSError: the file cannot be read.
    """
    try:
        with plain_file(path) as plain:
            return _read_truth(plain)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(f"{path}:") else f"{path}: {text}") from None


def shown(ids) -> str:
    """Lists the first ids of many, for messages."""
    listed = ", ".join(str(number) for number in ids[:_MAX_SHOWN])
    return listed + (f" and {len(ids) - _MAX_SHOWN} more" if len(ids) > _MAX_SHOWN else "")


def within_limit(numbers: array) -> bool:
    """True where all numbers are finite and below `MAX_VALUE`; quick for the few of one entry."""
    return all(-MAX_VALUE < number < MAX_VALUE for number in numbers)


class _People:
    """Columns of the annotations, of whatever category; `faults` the first of each category."""

    def __init__(self) -> None:
        self.numbers = array("q")  # id, image id, category, crowd, num_keypoints or -1
        self.boxes = array("d")  # x, y, width, height, area
        self.keypoints = array("d")
        self.ends = array("q", [0])
        self.faults: dict[int | None, str] = {}

    def add(self, item: dict[str, object], place: str) -> None:
        category = None
        try:
            category = _whole(item, "category_id")
            ids = _whole(item, "id"), _whole(item, "image_id"), category
            labels = _crowd(item), _whole(item, "num_keypoints", -1)
            box = _numbers(item.get("bbox"), "bbox", 4)
            box += _numbers([item.get("area")], "area", 1)
            keypoints = _numbers(item.get("keypoints") or [], "keypoints")
        except ValueError as error:
            message = f"{place}, annotation id {item.get('id')!r:.40}: {error}"
            self.faults.setdefault(category, message)
            return
        self.numbers.extend(ids + labels)
        self.boxes.extend(box)
        self.keypoints.extend(keypoints)
        self.ends.append(len(self.keypoints))


def _read_truth(path: Path) -> CocoTruth:
    images, people, categories = array("q"), _People(), None
    for key, place, item in iterate_items(path, ("images", "annotations")):
        if key == "images":
            images.append(_whole(item, "id", where=f"{place}: "))
        elif key == "annotations":
            people.add(item, place)
        elif key == "categories":
            categories = item
    category, others = _person_category(categories)
    for faulty in (category["id"], None):
        if faulty in people.faults:
            raise ValueError(people.faults[faulty])
    numbers = np.array(people.numbers, np.int64).reshape(-1, 5)
    check_categories(categories, numbers[:, 0], numbers[:, 2])
    return _sorted(np.array(images, np.int64), people, category, others)


def _person_category(categories: object) -> tuple[dict[str, object], frozenset[int]]:
    listed = categories if isinstance(categories, list) else []
    listed = [c for c in listed if isinstance(c, dict) and type(c.get("id")) is int]
    found = listed if len(listed) == 1 else [c for c in listed if c.get("name") == "person"]
    if len(found) != 1:
        raise ValueError(
            "categories: expected one named 'person', or a single one, with a whole number as id, "
            f"received {categories!r:.200}"
        )
    return found[0], frozenset(c["id"] for c in listed) - {found[0]["id"]}


def _sorted(
    images: np.ndarray, people: _People, category: dict[str, object], others: frozenset[int]
) -> CocoTruth:
    image_ids = _unique(images, "image")
    numbers = np.array(people.numbers, np.int64).reshape(-1, 5)
    rows = np.flatnonzero(numbers[:, 2] == category["id"])
    ids, owners = numbers[rows, 0], numbers[rows, 1]
    _unique(ids, "annotation")
    unknown = ~np.isin(owners, image_ids)
    if unknown.any():
        raise ValueError(
            f"annotation ids {shown(ids[unknown])}: expected an image_id among the images, "
            f"received {shown(np.unique(owners[unknown]))}"
        )
    order = np.argsort(owners, kind="stable")
    rows, ids = rows[order], ids[order]
    boxes = np.array(people.boxes, np.float64).reshape(-1, 5)[rows]
    wrong = (boxes[:, 2:] < 0).any(axis=1)
    if wrong.any():
        raise ValueError(
            f"annotation ids {shown(ids[wrong])}: expected width, height and area of at least 0, "
            f"received {boxes[wrong][0, 2:].tolist()}; boxes are x, y, width, height"
        )
    skeleton = _skeleton(category, np.diff(people.ends)[rows])
    keypoints = _keypoints(people, rows, ids, skeleton)
    stated = numbers[rows, 4]
    return CocoTruth(
        image_ids=image_ids,
        first=np.searchsorted(owners[order], np.append(image_ids, np.iinfo(np.int64).max)),
        boxes_xywh=boxes[:, :4],
        areas=boxes[:, 4],
        is_crowd=numbers[rows, 3] == 1,
        keypoints=keypoints,
        num_labelled=np.where(stated < 0, (keypoints[..., 2] > 0).sum(axis=1), stated),
        category_id=category["id"],
        other_categories=others,
        skeleton=skeleton,
    )


def _skeleton(category: dict[str, object], lengths: np.ndarray) -> Skeleton | None:
    """Returns the category's skeleton, or COCO's where only the people say that they have it."""
    if not category.get("keypoints"):
        return COCO if (lengths == 3 * COCO.num_keypoints).any() else None
    skeleton = skeleton_from_category(category)
    return COCO if skeleton.names == COCO.names else skeleton


def _keypoints(
    people: _People, rows: np.ndarray, ids: np.ndarray, skeleton: Skeleton | None
) -> np.ndarray:
    """Returns (A, K, 3); K is 0 where the file has no keypoints."""
    ends = np.array(people.ends, np.int64)
    lengths = np.diff(ends)[rows]
    count = skeleton.num_keypoints if skeleton else 0
    wrong = (lengths != 0) & (lengths != 3 * count)
    if wrong.any() and skeleton:
        raise ValueError(
            f"annotation ids {shown(ids[wrong])}: keypoints: expected {3 * count} numbers, x, y, v "
            f"for each of the skeleton {skeleton.name!r}, received {lengths[wrong][0]}"
        )
    keypoints = np.zeros((len(rows), count, 3))
    labelled = lengths == 3 * count
    cells = ends[rows[labelled], None] + np.arange(3 * count)
    values = np.array(people.keypoints, np.float64)
    keypoints[labelled] = values[cells].reshape(len(cells), count, 3)
    return keypoints


def _unique(ids: np.ndarray, kind: str) -> np.ndarray:
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        twice = shown(values[counts > 1])
        raise ValueError(f"expected unique {kind} ids, received more than once: {twice}")
    return values


def _whole(item: dict[str, object], field: str, default: int | None = None, where="") -> int:
    value = item.get(field, default)
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError(f"{where}{field}: expected a whole number, received {value!r:.40}")
    return value


def _crowd(item: dict[str, object]) -> int:
    value = item.get("iscrowd", 0)
    if value not in (0, 1):
        raise ValueError(f"iscrowd: expected 0 or 1, received {value!r:.40}")
    return int(value)


def _numbers(values: object, field: str, count: int | None = None) -> array:
    wanted = f"{count or 'a list of'} numbers below {MAX_VALUE:g}"
    try:
        numbers = array("d", values if isinstance(values, list) else [None])
    except (TypeError, OverflowError):
        numbers = array("d", [np.nan])
    if (count and len(numbers) != count) or not within_limit(numbers):
        raise ValueError(f"{field}: expected {wanted}, received {values!r:.80}")
    return numbers
