"""Anchors of P3-P7: where they lie, which person each one answers for, and box deltas.

Anchors and boxes are xyxy in pixels of the network input, edges counted as in COCO files (the image
spans 0 to its width and height), and so an image's mirror has the mirrored anchors.

Functions that take `xp` run in NumPy or, with `keras.ops`, inside a graph.
"""

import numpy as np

from posekit.boxes import box_areas, xyxy_to_cxcywh

STRIDES = (8, 16, 32, 64, 128)
"""Input pixels per cell of P3-P7."""
SIZES = (32, 64, 128, 256, 512)
"""Square root of the area of a level's smallest anchors, pixels."""
RATIOS = (0.5, 1.0, 2.0)
"""Height over width."""
SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
"""Factors on SIZES."""
NUM_SHAPES = len(RATIOS) * len(SCALES)
"""Anchors of a cell."""
DELTA_SCALE = (0.1, 0.1, 0.2, 0.2)
"""What the deltas of centre x, centre y, width and height are divided by."""
NEGATIVE, IGNORED = -1, -2
"""What `match_anchors` says of anchors without a person."""
MAX_LOG_GROWTH = float(np.log(1000 / 16))
"""A decoded box is at most 62.5 times as wide and high as its anchor, so that nothing overflows."""
_PAIRS = 1 << 18
"""Pairs of an anchor and a box that are compared at once."""


def anchor_shapes(size: float) -> np.ndarray:
    """Returns the (9, 2) width and height of a cell's anchors: ratio by ratio, scales innermost."""
    sides = size * np.array(SCALES)
    roots = np.sqrt(np.array(RATIOS))[:, None]
    return np.stack([sides / roots, sides * roots], axis=-1).reshape(-1, 2).astype(np.float32)


