"""Person masks of COCO files: run lengths and polygons, kept compactly and drawn quickly."""

import dataclasses

import cv2
import numpy as np

POLYGON_SHIFT = 4
"""Binary places of stored polygon points: sixteenths of a pixel, as `cv2.fillPoly` takes them."""


@dataclasses.dataclass(frozen=True)
class Segmentations:
    """The masks of A annotations, some of which have none.

    Args:
        points: (P, 2) int32 x, y of all polygons behind each other, from `polygon_points`.
        ring_ends: (R + 1,) int64; polygon r has the points `ring_ends[r]:ring_ends[r + 1]`.
        rings: (A, 2) int64; annotation a is the union of the polygons `rings[a, 0]:rings[a, 1]`.
        run_lengths: (Q,) int32 lengths of all run-length masks behind each other.
        runs: (A, 2) int64; annotation a has the run lengths `runs[a, 0]:runs[a, 1]`.
    """

    points: np.ndarray
    ring_ends: np.ndarray
    rings: np.ndarray
    run_lengths: np.ndarray
    runs: np.ndarray

    def known(self, rows: slice) -> np.ndarray:
        """(n,) bool: which of n annotations have a mask."""
        rings, runs = self.rings[rows], self.runs[rows]
        return (rings[:, 1] > rings[:, 0]) | (runs[:, 1] > runs[:, 0])

    def take(self, rows: np.ndarray) -> "Segmentations":
        """The masks of some annotations, in the given order; the points are shared."""
        return dataclasses.replace(self, rings=self.rings[rows], runs=self.runs[rows])

    def draw(self, row: int, canvas: np.ndarray) -> None:
        """Sets the pixels of one annotation's mask to 1 on a (H, W) uint8 canvas.

        A polygon covers every pixel that its outline touches, pycocotools takes those whose
        centre is inside; so pixels at the outline differ, at a tenth of the time.
        """
        for ring in range(*self.rings[row]):
            points = self.points[self.ring_ends[ring] : self.ring_ends[ring + 1]]
            _fill_polygon(canvas, points)
        start, end = self.runs[row]
        if end > start:
            canvas |= mask_of_runs(self.run_lengths[start:end], canvas.shape)


def _fill_polygon(canvas: np.ndarray, points: np.ndarray) -> None:
    scale = 1 << POLYGON_SHIFT
    left, top, width, height = cv2.boundingRect(points)
    low, high = -scale // 2, [scale * side - scale // 2 for side in canvas.shape]
    # Outside the canvas OpenCV 5.0 draws outlines many pixels off, so those parts are cut first.
    if left < low or left + width - 1 > high[1]:
        points = _cut(_cut(points, 0, -1, low), 0, 1, high[1])
    if top < low or top + height - 1 > high[0]:
        points = _cut(_cut(points, 1, -1, low), 1, 1, high[0])
    if len(points):
        cv2.fillPoly(canvas, [points], 1, shift=POLYGON_SHIFT)


def _cut(points: np.ndarray, axis: int, sign: int, limit: int) -> np.ndarray:
    """Cuts off a (P, 2) polygon where sign * (coordinate - limit) > 0 (Sutherland, Hodgman)."""
    excess = sign * (points[:, axis].astype(np.float64) - limit)
    next_points, next_excess = np.roll(points, -1, axis=0), np.roll(excess, -1)
    crosses = (excess > 0) != (next_excess > 0)
    fraction = excess / np.where(crosses, excess - next_excess, 1)
    crossings = points + fraction[:, None] * (next_points - points)
    kept = np.stack([excess <= 0, crosses], axis=1)
    return np.rint(np.stack([points, crossings], axis=1)[kept]).astype(np.int32)


def polygon_points(coordinates: np.ndarray) -> np.ndarray:
    """Converts COCO polygon coordinates to the form that is stored.

    Args:
        coordinates: (P, 2) x, y as in the file, where pixel i spans i..i+1; |x|, |y| < 1e8.

    Returns:
        (P, 2) int32 sixteenths of a pixel, where the centre of the top-left pixel is (0, 0).
    """
    scale = 1 << POLYGON_SHIFT
    return np.rint(coordinates * scale - scale / 2).astype(np.int32)


def mask_of_runs(lengths: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Unrolls run lengths (column by column, starting with background) to (H, W) uint8."""
    values = np.arange(len(lengths), dtype=np.uint8) & 1
    return np.repeat(values, lengths).reshape(size[1], size[0]).T


def decode_runs(text: str) -> np.ndarray:
    """Decodes COCO's compressed run lengths.

    Args:
        text: the `counts` of a compressed mask: base-32 digits of 6 bits, low digit first, bit 5
            marks that another follows, bit 4 of the last is the sign; from the fourth run on,
            the difference to the last but one is stored.

    Returns:
        (Q,) int64 run lengths; their sign and sum are not checked here.

    Raises:
        ValueError: the text is cut or holds other characters.

    In NumPy, because pycocotools trusts the text and reads past its end.
    """
    digits = np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int64) - ord("0")
    if digits.size == 0 or digits.min() < 0 or digits.max() > 63 or digits[-1] & 32:
        raise ValueError("expected compressed run lengths, received cut or foreign text")
    last = np.flatnonzero((digits & 32) == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    count = last - first + 1
    if count.max() > 7:
        raise ValueError("expected compressed run lengths below 2^31, received a longer number")
    place = np.arange(digits.size) - np.repeat(first, count)
    numbers = np.add.reduceat((digits & 31) << (5 * place), first)
    numbers -= np.where(digits[last] & 16, np.int64(1) << (5 * count), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
