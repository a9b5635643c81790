"""What SSD shall answer: which person each default box stands for."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from posekit.boxes import box_areas, iou_matrix
from topdown.default_boxes import encode_boxes

BACKGROUND = -1
"""What `match_boxes` says of default boxes without a person."""
_PAIRS = 1 << 18
"""Pairs of a default box and a region that are compared at once."""


def match_boxes(default_boxes: np.ndarray, boxes: np.ndarray, overlap: float = 0.5) -> np.ndarray:
    """Gives each person a default box of its own, and each default box the person it overlaps.

    Args:
        default_boxes: (A, 4) xyxy.
        boxes: (N, 4) xyxy with areas; none is legal.
        overlap: least IoU of a default box that belongs to a person without being its best.

    Returns:
        (A,) int64: index of the person; BACKGROUND.

    Reference: Liu et al. 2016 (SSD), section 2.2: first each person's best default box, then all
    others above the overlap. Where one default box is the best of two people, the pairs with the
    largest sum of overlaps are taken, so that nobody is left without.
    """
    if not len(boxes):
        return np.full(len(default_boxes), BACKGROUND)
    overlaps = iou_matrix(boxes, default_boxes)
    best = np.where(overlaps.max(axis=0) >= overlap, overlaps.argmax(axis=0), BACKGROUND)
    people, own = linear_sum_assignment(overlaps, maximize=True)
    best[own] = people
    return best


def ssd_targets(
    default_boxes: np.ndarray,
    boxes: np.ndarray,
    ignored_boxes: np.ndarray,
    overlap: float = 0.5,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Makes what SSD shall answer for one image.

    Args:
        default_boxes: (A, 4) xyxy.
        boxes: (N, 4) xyxy of people.
        ignored_boxes: (M, 4) xyxy of crowds: a default box of which more than half lies in one
            is no background.
        overlap: see `match_boxes`.

    Returns:
        targets: class (A, 1) float32, 1 on people; box_deltas (A, 4) float32, 0 elsewhere.
        weights: class (A, 1) float32, 0 on ignored ones; box_deltas (A, 1) float32, 1 on people.
    """
    match = match_boxes(default_boxes, boxes, overlap)
    found = match != BACKGROUND
    deltas = np.zeros((len(default_boxes), 4), np.float32)
    deltas[found] = encode_boxes(default_boxes[found], boxes[match[found]])
    person = found[:, None].astype(np.float32)
    counts = (found | ~_mostly_inside(default_boxes, ignored_boxes))[:, None].astype(np.float32)
    return {"class": person, "box_deltas": deltas}, {"class": counts, "box_deltas": person}


def _mostly_inside(default_boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """(A,) bool: more than half of a default box lies in one of the regions (M, 4)."""
    parts = np.array_split(default_boxes, 1 + len(default_boxes) * len(regions) // _PAIRS)
    return np.concatenate([_part_inside(part, regions) for part in parts])


def _part_inside(default_boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    low = np.maximum(default_boxes[:, None, :2], regions[None, :, :2])
    high = np.minimum(default_boxes[:, None, 2:], regions[None, :, 2:])
    shared = box_areas(np.concatenate([low, np.maximum(high, low)], axis=-1))
    return (shared > box_areas(default_boxes)[:, None] / 2).any(axis=1)
