"""Evaluates a top-down model on a COCO folder, with the ground truth's boxes or a file's."""

import contextlib
import dataclasses
from pathlib import Path

import numpy as np

from posekit.boxes import xyxy_to_xywh
from posekit.datasets.coco import CocoDataset, load_coco
from posekit.datasets.rejected import write_rejected
from posekit.detections import Detections, read_detections
from posekit.json_lists import json_list
from posekit.metrics.coco import CocoMetric, EvaluationError
from posekit.metrics.coco_truth import CocoTruth, read_truth, shown
from posekit.metrics.evaluation_outputs import (
    PICTURES,
    SHOWN,
    draw_people,
    true_poses,
    write_sheet,
)
from posekit.metrics.evaluation_report import show_progress
from posekit.poses import Poses
from posekit.skeletons import Skeleton
from topdown.combination import Combination
from topdown.evaluate_options import TRUTH, TopDownEvaluation
from topdown.evaluation import (
    BoxedImages,
    Boxes,
    detected_boxes,
    predicted_images,
    truth_boxes,
    update,
)
from topdown.evaluation_report import TopDownScores, protocol_of
from topdown.prediction import TopDownPredictor, load_topdown, with_reading
from topdown.settings import settings_of


def evaluate_model(options: TopDownEvaluation) -> TopDownScores:
    """Runs the model that the options name and evaluates it; writes what they ask for.

    Raises:
        ModelError, DatasetError, DetectionsError, EvaluationError: a file that cannot be used.
        OSError: a file cannot be written.
    """
    dataset = load_coco(options.data, options.split)
    predictor = make_predictor(options, dataset.skeleton)
    truth = _truth(dataset, predictor.skeleton)
    if options.images is not None:
        dataset = dataset.subset(np.arange(min(options.images, len(dataset))))
    detections = None
    if options.boxes not in TRUTH:
        detections = read_detections(options.boxes)
        check_images(detections, truth, Path(options.boxes))
    boxes = truth_boxes(dataset)
    if detections is not None:
        boxes = detected_boxes(dataset, detections)
    with contextlib.ExitStack() as stack:
        entries = None
        if options.write:
            options.write.mkdir(exist_ok=True)
            entries = stack.enter_context(json_list(options.write / "keypoints.json"))
        draw = bool(options.picture)
        scores, sheet = evaluate(
            predictor, dataset, boxes, truth, entries, draw, options.batch_size
        )
    if options.write:
        write_rejected(options.write / "rejected.jsonl", scores.damaged)
    if sheet:
        write_sheet(options.picture, sheet)
    if detections is None:
        scores = dataclasses.replace(scores, boxes=None)
    protocol = protocol_of(options, predictor, detections, truth, scores)
    return dataclasses.replace(scores, protocol=protocol)


def make_predictor(options: TopDownEvaluation, skeleton: Skeleton) -> TopDownPredictor:
    """Loads the model; a combination of heads gives poses of `skeleton`, the data's.

    Raises:
        ModelError: naming the file and what was expected.
        CombinationError: heads that it does not have.
    """
    model = load_topdown(options.models[0])
    names = ("offset", "box_threshold", "keypoint_threshold", "oks_threshold")
    changes = {name: getattr(options, name) for name in names}
    changes = {name: value for name, value in changes.items() if value is not None}
    if options.blur_sigma is not None:
        changes["blur_sigma"] = options.blur_sigma or None
    if not options.shift:
        changes["shift"] = False
    reading = with_reading(model, **changes)
    if not options.combined:
        domain = options.domain[0] if options.domain else None
        return TopDownPredictor(model, options.flip, domain, reading)
    domains = options.domain
    if not (domains or options.combination):
        domains = tuple(settings_of(model).domains)[:1]
    kind = options.combination or "first"
    combination = Combination(kind, domains, skeleton, options.head)
    return TopDownPredictor(model, options.flip, reading=reading, combination=combination)


def evaluate(
    predictor,
    dataset: CocoDataset,
    boxes: Boxes,
    truth: CocoTruth,
    entries=None,
    draw: bool = False,
    batch_size: int = 16,
) -> tuple[TopDownScores, list[np.ndarray]]:
    """Evaluates image by image; memory does not grow with the number of images.

    Args:
        predictor: with `skeleton` and `predict(images, boxes, scores)`.
        dataset: images that are evaluated; others of the truth are skipped.
        boxes: of its images.
        truth: of its annotation file.
        entries: list that gets the results, as COCO's files have them.
        draw: whether pictures are wanted.
        batch_size: images read ahead.

    Returns:
        scores: without protocol.
        pictures: of the first images: truth, prediction, truth, prediction, ...
    """
    metric, box_metric = CocoMetric(truth, "keypoints"), CocoMetric(truth, "bbox")
    images = BoxedImages(dataset, boxes)
    pictures: list[np.ndarray] = []
    for done, (example, poses) in enumerate(predicted_images(predictor, images, batch_size), 1):
        image_id = example["image_id"]
        for entry in update(metric, image_id, poses):
            if entries is not None:
                entries.append(entry)
        box_metric.update(image_id, example["scores"], xyxy_to_xywh(example["boxes"]))
        if draw and len(pictures) < 2 * PICTURES:
            pictures += draw_pair(dataset, example["index"], poses)
        show_progress(done, len(dataset))
    results = metric.result(), box_metric.result()
    return TopDownScores(*results, images.rejected.entries(), {}), pictures


def draw_pair(dataset: CocoDataset, index: int, poses: Poses) -> list[np.ndarray]:
    """Draws one image twice: the truth, and the people found with a score of at least `SHOWN`."""
    image, people = dataset.image(index), dataset.annotations(index)
    truth = true_poses(people["keypoints"], people["boxes"], dataset.skeleton)
    return [draw_people(image, truth), draw_people(image, poses.select(poses.scores >= SHOWN))]


def check_images(detections: Detections, truth: CocoTruth, path: Path) -> None:
    """Refuses boxes of which none is on an image of the ground truth.

    Raises:
        EvaluationError: naming some ids of both.
    """
    if len(detections) and not np.isin(detections.image_ids, truth.image_ids).any():
        raise EvaluationError(
            f"{path}: expected boxes on images of the ground truth, whose ids are "
            f"{shown(truth.image_ids.tolist())}, received only boxes on others, with the ids "
            f"{shown(detections.images)}; give the file that was made for this data, or write its "
            "ids"
        )


def _truth(dataset: CocoDataset, skeleton: Skeleton) -> CocoTruth:
    path = dataset.annotation_file
    try:
        truth = read_truth(path)
    except (ValueError, OSError) as error:
        raise EvaluationError(str(error)) from error
    names = truth.skeleton.names if truth.skeleton else ()
    if not set(names) & set(skeleton.names):
        raise EvaluationError(
            f"{path}: expected some of the model's keypoints, {', '.join(skeleton.names)}, "
            f"received {', '.join(names) or 'none'}"
        )
    return truth
