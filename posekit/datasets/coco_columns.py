"""Turns the objects of a COCO file into flat columns, checking each number on the way."""

from array import array
from collections import Counter
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np

from posekit.datasets.masks import Segmentations, decode_runs, polygon_points
from posekit.images import MAX_PIXELS

MAX_COORDINATE = 1e6
"""Pixels; a larger coordinate is an error of the file."""


class ImageColumns:
    """The `images` of a file: `ids` M int64, `names` M, `sizes` 2M int (height, width)."""

    def __init__(self) -> None:
        self.ids = array("q")
        self.names: list[str] = []
        self.sizes = array("i")

    def add(self, item: dict[str, object], where: str) -> None:
        """Appends one image; `where` is its place in the file, for errors."""
        try:
            number = _integer(item, "id")
            height, width = _integer(item, "height"), _integer(item, "width")
            if min(height, width) < 1 or height * width > MAX_PIXELS:
                raise ValueError(
                    f"height, width: expected 1 to {MAX_PIXELS} pixels, received {height} x {width}"
                )
            self.names.append(inner_name(item.get("file_name")))
        except ValueError as error:
            raise ValueError(f"{where}, image id {item.get('id')!r:.40}: {error}") from None
        self.ids.append(number)
        self.sizes.extend((height, width))


