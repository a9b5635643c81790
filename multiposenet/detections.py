"""From the detector's outputs to person boxes, inside a TensorFlow graph."""

import tensorflow as tf
from keras import ops

from multiposenet.anchors import decode_boxes, make_anchors

SCORE_THRESHOLD = 0.05
"""Least score of a box that is kept."""
NMS_THRESHOLD = 0.3
"""Boxes that overlap a better one by a greater IoU are dropped (the paper's)."""
MAX_BOXES = 100
"""Most boxes of an image; COCO's evaluation counts no more."""


def detect(
    class_logits: tf.Tensor,
    box_deltas: tf.Tensor,
    size,
    score_threshold: float = SCORE_THRESHOLD,
    nms_threshold: float = NMS_THRESHOLD,
    max_boxes: int = MAX_BOXES,
) -> dict[str, tf.Tensor]:
    """Decodes all anchors and keeps the best boxes that do not overlap.

    Args:
        class_logits: (B, A, 1).
        box_deltas: (B, A, 4), divided by `anchors.DELTA_SCALE`.
        size: network input (height, width) in pixels; ints or scalar tensors.
        score_threshold: see `suppress`.
        nms_threshold: as there.
        max_boxes: as there.

    Returns:
        See `suppress`.
    """
    boxes = boxes_of_anchors(box_deltas, size)
    scores = tf.sigmoid(tf.cast(class_logits, tf.float32))
    return suppress(boxes, scores, score_threshold, nms_threshold, max_boxes)


def boxes_of_anchors(box_deltas: tf.Tensor, size) -> tf.Tensor:
    """Decodes (B, A, 4) deltas to (B, A, 4) float32 xyxy within the input of `size`, pixels."""
    boxes = decode_boxes(make_anchors(size, ops), tf.cast(box_deltas, tf.float32), ops)
    height, width = (tf.cast(length, tf.float32) for length in size)
    return tf.clip_by_value(boxes, 0.0, tf.stack([width, height, width, height]))


def suppress(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    score_threshold: float = SCORE_THRESHOLD,
    nms_threshold: float = NMS_THRESHOLD,
    max_boxes: int = MAX_BOXES,
) -> dict[str, tf.Tensor]:
    """Keeps the best boxes that do not overlap (non-maximum suppression).

    Args:
        boxes: (B, A, 4) xyxy.
        scores: (B, A, 1) in [0, 1].
        score_threshold: least score.
        nms_threshold: greatest IoU of two boxes that are both kept.
        max_boxes: M.

    Returns:
        boxes: (B, M, 4) float32 xyxy; best first, then zeros.
        scores: (B, M) float32, descending; 0 where there is no box.
        num: (B,) int32 number of boxes.
    """
    # The operation speaks of y1, x1, y2, x2; overlaps are the same with both pairs exchanged.
    kept = tf.image.combined_non_max_suppression(
        boxes[:, :, None],
        scores,
        max_output_size_per_class=max_boxes,
        max_total_size=max_boxes,
        iou_threshold=nms_threshold,
        score_threshold=score_threshold,
        clip_boxes=False,
    )
    return {
        "boxes": kept.nmsed_boxes,
        "scores": kept.nmsed_scores,
        "num": kept.valid_detections,
    }
