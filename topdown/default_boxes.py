"""Default boxes of SSD: where they lie, and boxes relative to them.

Boxes are xyxy in pixels of the square network input, edges counted as in COCO files (the input
spans 0 to its side), and so an input's mirror has the mirrored default boxes.
"""

import functools
from typing import Literal

import numpy as np

from posekit.boxes import xyxy_to_cxcywh

Step = Literal["halve", "shrink", "close"]
"""Last 3x3 or 4x4 convolution of an extra block: stride 2; without padding; 4x4 padded by 1."""
BLOCKS: dict[int, tuple[Step, ...]] = {
    300: ("halve", "halve", "shrink", "shrink"),
    512: ("halve", "halve", "halve", "halve", "close"),
}
"""Side of the input -> the extra blocks behind conv7."""
LARGEST_SCALE = 0.9
"""Side of the last map's square boxes, as a share of the input's side."""
DELTA_SCALE = (0.1, 0.1, 0.2, 0.2)
"""What the deltas of centre x, centre y, width and height are divided by (SSD's variances)."""
MAX_LOG_GROWTH = float(np.log(1000 / 16))
"""A decoded box is at most 62.5 times as wide and high as its default box: nothing overflows."""


def map_sides(size: int) -> tuple[int, ...]:
    """Lists the cells along a side of the maps that predict: conv4_3, conv7, extra blocks.

    Args:
        size: side of the network input, pixels; one of `BLOCKS`.

    Raises:
        ValueError: another size.
    """
    if size not in BLOCKS:
        raise ValueError(f"expected an SSD of {sorted(BLOCKS)} pixels, received {size}")
    sides = [-(-size // 8), -(-size // 16)]
    for step in BLOCKS[size]:
        side = sides[-1]
        sides.append({"halve": (side + 1) // 2, "shrink": side - 2, "close": side - 1}[step])
    return tuple(sides)


def boxes_per_cell(size: int) -> tuple[int, ...]:
    """Lists the default boxes of a cell of each map: 4, 6, ..., 6, 4, 4."""
    count = len(map_sides(size))
    return (4, *[6] * (count - 3), 4, 4)


@functools.lru_cache(maxsize=8)
def make_default_boxes(size: int, scales: tuple[float, float] = (0.1, 0.2)) -> np.ndarray:
    """Lists all default boxes of an input, in the order in which SSD's outputs come.

    Map by map from conv4_3, within a map row by row, within a cell: square, larger square, 2:1,
    1:2, and where there are six 3:1, 1:3. The centre of cell (row, column) of an (f, f) map is
    ((column + 0.5) / f, (row + 0.5) / f) of the side.

    Args:
        size: side of the network input, pixels; one of `BLOCKS`.
        scales: side of the square boxes as shares of the input's: of conv4_3, and of conv7. From
            the second on they grow evenly to 0.9 of the last map. SSD300: 0.1 and 0.2, on COCO
            0.07 and 0.15; SSD512: 0.07 and 0.15, on COCO 0.04 and 0.1.

    Returns:
        (A, 4) float32 xyxy, read-only, not clipped to the input; A = 8732 for SSD300, 24564 for
        SSD512. The published code rounds the steps between scales down to whole hundredths (0.37
        in place of 0.375); this follows the paper's text.

    Raises:
        ValueError: another size, or scales that do not grow.

    Reference: Liu et al. 2016 (SSD), section 2.2.
    """
    first, second = scales
    if not 0 < first < second < LARGEST_SCALE:
        raise ValueError(f"expected two scales, 0 < a < b < {LARGEST_SCALE}, received {scales}")
    sides, counts = map_sides(size), boxes_per_cell(size)
    grown = np.linspace(second, LARGEST_SCALE, len(sides) - 1)
    lengths = [first, *grown, 2 * grown[-1] - grown[-2]]
    maps = []
    for side, count, length, following in zip(sides, counts, lengths, lengths[1:], strict=False):
        middles = (np.arange(side) + 0.5) / side
        x, y = np.meshgrid(middles, middles)
        centres = np.stack([x, y, x, y], axis=-1)[:, :, None]
        half = _shapes(length, following, count) / 2
        maps.append((centres + np.concatenate([-half, half], axis=1)).reshape(-1, 4))
    boxes = (size * np.concatenate(maps)).astype(np.float32)
    boxes.setflags(write=False)
    return boxes


def _shapes(length: float, following: float, count: int) -> np.ndarray:
    """Returns the (count, 2) width and height of a cell's boxes."""
    ratios = np.array([1, 1, 2, 1 / 2, 3, 1 / 3])[:count]
    lengths = np.full(count, length)
    lengths[1] = np.sqrt(length * following)
    return np.stack([lengths * np.sqrt(ratios), lengths / np.sqrt(ratios)], axis=1)


def encode_boxes(default_boxes: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Writes boxes relative to default boxes.

    Args:
        default_boxes: (..., 4) xyxy.
        boxes: (..., 4) xyxy with an area.

    Returns:
        (..., 4) float32: centre x and y in widths and heights of the default box, logarithm of
        width and height over the default box's; all divided by DELTA_SCALE.

    Reference: Liu et al. 2016 (SSD), equation 2.
    """
    default, box = xyxy_to_cxcywh(default_boxes), xyxy_to_cxcywh(boxes)
    shift = (box[..., :2] - default[..., :2]) / default[..., 2:]
    growth = np.log(box[..., 2:] / default[..., 2:])
    return (np.concatenate([shift, growth], axis=-1) / DELTA_SCALE).astype(np.float32)


def decode_boxes(default_boxes, deltas, xp=np):
    """Does the reverse of `encode_boxes`.

    Args:
        default_boxes: (..., 4) xyxy.
        deltas: (..., 4), divided by DELTA_SCALE.
        xp: `numpy` or `keras.ops`.

    Returns:
        (..., 4) float32 xyxy, not clipped to the input.
    """
    deltas = deltas * np.array(DELTA_SCALE, np.float32)
    size = default_boxes[..., 2:] - default_boxes[..., :2]
    centre = (default_boxes[..., :2] + default_boxes[..., 2:]) / 2 + deltas[..., :2] * size
    half = size / 2 * xp.exp(xp.minimum(deltas[..., 2:], MAX_LOG_GROWTH))
    return xp.concatenate([centre - half, centre + half], axis=-1)
