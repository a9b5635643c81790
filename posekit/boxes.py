"""Boxes in NumPy: conversions, overlap, and boxes around keypoints. xyxy unless the name says so.

Box edges count from the outer corner of the top-left pixel, as in COCO files: a box is x2 - x1
wide (no "+1"), the whole image is (0, 0, width, height), pixel i spans i..i+1. Points count from
the centre of the top-left pixel, half a pixel further: the point (x, y) lies at (x + 0.5, y + 0.5)
among box edges. So it is for all boxes of this package: in examples, in `Poses`, in
`affine.transform_boxes`, in files.
"""

import numpy as np


def _columns(boxes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Splits (..., 4) into its four columns, keeping a floating dtype and making others float32."""
    boxes = np.asarray(boxes)
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(
            f"expected boxes (..., 4), received {boxes.shape}; for no boxes pass np.zeros((0, 4))"
        )
    if not np.issubdtype(boxes.dtype, np.floating):
        boxes = boxes.astype(np.float32)
    return tuple(boxes[..., i] for i in range(4))


def xyxy_to_xywh(boxes: np.ndarray) -> np.ndarray:
    """Converts corners (..., 4) to left, top, width, height, the form of COCO's files."""
    x1, y1, x2, y2 = _columns(boxes)
    return np.stack([x1, y1, x2 - x1, y2 - y1], axis=-1)


def xywh_to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """Converts left, top, width, height (..., 4) to corners."""
    x, y, w, h = _columns(boxes)
    return np.stack([x, y, x + w, y + h], axis=-1)


def xyxy_to_cxcywh(boxes: np.ndarray) -> np.ndarray:
    """Converts corners (..., 4) to centre x, y, width, height."""
    x1, y1, x2, y2 = _columns(boxes)
    return np.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], axis=-1)


def cxcywh_to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """Converts centre x, y, width, height (..., 4) to corners."""
    x, y, w, h = _columns(boxes)
    return np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=-1)


def box_areas(boxes: np.ndarray) -> np.ndarray:
    """Returns the areas (...) in px² of boxes (..., 4) xyxy; 0 where a box is turned inside out."""
    x1, y1, x2, y2 = _columns(boxes)
    return np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the intersection over union of every pair.

    Args:
        a: (N, 4) xyxy.
        b: (M, 4) xyxy.

    Returns:
        (N, M) in [0, 1]; 0 where both boxes have no area.
    """
    ax1, ay1, ax2, ay2 = (column[:, None] for column in _columns(a))
    bx1, by1, bx2, by2 = _columns(b)
    # Rows of M, not of two corners, and in place: 1,000 x 1,000 take 6 ms instead of 33.
    intersection = np.maximum(np.minimum(ax2, bx2) - np.maximum(ax1, bx1), 0)
    intersection *= np.maximum(np.minimum(ay2, by2) - np.maximum(ay1, by1), 0)
    union = box_areas(a)[:, None] + box_areas(b)
    union -= intersection
    return np.divide(intersection, union, out=intersection, where=union > 0)


def clip_boxes(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cuts boxes (..., 4) xyxy at the image, (height, width): x to [0, width], y to [0, height].

    A box wholly outside becomes one without area on the border.
    """
    height, width = size
    limit = np.array([width, height, width, height])
    return np.clip(np.stack(_columns(boxes), -1), 0, limit)


def enlarge(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Multiplies width and height of boxes (..., 4) xyxy by factor about their centres."""
    x, y, w, h = _columns(xyxy_to_cxcywh(boxes))
    return cxcywh_to_xyxy(np.stack([x, y, w * factor, h * factor], axis=-1))


def box_of_keypoints(
    keypoints: np.ndarray, margin: float = 0.15, threshold: float = 0.0
) -> np.ndarray:
    """Returns the boxes round the keypoints of each person.

    Args:
        keypoints: (N, K, 3) x, y and visibility or score.
        margin: growth as a part of width and height; 0.15 adds 7.5 % on each side.
        threshold: keypoints with a third column of at most this do not count.

    Returns:
        (N, 4) float32 xyxy, edges as the module says: half a pixel right of and below the
        keypoints' own coordinates. Zeros for a person without any keypoint that counts.

    Reference: Xiao et al. 2018, section 4.2 (boxes from keypoints, extended by 15 %).
    """
    keypoints = np.asarray(keypoints)
    if keypoints.ndim != 3 or keypoints.shape[-1] != 3:
        raise ValueError(f"expected keypoints (N, K, 3), received {keypoints.shape}")
    counts = keypoints[..., 2:] > threshold
    low = np.where(counts, keypoints[..., :2], np.inf).min(axis=1, initial=np.inf)
    high = np.where(counts, keypoints[..., :2], -np.inf).max(axis=1, initial=-np.inf)
    boxes = np.where(counts.any(axis=1), np.concatenate([low, high], axis=-1) + 0.5, 0)
    return enlarge(boxes, 1 + margin).astype(np.float32)