class PeopleColumns:
    """The `annotations` of a file, one row each, of whatever category.

    `numbers` id, image id, category, crowd, RLE height and width per row; `boxes` x, y, width,
    height, area; `keypoints` 3K values or none, `keypoint_ends`; polygons and run lengths as in
    `Segmentations`; `short_polygons` annotation ids; `errors` the first error of each category.
    """

    def __init__(self) -> None:
        self.numbers = array("q")
        self.boxes = array("d")
        self.keypoints = array("f")
        self.keypoint_ends = array("q", [0])
        self.coordinates = array("f")
        self.ring_ends = array("q", [0])
        self.rings = array("q", [0])
        self.run_lengths = array("i")
        self.run_ends = array("q", [0])
        self.short_polygons = array("q")
        self.errors: dict[int | None, str] = {}

    def add(self, item: dict[str, object], where: str) -> None:
        """Appends one annotation.

        A faulty one is left out and noted under its category, because real files say at their
        end only which category is the person.
        """
        category = None
        try:
            category = _integer(item, "category_id")
            ids = (_integer(item, "id"), _integer(item, "image_id"), category, _crowd(item))
            box = _numbers(item.get("bbox"), "bbox", 4)
            area = _numbers([item.get("area")], "area")
            keypoints = _keypoints(item.get("keypoints"))
            polygons, size, runs = _segmentation(item.get("segmentation"))
        except ValueError as error:
            message = f"{where}, annotation id {item.get('id')!r:.40}: {error}"
            self.errors.setdefault(category, message)
            return
        self.numbers.extend(ids + size)
        self.boxes.extend(box + area)
        self.keypoints.extend(keypoints)
        self.keypoint_ends.append(len(self.keypoints))
        for polygon in polygons:
            if len(polygon) < 6:
                self.short_polygons.append(ids[0])
                continue
            self.coordinates.extend(polygon)
            self.ring_ends.append(len(self.coordinates) // 2)
        self.rings.append(len(self.ring_ends) - 1)
        self.run_lengths.extend(runs)
        self.run_ends.append(len(self.run_lengths))

    def segmentations(self) -> Segmentations:
        """The masks of all rows."""
        coordinates = np.frombuffer(self.coordinates, np.float32).reshape(-1, 2)
        return Segmentations(
            polygon_points(coordinates),
            np.frombuffer(self.ring_ends, np.int64),
            _ranges(self.rings),
            np.frombuffer(self.run_lengths, np.int32),
            _ranges(self.run_ends),
        )


def _ranges(ends: array) -> np.ndarray:
    ends = np.frombuffer(ends, np.int64)
    return np.stack([ends[:-1], ends[1:]], axis=1)


def _integer(item: dict[str, object], field: str) -> int:
    value = item.get(field)
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError(f"{field}: expected a whole number, received {value!r:.40}")
    return value


def _crowd(item: dict[str, object]) -> int:
    value = item.get("iscrowd", 0)
    if value not in (0, 1):
        raise ValueError(f"iscrowd: expected 0 or 1, received {value!r:.40}")
    return int(value)


def check_categories(categories: object, ids: np.ndarray, used: np.ndarray) -> None:
    """Refuses category ids that repeat or point nowhere: their people would be others, or nobody.

    Args:
        categories: those of the file.
        ids: (A,) of its annotations.
        used: (A,) their category ids.

    Raises:
        ValueError: naming the ids.
    """
    listed = [c.get("id") for c in categories or () if isinstance(c, dict)]
    listed = [number for number in listed if type(number) is int and abs(number) < 2**63]
    repeated = sorted(number for number, times in Counter(listed).items() if times > 1)
    if repeated:
        raise ValueError(f"expected unique category ids, received more than once: {repeated!r:.80}")
    unknown = ~np.isin(used, np.array(listed, np.int64))
    if unknown.any():
        raise ValueError(
            f"annotation ids {ids[unknown][:5].tolist()}: expected a category_id among the "
            f"categories {listed!r:.80}, received {np.unique(used[unknown])[:5].tolist()}; "
            "list it, or remove these annotations"
        )


def inner_name(name: object) -> str:
    """Passes a file name that stays inside the folder, on any system."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"file_name: expected text, received {name!r:.80}")
    paths = PurePosixPath(name), PureWindowsPath(name)
    if any(path.drive or path.root or ".." in path.parts for path in paths):
        raise ValueError(
            f"file_name: expected a path inside the folder of images, received {name!r:.80}"
        )
    return name


def _numbers(values: object, field: str, count: int | None = None, kind: str = "d") -> array:
    if not isinstance(values, list) or count not in (None, len(values)):
        wanted = f"a list of {count} numbers" if count else "a list of numbers"
        raise ValueError(f"{field}: expected {wanted}, received {values!r:.80}")
    try:
        return array(kind, values)
    except (TypeError, OverflowError):
        raise ValueError(f"{field}: expected numbers, received {values!r:.80}") from None


def _coordinates(values: object, field: str) -> array:
    numbers = _numbers(values, field, kind="f")
    # The JSON reader lets no NaN pass, and infinity fails here.
    if numbers and (max(numbers) >= MAX_COORDINATE or min(numbers) <= -MAX_COORDINATE):
        raise ValueError(
            f"{field}: expected coordinates below {MAX_COORDINATE:g}, "
            f"received {max(numbers, key=abs):g}"
        )
    return numbers


def _keypoints(values: object) -> array:
    """Passes a flat list x, y, v; a missing one is empty."""
    numbers = _coordinates([] if values is None else values, "keypoints")
    if len(numbers) % 3:
        raise ValueError(f"keypoints: expected 3 numbers each, received {len(numbers)} in all")
    if not {0.0, 1.0, 2.0}.issuperset(numbers[2::3]):
        raise ValueError(
            f"keypoints: expected visibilities 0, 1 or 2, received {list(numbers[2::3])!r:.80}"
        )
    return numbers


def _segmentation(value: object) -> tuple[list[array], tuple[int, int], array]:
    """Returns polygons, size of the run-length mask (0, 0 if none) and its run lengths."""
    if isinstance(value, dict):
        return [], *_runs(value)
    if value is not None and not isinstance(value, list):
        raise ValueError(f"segmentation: expected polygons or RLE, received {value!r:.80}")
    polygons = [_coordinates(polygon, "segmentation") for polygon in value or ()]
    odd = [len(polygon) for polygon in polygons if len(polygon) % 2]
    if odd:
        raise ValueError(f"segmentation: expected x, y pairs, received {odd[0]} numbers")
    return polygons, (0, 0), array("i")


def _runs(value: dict[str, object]) -> tuple[tuple[int, int], array]:
    size, counts = value.get("size"), value.get("counts")
    whole = isinstance(size, list) and len(size) == 2 and all(type(s) is int for s in size)
    if not whole or min(size) < 1:
        raise ValueError(
            f"segmentation: expected size [height, width], both above 0, received {size!r:.80}"
        )
    try:
        if isinstance(counts, str):
            lengths = decode_runs(counts)
        else:
            lengths = np.frombuffer(array("q", counts), np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"segmentation: counts: {error}, received {counts!r:.80}") from None
    pixels = size[0] * size[1]
    inside = lengths.size > 0 and lengths.min() >= 0 and lengths.max() <= min(pixels, MAX_PIXELS)
    if not inside or lengths.sum() != pixels:
        raise ValueError(
            f"segmentation: expected counts that fill {size[0]} x {size[1]} pixels, "
            f"received {counts!r:.80}"
        )
    return (size[0], size[1]), array("i", lengths.astype(np.int32).tobytes())
