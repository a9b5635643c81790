"""Person boxes of a detector, of many images at once, and their COCO results files."""

import dataclasses
import functools
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posekit.atomic_files import whole_files, write_file
from posekit.boxes import box_areas, xywh_to_xyxy, xyxy_to_xywh
from posekit.metrics.coco_results import read_results

PERSON = 1
"""COCO's category id of people."""
_SUFFIXES = (".json", ".json.gz")


class DetectionsError(ValueError):
    """Boxes, or a file of boxes, that cannot be used."""

    exit_code = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Detections:
    """R boxes of people. The arrays are copies and read-only.

    Args:
        image_ids: (R,) int64, in any order.
        boxes: (R, 4) float32 xyxy in pixels of the original image, edges as in `posekit.boxes`.
        scores: (R,) float32.
        dropped: what was left out on reading: reason -> count.

    Raises:
        DetectionsError: shapes that do not belong together, a number that is not finite.
    """

    image_ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(np.atleast_1d(self.scores))
        self._keep("image_ids", (count,), np.int64)
        self._keep("boxes", (count, 4), np.float32)
        self._keep("scores", (count,), np.float32)

    def _keep(self, field: str, shape: tuple[int, ...], dtype: type) -> None:
        given = np.asarray(getattr(self, field))
        if given.shape != shape:
            raise DetectionsError(f"{field}: expected {shape}, received {given.shape}")
        with np.errstate(over="ignore", invalid="ignore"):
            array = given.astype(dtype)
        wrong = ~np.isfinite(array) if dtype is np.float32 else array != given
        if wrong.any():
            place = tuple(map(int, np.argwhere(wrong)[0]))
            raise DetectionsError(
                f"{field}: expected {np.dtype(dtype).name} numbers, finite, received "
                f"{given[place]} at {place}; a diverged network gives such"
            )
        array.setflags(write=False)
        object.__setattr__(self, field, array)

    def __len__(self) -> int:
        return len(self.scores)

    @functools.cached_property
    def _order(self) -> np.ndarray:
        """(R,) rows by image, in it the best first; equal scores in the given order."""
        return np.lexsort((-self.scores, self.image_ids))

    @functools.cached_property
    def _places(self) -> dict[int, slice]:
        """Image id -> its part of `_order`."""
        ids, starts = np.unique(self.image_ids[self._order], return_index=True)
        ends = np.append(starts[1:], len(self)).tolist()
        return dict(zip(ids.tolist(), map(slice, starts.tolist(), ends), strict=True))

    @property
    def images(self) -> list[int]:
        """The ids of the images that have boxes, ascending."""
        return list(self._places)

    def rows_of_image(self, image_id: int) -> np.ndarray:
        """Returns the rows (n,) of an image's boxes, best first; none for an image without."""
        return self._order[self._places.get(int(image_id), slice(0))]

    def of_image(self, image_id: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns an image's boxes (n, 4) xyxy and scores (n,), best first."""
        rows = self.rows_of_image(image_id)
        return self.boxes[rows], self.scores[rows]

    def select(self, indices: np.ndarray) -> "Detections":
        """Returns the boxes at some indices (n,), or where a mask (R,) is True."""
        columns = self.image_ids[indices], self.boxes[indices], self.scores[indices]
        return Detections(*columns, self.dropped)


def read_detections(path: str | Path, minimum: float = 0.0) -> Detections:
    """Reads the person boxes of COCO results: one file, or a folder's files together.

    Args:
        path: results file of boxes, `.json` or `.json.gz`; or a folder of such, as detectors write
            them for videos, a file for each sequence.
        minimum: boxes of a lower score are left out.

    Returns:
        The boxes in the order of the file, files by name. Left out, and counted in `dropped`:
        `other_category` (not of category 1, people), `no_area`, `below_minimum`.

    Raises:
        DetectionsError: naming the file, the entry and what is wrong, such as a number that is not
            finite; an empty folder, a file that cannot be read.
    """
    path = Path(path)
    parts = [_read_file(file, minimum) for file in (_files(path) if path.is_dir() else [path])]
    return parts[0] if len(parts) == 1 else union(parts)


def union(parts: Sequence[Detections]) -> Detections:
    """Returns the boxes of all parts, one part after the other; `dropped` is added up."""
    if not parts:
        return Detections(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
    columns = zip(*((part.image_ids, part.boxes, part.scores) for part in parts), strict=True)
    names = dict.fromkeys(name for part in parts for name in part.dropped)
    dropped = {name: sum(part.dropped.get(name, 0) for part in parts) for name in names}
    return Detections(*map(np.concatenate, columns), dropped)


def write_detections(path: str | Path, detections: Detections) -> None:
    """Writes COCO results of category 1, people, in the order of the boxes.

    Sides are written as float32, so that a file read again may differ in a box's last bit.

    Args:
        path: of the file to make or to replace; packed where it ends in `.gz`.
        detections: what to write.

    Raises:
        OSError: the file cannot be written; an older one is untouched.
    """
    path = Path(path)
    columns = np.column_stack([xyxy_to_xywh(detections.boxes), detections.scores])
    # As text a float32 has at most nine digits, and the same number is read back.
    rows = columns.astype(np.float32).astype(str).astype(np.float64).tolist()
    entries = [
        {"image_id": image_id, "category_id": PERSON, "bbox": row[:4], "score": row[4]}
        for image_id, row in zip(detections.image_ids.tolist(), rows, strict=True)
    ]
    content = json.dumps(entries, allow_nan=False, separators=(",", ":")).encode()
    write_file(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _files(folder: Path) -> list[Path]:
    found = whole_files(folder, _SUFFIXES)
    if not found:
        raise DetectionsError(f"{folder}: expected COCO results, {' or '.join(_SUFFIXES)} files")
    return found


def _read_file(path: Path, minimum: float) -> Detections:
    try:
        entries = read_results(path, "bbox")
    except (ValueError, OSError) as error:
        raise DetectionsError(str(error)) from error
    if entries is None:
        return union([])
    person = entries.category_ids == PERSON
    with np.errstate(over="ignore", invalid="ignore"):  # too large for float32: refused below
        boxes = xywh_to_xyxy(entries.values).astype(np.float32)
        has_area = box_areas(boxes) > 0
    good = entries.scores >= minimum
    dropped = {
        "other_category": int((~person).sum()),
        "no_area": int((person & ~has_area).sum()),
        "below_minimum": int((person & has_area & ~good).sum()),
    }
    kept = person & has_area & good
    return Detections(entries.image_ids[kept], boxes[kept], entries.scores[kept], dropped)