def make_anchors(size, xp=np):
    """Lists all anchors of an input, in the order in which the subnet's outputs come.

    Level by level from P3, within a level row by row, within a cell as `anchor_shapes` has them.
    The centre of cell (row, column) is ((column + 0.5) * stride, (row + 0.5) * stride).

    Args:
        size: network input (height, width) in pixels; ints, or scalar tensors with `keras.ops`.
        xp: `numpy` or `keras.ops`.

    Returns:
        (A, 4) float32 xyxy; A = 9 * sum of ceil(height / stride) * ceil(width / stride).

    Reference: Lin et al. 2017 (RetinaNet), section 4.
    """
    levels = []
    for stride, side in zip(STRIDES, SIZES, strict=True):
        rows, columns = (
            (xp.arange((length + stride - 1) // stride, dtype="float32") + 0.5) * stride
            for length in size
        )
        x, y = xp.meshgrid(columns, rows)
        centres = xp.reshape(xp.stack([x, y, x, y], axis=-1), (-1, 1, 4))
        half = anchor_shapes(side) / 2
        levels.append(xp.reshape(centres + np.concatenate([-half, half], axis=1), (-1, 4)))
    return xp.concatenate(levels, axis=0)


def match_anchors(
    anchors: np.ndarray,
    boxes: np.ndarray,
    positive: float = 0.5,
    negative: float = 0.4,
) -> np.ndarray:
    """Gives each anchor the box that it overlaps most.

    A box that no anchor reaches trains nothing: there is no second rule by which it would keep its
    best anchor (neither RetinaNet nor the paper has one). That befalls people under about 22 pixels
    and those over four times as high as wide: 6 % of the people of coco_small val where the shorter
    edge has 800 pixels, 30 % where it has 320.

    Args:
        anchors: (A, 4) xyxy.
        boxes: (N, 4) xyxy; none is legal.
        positive: least IoU of an anchor that has found its box.
        negative: anchors with a smaller IoU with every box are background.

    Returns:
        (A,) int64: index of the box; NEGATIVE; IGNORED between the two thresholds.
    """
    if not len(boxes):
        return np.full(len(anchors), NEGATIVE)
    parts = _parts(anchors, len(boxes))
    return np.concatenate([_match(part, boxes, positive, negative) for part in parts])


def anchor_targets(
    anchors: np.ndarray, boxes: np.ndarray, ignored_boxes: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Makes what the detection subnet shall answer for one image.

    Args:
        anchors: (A, 4) xyxy.
        boxes: (N, 4) xyxy of people.
        ignored_boxes: (M, 4) xyxy of crowds: an anchor of which more than half lies in one counts
            only where it has found one of `boxes`.

    Returns:
        targets: class (A, 1) float32, 1 on people; box_deltas (A, 4) float32, 0 elsewhere.
        weights: class (A, 1) float32, 0 on ignored anchors; box_deltas (A, 1) float32, 1 on people.
    """
    match = match_anchors(anchors, boxes)
    parts = _parts(anchors, len(ignored_boxes))
    inside = np.concatenate([_mostly_inside(part, ignored_boxes) for part in parts])
    match = np.where(inside & (match == NEGATIVE), IGNORED, match)
    found = match >= 0
    deltas = np.zeros((len(anchors), 4), np.float32)
    deltas[found] = encode_boxes(anchors[found], boxes[match[found]])
    person = found[:, None].astype(np.float32)
    counts = (match != IGNORED)[:, None].astype(np.float32)
    return {"class": person, "box_deltas": deltas}, {"class": counts, "box_deltas": person}


def _parts(anchors: np.ndarray, num_boxes: int) -> list[np.ndarray]:
    """Divides anchors so that what is compared at once stays small, and in the processor's cache.

    Measured with 338,454 anchors (1344x1344): 20 people 0.06 s, all at once 0.24 s; 1,200 people
    and as many crowds 2.5 s and 10 MB, all at once 4,700 MB.
    """
    return np.array_split(anchors, 1 + len(anchors) * num_boxes // _PAIRS)


def _match(anchors: np.ndarray, boxes: np.ndarray, positive: float, negative: float) -> np.ndarray:
    overlap = intersections(boxes, anchors)
    overlap /= box_areas(boxes)[:, None] + box_areas(anchors) - overlap
    best = overlap.max(axis=0)
    unmatched = np.where(best < negative, NEGATIVE, IGNORED)
    return np.where(best >= positive, overlap.argmax(axis=0), unmatched)


def _mostly_inside(anchors: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """(A,) bool: more than half of an anchor lies in one of the regions (M, 4)."""
    return (intersections(regions, anchors) > box_areas(anchors) / 2).any(axis=0)


def intersections(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Returns the (N, A) px² that boxes (N, 4) and anchors (A, 4) have in common.

    Columns of their own keep the hundreds of thousands of anchors of a large input in order in
    memory: five times as fast as `posekit.boxes.iou_matrix` at 1344x1344.
    """
    x1, y1, x2, y2 = np.ascontiguousarray(anchors.T)
    left, top, right, bottom = np.asarray(boxes, np.float32).T[:, :, None]
    width = np.maximum(np.minimum(x2, right) - np.maximum(x1, left), 0)
    width *= np.maximum(np.minimum(y2, bottom) - np.maximum(y1, top), 0)
    return width


def encode_boxes(anchors: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Writes boxes relative to anchors.

    Args:
        anchors: (..., 4) xyxy.
        boxes: (..., 4) xyxy with an area.

    Returns:
        (..., 4) float32: centre x and y in widths and heights of the anchor, logarithm of width and
        height over the anchor's; all divided by DELTA_SCALE.
    """
    anchor, box = xyxy_to_cxcywh(anchors), xyxy_to_cxcywh(boxes)
    shift = (box[..., :2] - anchor[..., :2]) / anchor[..., 2:]
    growth = np.log(box[..., 2:] / anchor[..., 2:])
    return (np.concatenate([shift, growth], axis=-1) / DELTA_SCALE).astype(np.float32)


def decode_boxes(anchors, deltas, xp=np):
    """Does the reverse of `encode_boxes`.

    Args:
        anchors: (..., 4) xyxy.
        deltas: (..., 4), divided by DELTA_SCALE.
        xp: `numpy` or `keras.ops`.

    Returns:
        (..., 4) float32 xyxy, not clipped to the image.
    """
    deltas = deltas * np.array(DELTA_SCALE, np.float32)
    size = anchors[..., 2:] - anchors[..., :2]
    centre = (anchors[..., :2] + anchors[..., 2:]) / 2 + deltas[..., :2] * size
    half = size / 2 * xp.exp(xp.minimum(deltas[..., 2:], MAX_LOG_GROWTH))
    return xp.concatenate([centre - half, centre + half], axis=-1)
