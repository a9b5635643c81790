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
        score_threshold: least score.
        nms_threshold: greatest IoU of two boxes that are both kept.
        max_boxes: M.

    Returns:
        boxes: (B, M, 4) float32 xyxy in network pixels, within the input; best first, then zeros.
        scores: (B, M) float32 in [0, 1], descending; 0 where there is no box.
        num: (B,) int32 number of boxes.
    """
    anchors = make_anchors(size, ops)
    boxes = decode_boxes(anchors, tf.cast(box_deltas, tf.float32), ops)
    height, width = (tf.cast(length, tf.float32) for length in size)
    boxes = tf.clip_by_value(boxes, 0.0, tf.stack([width, height, width, height]))
    # The operation speaks of y1, x1, y2, x2; overlaps are the same with both pairs exchanged.
    kept = tf.image.combined_non_max_suppression(
        boxes[:, :, None],
        tf.sigmoid(tf.cast(class_logits, tf.float32)),
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
