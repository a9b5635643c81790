"""A COCO results file, keypoints or boxes, as columns."""

import dataclasses
from array import array
from pathlib import Path
from typing import Literal

import numpy as np

from posekit.gzip_files import plain_file
from posekit.metrics.coco_truth import MAX_VALUE, within_limit
from posekit.strict_json import read_json

Kind = Literal["keypoints", "bbox"]
"""What is evaluated; pycocotools' word for it."""


@dataclasses.dataclass(frozen=True)
class CocoResults:
    """R entries of one kind, in the file's order.

    Args:
        kind: "keypoints" or "bbox".
        image_ids: (R,) int64.
        category_ids: (R,) int64.
        scores: (R,) float64.
        values: (R, K, 3) float64 x, y, score, or (R, 4) float64 x, y, width, height.
        areas: (R,) float64, px², as pycocotools' `loadRes` makes them: of the entry's box, or else
            of the box around all its keypoints.
    """

    kind: Kind
    image_ids: np.ndarray
    category_ids: np.ndarray
    scores: np.ndarray
    values: np.ndarray
    areas: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, indices: np.ndarray) -> "CocoResults":
        """The entries at some indices (n,), or where a mask (R,) is True."""
        columns = ("image_ids", "category_ids", "scores", "values", "areas")
        return dataclasses.replace(self, **{name: getattr(self, name)[indices] for name in columns})


def read_results(path: str | Path, kind: Kind | None = None) -> CocoResults | None:
    """Reads a COCO results file of either kind.

    Args:
        path: JSON list, plain or `.gz`, of entries with `image_id`, `category_id`, `score` and
            `keypoints` (x, y, score triples) or `bbox` (x, y, width, height).
        kind: which to read; None: keypoints where the first entry has them, else boxes.

    Returns:
        The entries; None for an empty list, which has no kind.

    Raises:
        ValueError: naming the file, the entry and the field: a number that is missing or not
            finite, a negative width or height, another number of keypoints than the entry before.
        OSError: the file cannot be read.
    """
    with plain_file(path) as plain:
        entries = read_json(plain)
    if not isinstance(entries, list):
        raise ValueError(
            f"{path}: expected a list of results, received {type(entries).__name__}; an annotation "
            "file is an object, a results file a list"
        )
    if not entries:
        return None
    columns = _Columns(kind or _kind_of(entries[0], path))
    for index, entry in enumerate(entries):
        try:
            columns.add(entry)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{path}: entry {index}, {error}") from None
    return columns.results()


def _kind_of(entry: object, path: str | Path) -> Kind:
    fields = entry if isinstance(entry, dict) else {}
    for kind in ("keypoints", "bbox"):
        if fields.get(kind):
            return kind
    raise ValueError(
        f"{path}: entry 0, expected field keypoints or bbox, received {entry!r:.80}; results of "
        "masks are not evaluated here"
    )


class _Columns:
    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.ids = array("q")  # image, category
        self.scores = array("d")
        self.values = array("d")
        self.areas = array("d")
        self.width = 4 if kind == "bbox" else 0  # 0: that of the first entry
        self.has_box: bool | None = None

    def add(self, entry: object) -> None:
        if not isinstance(entry, dict):
            raise ValueError(f"expected an object, received {type(entry).__name__}")
        self.ids.extend((_whole(entry, "image_id"), _whole(entry, "category_id")))
        self.scores.extend(_numbers([entry.get("score")], "score", 1))
        values = _numbers(entry.get(self.kind), self.kind, self.width)
        if len(values) % 3 and self.kind == "keypoints":
            raise ValueError(f"field keypoints: expected triples, received {len(values)} numbers")
        self.width = len(values)
        self.values.extend(values)
        self.areas.append(self._area(entry, values))

    def _area(self, entry: dict[str, object], values: array) -> float:
        # pycocotools looks at the first entry only and would then fail on an odd one.
        has_box = bool(entry.get("bbox"))
        if self.has_box not in (None, has_box):
            raise ValueError("field bbox: expected in all entries or in none; write them alike")
        self.has_box = has_box
        if has_box:
            _, _, width, height = _numbers(entry["bbox"], "bbox", 4)
            if min(width, height) < 0:
                raise ValueError(
                    "field bbox: expected x, y, width, height with sizes of at least 0, received "
                    f"{entry['bbox']}"
                )
            return width * height
        x, y = values[0::3], values[1::3]
        return (max(x) - min(x)) * (max(y) - min(y))

    def results(self) -> CocoResults:
        ids = np.array(self.ids, np.int64).reshape(-1, 2)
        shape = (-1, 4) if self.kind == "bbox" else (len(ids), self.width // 3, 3)
        values = np.array(self.values, np.float64).reshape(shape)
        scores, areas = np.array(self.scores), np.array(self.areas)
        return CocoResults(self.kind, ids[:, 0], ids[:, 1], scores, values, areas)


def _whole(entry: dict[str, object], field: str) -> int:
    value = entry.get(field)
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError(f"field {field}: expected a whole number, received {value!r:.40}")
    return value


def _numbers(values: object, field: str, count: int) -> array:
    wanted = f"{count or 'a list of'} numbers below {MAX_VALUE:g}"
    try:
        numbers = array("d", values if isinstance(values, list) else [None])
    except (TypeError, OverflowError):
        numbers = array("d")
    if not numbers or (count and len(numbers) != count) or not within_limit(numbers):
        raise ValueError(f"field {field}: expected {wanted}, received {values!r:.80}")
    return numbers
