"""SSD's person boxes on held-out images: loss, COCO's and VOC's box AP, pictures."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from posekit import affine
from posekit.boxes import xyxy_to_xywh
from posekit.datasets.coco import CocoDataset
from posekit.datasets.posetrack import PoseTrackDataset
from posekit.datasets.read_ahead import example_batches
from posekit.detections import Detections
from posekit.draw_boxes import draw_boxes_in_rows
from posekit.metrics.coco import CocoMetric
from posekit.metrics.coco_truth import CocoTruth
from posekit.metrics.dataset_truth import truth_of
from posekit.metrics.voc_boxes import truths_of_coco, voc_average_precision
from topdown.ssd_detections import compile_detection
from topdown.ssd_loss import ssd_loss
from topdown.ssd_pipeline import SsdSamples

FIGURES = {"AP": "person_ap", "AP50": "person_ap50", "AP75": "person_ap75", "AR100": "person_ar"}
"""COCO's name -> ours."""
CONFIDENCES = (0.15, 0.3, 0.5)
"""Least scores in scut_samsung, tables 1 to 4."""


def evaluate_ssd(
    model: keras.Model,
    samples: SsdSamples,
    num_images: int,
    confidences: Sequence[float] = CONFIDENCES,
    batch_size: int = 8,
) -> dict[str, float]:
    """Measures loss and box AP of people on the first `num_images` of the held-out images.

    Args:
        model: an SSD; its own thresholds are used.
        samples: of the held-out split; whole images are used, without augmentation.
        num_images: how many; all when the split has fewer.
        confidences: least scores of the boxes of which VOC's AP is given.
        batch_size: images through the network at once.

    Returns:
        val_loss: both losses together.
        person_ap, person_ap50, person_ap75, person_ar: COCO's figures of boxes on these images, at
            most 100 an image; 0 where nobody is annotated.
        voc_ap_15, voc_ap_30, ...: VOC's AP at IoU 0.5 (area under the curve) of the boxes with at
            least this score in hundredths, one for each of `confidences`.
        images, skipped: evaluated, and left out because the file is damaged.
    """
    count = min(num_images, len(samples.dataset))
    run, losses, found = compile_detection(model), [np.zeros(0)], []
    for examples in example_batches(samples, count, batch_size):
        outputs = _run(run, examples)
        losses.append(_losses(samples, examples, outputs))
        for row, example in enumerate(examples):
            boxes = boxes_in_image(outputs, row, example["transform"])
            found.append((int(example["image_id"]), *boxes))
    losses = np.concatenate(losses)
    truth = truth_with_ignored(samples.dataset)
    return {
        "val_loss": float(losses.sum() / max(len(losses), 1)),
        **_coco_figures(truth, found),
        **_voc_figures(truth, found, confidences),
        "images": len(losses),
        "skipped": count - len(losses),
    }


def truth_with_ignored(dataset: CocoDataset) -> CocoTruth:
    """Returns the people of `truth_of`, with PoseTrack's ignore regions as further crowds.

    So boxes inside of them are not counted, neither by COCO's rules nor by ours of VOC.
    """
    truth = truth_of(dataset)
    if not isinstance(dataset, PoseTrackDataset):
        return truth
    order = np.argsort(dataset.image_ids, kind="stable")
    regions = [dataset.ignored_boxes(int(i)) for i in order]
    counts = [len(boxes) for boxes in regions]
    boxes = xyxy_to_xywh(np.concatenate([np.zeros((0, 4)), *regions]))
    at = np.repeat(truth.first[1:], counts)  # behind the people of the image
    return dataclasses.replace(
        truth,
        first=truth.first + np.cumsum([0, *counts]),
        boxes_xywh=np.insert(truth.boxes_xywh, at, boxes, axis=0),
        areas=np.insert(truth.areas, at, boxes[:, 2] * boxes[:, 3]),
        is_crowd=np.insert(truth.is_crowd, at, True),
        keypoints=np.insert(truth.keypoints, at, 0, axis=0),
        num_labelled=np.insert(truth.num_labelled, at, 0),
    )


def boxes_in_image(
    outputs: dict[str, np.ndarray], row: int, transform: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Brings the boxes of one image of a batch back into its own pixels.

    Args:
        outputs: of `ssd_detections.compile_detection`.
        row: of the image in the batch.
        transform: (2, 3), image pixels -> network pixels.

    Returns:
        boxes: (N, 4) float32 xyxy, edges as in COCO files.
        scores: (N,) float32.
    """
    num = int(outputs["num"][row])
    boxes = affine.transform_boxes(outputs["boxes"][row, :num], affine.invert(transform))
    return boxes, outputs["scores"][row, :num]


def draw_boxes(
    model: keras.Model, samples: SsdSamples, num_images: int = 4, score: float = 0.3
) -> np.ndarray:
    """Draws held-out images in rows: ground truth, predicted boxes with their scores.

    Args:
        model: an SSD.
        samples: of the held-out split.
        num_images: rows; the first images of the split.
        score: least score of a box that is drawn.

    Returns:
        (H, W, 3) uint8 RGB; stretched as the network sees them.
    """
    examples = next(example_batches(samples, len(samples.dataset), num_images), [])
    if not examples:
        return np.full((samples.size, samples.size, 3), 255, np.uint8)
    outputs = _run(compile_detection(model), examples)
    return draw_boxes_in_rows(examples, outputs, samples.dataset.skeleton, score)


def _run(run, examples: list[dict]) -> dict[str, np.ndarray]:
    images = np.stack([example["image"] for example in examples])
    return {name: np.asarray(value) for name, value in run(images).items()}


def _losses(samples: SsdSamples, examples: list[dict], outputs: dict) -> np.ndarray:
    pairs = [samples.targets(example) for example in examples]
    targets, weights = (
        {name: np.stack([one[name] for one in dicts]) for name in dicts[0]}
        for dicts in zip(*pairs, strict=True)
    )
    terms = ssd_loss(outputs, targets, weights)
    return np.asarray(sum(np.asarray(term) for term in terms.values()))


def _coco_figures(truth: CocoTruth, found: list[tuple]) -> dict[str, float]:
    metric = CocoMetric(truth, "bbox")
    for image_id, boxes, scores in found:
        metric.update(image_id, scores, xyxy_to_xywh(boxes))
    figures = metric.result().metrics if found else {}
    return {name: float(figures.get(official) or 0) for official, name in FIGURES.items()}


def _voc_figures(
    truth: CocoTruth, found: list[tuple], confidences: Sequence[float]
) -> dict[str, float]:
    truths = truths_of_coco(truth)
    ids = [image_id for image_id, _, _ in found]
    numbers = np.repeat(np.array(ids, np.int64), [len(scores) for _, _, scores in found])
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(boxes for _, boxes, _ in found)])
    scores = np.concatenate([np.zeros(0, np.float32), *(scores for _, _, scores in found)])
    detections, kept = Detections(numbers, boxes, scores), {i: truths[i] for i in ids}
    figures = {}
    for least in confidences:
        result = voc_average_precision(kept, detections, confidence=least)
        figures[f"voc_ap_{round(100 * least)}"] = result.every_point or 0.0
    return figures
