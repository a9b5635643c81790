"""Keypoint peaks and person mask on held-out images, before any grouping."""

import functools
import itertools
import json
import math
from pathlib import Path

import cv2
import keras
import numpy as np

from multiposenet.input_pipeline import KeypointSamples
from multiposenet.keypoint_subnet import STRIDE
from posekit import affine, draw, heatmaps
from posekit.atomic_files import write_file
from posekit.datasets.read_ahead import example_batches
from posekit.losses import heatmap_loss
from posekit.metrics.peaks import PeakMetric

PEAK_THRESHOLD = 0.05
"""Least heatmap value of a peak that enters the curve."""
MAX_PEAKS = 30
"""Most peaks of one keypoint type in an image."""
MASK_THRESHOLD = 0.5
"""Least mask value of a person cell."""


def predict_maps(model: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
    """Runs images (B, H, W, 3) uint8: "heatmaps" (B, h, w, K), "mask" (B, h, w, 1)."""
    outputs = _compiled(model)(images)
    return {name: np.asarray(outputs[name], np.float32) for name in ("heatmaps", "mask")}


def evaluate_peaks(
    model: keras.Model,
    samples: KeypointSamples,
    num_images: int,
    batch_size: int = 8,
    mask_weight: float = 1.0,
) -> dict[str, float]:
    """Measures peaks, mask and loss on the first `num_images` of the held-out images.

    Args:
        model: with outputs "heatmaps" and "mask".
        samples: of the held-out split; whole images are used, without augmentation.
        num_images: how many; all when the split has fewer.
        batch_size: images through the network at once.
        mask_weight: of the loss.

    Returns:
        val_loss: loss of the final maps.
        recall, peak_ap, score_at, mask_iou: see `PeakMetric.result`.
        images, skipped: evaluated, and left out because the file is damaged.
    """
    metric = PeakMetric(samples.dataset.skeleton.sigmas)
    count = min(num_images, len(samples.dataset))
    losses = []
    for examples in example_batches(samples, count, batch_size):
        outputs = predict_maps(model, np.stack([example["image"] for example in examples]))
        losses.append(_losses(samples, examples, outputs, mask_weight))
        for i, example in enumerate(examples):
            peaks = find_peaks(outputs["heatmaps"][i])
            masks = example["ignore_mask"], STRIDE
            metric.update_peaks(peaks, example["keypoints"], example["areas"], *masks)
            predicted = outputs["mask"][i, :, :, 0] > MASK_THRESHOLD
            metric.update_mask(predicted, example["person_mask"], ~example["unknown_mask"])
    losses = np.concatenate([np.zeros(0), *losses])
    counts = {"images": len(losses), "skipped": count - len(losses)}
    return {"val_loss": float(losses.sum() / max(len(losses), 1))} | metric.result() | counts


def find_peaks(maps: np.ndarray) -> np.ndarray:
    """Peaks of (h, w, K) heatmaps: (K, P, 3) x, y in network pixels, score; padded with 0."""
    return heatmaps.find_peaks(maps, STRIDE, PEAK_THRESHOLD, MAX_PEAKS)


def draw_predictions(
    model: keras.Model, samples: KeypointSamples, num_images: int = 4, score: float = 0.3
) -> np.ndarray:
    """Draws held-out images in rows: ground truth, predicted peaks and mask, predicted heatmaps.

    Args:
        model: with outputs "heatmaps" and "mask".
        samples: of the held-out split.
        num_images: rows; the first images of the split.
        score: least score of a peak that is drawn.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    skeleton = samples.dataset.skeleton
    zoom = math.ceil(400 / samples.size[0])
    found = itertools.chain.from_iterable(
        example_batches(samples, len(samples.dataset), num_images)
    )
    examples = list(itertools.islice(found, num_images))
    if not examples:
        return np.full((*samples.size, 3), 255, np.uint8)
    outputs = predict_maps(model, np.stack([example["image"] for example in examples]))
    middle = affine.translation((zoom - 1) / 2, (zoom - 1) / 2)
    rows = []
    for i, example in enumerate(examples):
        maps, mask = outputs["heatmaps"][i], outputs["mask"][i, :, :, 0] > MASK_THRESHOLD
        peaks = find_peaks(maps).transpose(1, 0, 2)
        peaks = np.where(peaks[..., 2:] >= score, peaks, 0)
        image = cv2.resize(example["image"], None, fx=zoom, fy=zoom)
        truth = draw.overlay_mask(image, _enlarged(example["person_mask"], image))
        found = draw.overlay_mask(image, _enlarged(mask, image))
        points = [  # cv2.resize lays the outer edges on each other
            affine.transform_points(xyv, affine.compose(affine.scaling(zoom), middle))
            for xyv in (example["keypoints"], peaks)
        ]
        rows.append(draw.draw_keypoints(truth, points[0], skeleton, limbs=True))
        rows.append(draw.draw_keypoints(found, points[1], skeleton))
        rows.append(draw.overlay_heatmaps(image, maps))
    return draw.tile(rows, columns=3)


def write_metrics(path: Path, metrics: dict[str, float], protocol: dict) -> None:
    """Writes the figures together with what they were measured on."""
    text = json.dumps({"metrics": metrics, "protocol": protocol}, indent=2, allow_nan=False)
    write_file(path, text + "\n")


def _enlarged(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    size = image.shape[1::-1]
    return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)


@functools.lru_cache(maxsize=2)
def _compiled(model: keras.Model):
    # Not model.predict: under several workers it waits for all, and only the chief evaluates.
    import tensorflow as tf

    images = tf.TensorSpec((None, None, None, 3), tf.uint8)
    return tf.function(lambda x: model(x, training=False), input_signature=[images])


def _losses(samples, examples, outputs, mask_weight) -> np.ndarray:
    targets, weights = zip(*map(samples.targets, examples), strict=True)
    targets, weights = _stack(targets), _stack(weights)
    terms = heatmap_loss(outputs, targets, weights, mask_weight)
    return np.asarray(sum(np.asarray(term) for term in terms.values()))


def _stack(dicts) -> dict[str, np.ndarray]:
    return {name: np.stack([one[name] for one in dicts]) for name in dicts[0]}
