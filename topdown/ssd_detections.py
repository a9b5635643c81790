"""From SSD's outputs to person boxes, inside a TensorFlow graph."""

import functools

import keras
import tensorflow as tf
from keras import ops

from topdown.default_boxes import decode_boxes, make_default_boxes
from topdown.ssd_settings import SsdSettings, ssd_settings


def detect(outputs: dict[str, tf.Tensor], settings: SsdSettings) -> dict[str, tf.Tensor]:
    """Decodes all default boxes and keeps the best that do not overlap.

    Args:
        outputs: class_logits (B, A, 2) of background and person, box_deltas (B, A, 4).
        settings: default boxes and thresholds.

    Returns:
        boxes: (B, M, 4) float32 xyxy in pixels of the input, clipped to it; best first, then zeros.
        scores: (B, M) float32 probability of a person, descending; 0 where there is no box.
        num: (B,) int32 number of boxes.

    Reference: Liu et al. 2016 (SSD), section 3.7: score 0.01, NMS 0.45, 200 boxes.
    """
    defaults = make_default_boxes(settings.size, settings.scales)
    boxes = decode_boxes(defaults, tf.cast(outputs["box_deltas"], tf.float32), ops)
    boxes = tf.clip_by_value(boxes, 0.0, float(settings.size))
    scores = tf.nn.softmax(tf.cast(outputs["class_logits"], tf.float32))[..., 1:]
    # The operation speaks of y1, x1, y2, x2; overlaps are the same with both pairs exchanged.
    kept = tf.image.combined_non_max_suppression(
        boxes[:, :, None],
        scores,
        max_output_size_per_class=settings.max_boxes,
        max_total_size=settings.max_boxes,
        iou_threshold=settings.nms_threshold,
        score_threshold=settings.score_threshold,
        clip_boxes=False,
    )
    return {
        "boxes": kept.nmsed_boxes,
        "scores": kept.nmsed_scores,
        "num": kept.valid_detections,
    }


@functools.lru_cache(maxsize=2)
def compile_detection(model: keras.Model):
    """Compiles network and decoding into one function.

    Args:
        model: an SSD.

    Returns:
        images (B, size, size, 3) uint8 -> the model's outputs and those of `detect`.
    """
    settings = ssd_settings(model)
    images = tf.TensorSpec((None, settings.size, settings.size, 3), tf.uint8)

    # Not model.predict: with several workers it waits for all, and only the chief evaluates.
    @tf.function(input_signature=[images], autograph=False)
    def run(images):
        outputs = model(images, training=False)
        return outputs | detect(outputs, settings)

    return run
