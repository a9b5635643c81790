"""Official COCO numbers of person boxes in memory; of files see `coco_files`."""

import dataclasses
from pathlib import Path

import numpy as np

from posekit.boxes import xyxy_to_xywh
from posekit.detections import Detections
from posekit.metrics.coco import CocoMetric, EvaluationError
from posekit.metrics.coco_scores import CocoScores
from posekit.metrics.coco_truth import CocoTruth, read_truth


def evaluate_detections(truth: CocoTruth, detections: Detections) -> CocoScores:
    """Evaluates person boxes on all images of the ground truth.

    Args:
        truth: the ground truth.
        detections: boxes on other images are left out and counted.

    Returns:
        As `coco_files.evaluate_files` of kind "bbox" on a results file of these boxes.
    """
    metric = CocoMetric(truth, "bbox")
    for image_id in truth.image_ids.tolist():
        boxes, scores = detections.of_image(image_id)
        metric.update(image_id, scores, xyxy_to_xywh(boxes))
    scores = metric.result()
    unknown = ~np.isin(detections.image_ids, truth.image_ids)
    unknown_images = len(np.unique(detections.image_ids[unknown]))
    read = len(detections) + sum(detections.dropped.values())
    counts = {"unknown_image": int(unknown.sum()), **detections.dropped}
    return dataclasses.replace(
        scores,
        images=scores.images | {"unknown": unknown_images},
        results=scores.results | {"read": read} | counts,
    )


def read_box_truth(path: str | Path) -> CocoTruth:
    """Reads a ground-truth file to evaluate boxes with.

    Raises:
        EvaluationError: naming the file and what in it is wrong.
    """
    try:
        return read_truth(path)
    except (ValueError, OSError) as error:
        raise EvaluationError(str(error)) from error
