"""Person boxes on held-out images: loss, COCO's box AP, pictures."""

import functools
from pathlib import Path

import keras
import numpy as np

from multiposenet.detections import NMS_THRESHOLD, detect
from multiposenet.detector_pipeline import DetectorSamples
from posekit import affine
from posekit.boxes import xyxy_to_xywh
from posekit.datasets.read_ahead import example_batches
from posekit.draw_boxes import draw_boxes_in_rows
from posekit.losses import detection_loss
from posekit.metrics.coco import CocoMetric
from posekit.metrics.coco_truth import CocoTruth, read_truth

FIGURES = {"AP": "person_ap", "AP50": "person_ap50", "AP75": "person_ap75", "AR100": "person_ar"}
"""COCO's name -> ours."""


def predict_boxes(
    model: keras.Model, images: np.ndarray, nms_threshold: float = NMS_THRESHOLD
) -> dict[str, np.ndarray]:
    """Runs the network: images (B, H, W, 3) uint8 -> its outputs and those of `detect`."""
    outputs = _compiled(model, nms_threshold)(images)
    return {name: np.asarray(value) for name, value in outputs.items()}


def evaluate_boxes(
    model: keras.Model,
    samples: DetectorSamples,
    num_images: int,
    batch_size: int = 8,
    nms_threshold: float = NMS_THRESHOLD,
) -> dict[str, float]:
    """Measures loss and box AP of people on the first `num_images` of the held-out images.

    Args:
        model: with outputs "class_logits" and "box_deltas".
        samples: of the held-out split; whole images are used, without augmentation.
        num_images: how many; all when the split has fewer.
        batch_size: images through the network at once.
        nms_threshold: greatest IoU of two boxes that are both kept.

    Returns:
        val_loss: both losses together.
        person_ap, person_ap50, person_ap75, person_ar: COCO's figures of boxes on these images, at
            most 100 an image; 0 where nobody is annotated.
        images, skipped: evaluated, and left out because the file is damaged.
    """
    count = min(num_images, len(samples.dataset))
    metric = CocoMetric(_truth(samples.dataset.annotation_file), "bbox")
    losses = []
    for examples in example_batches(samples, count, batch_size):
        outputs = predict_boxes(model, _stack(examples, "image"), nms_threshold)
        losses.append(_losses(samples, examples, outputs))
        for row, example in enumerate(examples):
            boxes, scores = boxes_in_image(outputs, row, example["transform"])
            metric.update(int(example["image_id"]), scores, xyxy_to_xywh(boxes))
    losses = np.concatenate([np.zeros(0), *losses])
    figures = metric.result().metrics if len(losses) else {}
    return {
        "val_loss": float(losses.sum() / max(len(losses), 1)),
        **{name: float(figures.get(official) or 0) for official, name in FIGURES.items()},
        "images": len(losses),
        "skipped": count - len(losses),
    }


def boxes_in_image(
    outputs: dict[str, np.ndarray], row: int, transform: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Brings the boxes of one image of a batch back into its own pixels.

    Args:
        outputs: of `predict_boxes`.
        row: of the image in the batch.
        transform: (2, 3), image pixels -> network pixels.

    Returns:
        boxes: (N, 4) float32 xyxy, edges as in COCO files; not clipped to the image.
        scores: (N,) float32.
    """
    num = outputs["num"][row]
    boxes = affine.transform_boxes(outputs["boxes"][row, :num], affine.invert(transform))
    return boxes, outputs["scores"][row, :num]


def draw_boxes(
    model: keras.Model,
    samples: DetectorSamples,
    num_images: int = 4,
    score: float = 0.3,
    nms_threshold: float = NMS_THRESHOLD,
) -> np.ndarray:
    """Draws held-out images in rows: ground truth, predicted boxes with their scores.

    Args:
        model: with outputs "class_logits" and "box_deltas".
        samples: of the held-out split.
        num_images: rows; the first images of the split.
        score: least score of a box that is drawn.
        nms_threshold: greatest IoU of two boxes that are both kept.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    examples = next(example_batches(samples, len(samples.dataset), num_images), [])
    if not examples:
        return np.full((*samples.size, 3), 255, np.uint8)
    outputs = predict_boxes(model, _stack(examples, "image"), nms_threshold)
    return draw_boxes_in_rows(examples, outputs, samples.dataset.skeleton, score)


@functools.lru_cache(maxsize=2)
def _compiled(model: keras.Model, nms_threshold: float):
    # Not model.predict: with several workers it waits for all, and only the chief evaluates.
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    def run(images):
        outputs = model(images, training=False)
        size = tf.shape(images)[1], tf.shape(images)[2]
        return outputs | detect(**outputs, size=size, nms_threshold=nms_threshold)

    return run


@functools.lru_cache(maxsize=2)
def _truth(path: Path) -> CocoTruth:
    return read_truth(path)


def _losses(samples: DetectorSamples, examples: list[dict], outputs: dict) -> np.ndarray:
    pairs = [samples.targets(example) for example in examples]
    targets, weights = (
        {name: _stack(dicts, name) for name in dicts[0]} for dicts in zip(*pairs, strict=True)
    )
    terms = detection_loss(outputs, targets, weights)
    return np.asarray(sum(np.asarray(term) for term in terms.values()))


def _stack(dicts: list[dict], name: str) -> np.ndarray:
    return np.stack([one[name] for one in dicts])
