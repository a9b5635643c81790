"""Evaluates a joined model on a COCO folder: keypoints, person boxes, person mask."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from multiposenet.evaluate_options import Evaluation
from multiposenet.evaluation_outputs import EvaluationOutputs, evaluation_outputs
from multiposenet.evaluation_report import mask_text, protocol_of_run
from multiposenet.grouping_rows import RowPredictor
from multiposenet.model import PRETRAINED, ModelError, load_multiposenet, pose_head
from multiposenet.prediction import Prediction, Predictor
from posekit.datasets.coco import CocoDataset, load_coco
from posekit.datasets.read_ahead import example_batches
from posekit.datasets.rejected import RejectedImages, write_rejected
from posekit.metrics import coco_report
from posekit.metrics.coco import CocoMetric, EvaluationError
from posekit.metrics.coco_scores import CocoScores
from posekit.metrics.coco_truth import CocoTruth, read_truth
from posekit.metrics.evaluation_outputs import box_results, keypoint_results
from posekit.metrics.evaluation_report import damaged_text, protocol_text, show_progress
from posekit.metrics.voc import PersonIoU
from posekit.npz_files import read_npz
from posekit.skeletons import Skeleton

Predict = Callable[[list[dict]], list[tuple[Prediction, np.ndarray | None]]]
"""Examples -> prediction and, where they are wanted, peaks (M, K, 3) of each."""


@dataclasses.dataclass(frozen=True)
class ModelScores:
    """The figures of a model, and what they were computed from.

    Args:
        keypoints: official numbers of poses; people without a keypoint are no results.
        boxes: official numbers of person boxes.
        mask: see `PersonIoU.result`.
        damaged: images that cannot be read, {"path": file name, "reason", "count"}; not evaluated.
        protocol: how it was measured.
    """

    keypoints: CocoScores
    boxes: CocoScores
    mask: dict[str, float | int | None]
    damaged: list[dict]
    protocol: dict[str, object]


def evaluate_model(options: Evaluation) -> ModelScores:
    """Runs the models that the options name and evaluates them; writes what they ask for.

    Raises:
        ModelError, DatasetError, EvaluationError: a file that cannot be used.
        OSError: a file cannot be written.
    """
    paths = options.models or (PRETRAINED,)
    models = [load_multiposenet(path) for path in paths]
    dataset = load_coco(options.data, options.split)
    if options.images is not None:
        dataset = dataset.subset(np.arange(min(options.images, len(dataset))))
    if options.exchanged:
        parts = options.keypoints, options.boxes, options.grouping
        predictor = RowPredictor(models[0], *parts, _prior(options.prior), options.rule)
        predict = predictor.predict
    else:
        predictor = Predictor(models, options.flip, options.scales)
        predict = _of_images(predictor)
    opened = evaluation_outputs(options.write, options.peaks, options.picture)
    with opened as outputs:
        scores = evaluate(predict, predictor.skeleton, dataset, outputs, options.batch_size)
    if options.write:
        write_rejected(options.write / "rejected.jsonl", scores.damaged)
    return dataclasses.replace(scores, protocol=protocol_of(options, predictor, models))


def evaluate(
    predict: Predict,
    skeleton: Skeleton,
    dataset: CocoDataset,
    outputs: EvaluationOutputs | None = None,
    batch_size: int = 4,
) -> ModelScores:
    """Evaluates predictions image by image; memory does not grow with the number of images.

    Args:
        predict: called with up to `batch_size` examples of `dataset`.
        skeleton: of the predictions.
        dataset: images that are evaluated; others of its annotation file are skipped.
        outputs: what else to make of the predictions.
        batch_size: images read ahead and predicted at once.

    Raises:
        EvaluationError: the data have other keypoints.
    """
    outputs = outputs or EvaluationOutputs()
    truth = _truth(dataset.annotation_file, skeleton)
    metrics = CocoMetric(truth, "keypoints"), CocoMetric(truth, "bbox")
    masks = PersonIoU()
    reader = _Reader(dataset)
    for examples in example_batches(reader, len(dataset), batch_size):
        found = predict(examples)
        for example, (prediction, peaks) in zip(examples, found, strict=True):
            entries = _update(metrics, example, prediction, truth.category_id)
            masks.update(prediction.mask, example["person_mask"], ~example["unknown_mask"])
            outputs.add(example, prediction, *entries)
            if peaks is not None:
                outputs.add_peaks(int(example["image_id"]), peaks, skeleton)
        show_progress(masks.result()["images"], len(dataset))
    keypoints, boxes = (metric.result() for metric in metrics)
    return ModelScores(keypoints, boxes, masks.result(), reader.rejected.entries(), {})


def protocol_of(options: Evaluation, predictor, models: list) -> dict[str, object]:
    """Says how a model was evaluated, in values that JSON has."""
    head = pose_head(models[0])
    thresholds = dataclasses.asdict(head.settings) | {"canvas": list(head.settings.canvas)}
    protocol = protocol_of_run(options, models) | {
        "skeleton": predictor.skeleton.name,
        "keypoints": options.keypoints,
        "boxes": options.boxes,
        "grouping": options.grouping,
        "settings": thresholds | {"rule": options.rule or head.settings.rule},
    }
    if not options.exchanged:
        protocol["oks_threshold"] = predictor.oks_threshold
    return protocol


def to_json(scores: ModelScores) -> dict[str, object]:
    """Returns one object of Python numbers.

    Returns:
        `keypoints` and `boxes` as `coco_report.to_json`, `mask_iou`, `mask` (see `PersonIoU`),
        `images` (counts), `damaged` and `protocol`.
    """
    return {
        "keypoints": coco_report.to_json(scores.keypoints),
        "boxes": coco_report.to_json(scores.boxes),
        "mask_iou": scores.mask["iou"],
        "mask": scores.mask,
        "images": scores.keypoints.images | {"damaged": len(scores.damaged)},
        "damaged": scores.damaged,
        "protocol": scores.protocol,
    }


def to_text(scores: ModelScores) -> str:
    """Returns protocol, counts and tables, for reading."""
    tables = [coco_report.to_text(part) for part in (scores.keypoints, scores.boxes)]
    return "\n\n".join([protocol_text(scores.protocol), *tables, mask_text(scores.mask)])


def warnings_of(scores: ModelScores) -> list[str]:
    """Returns what a reader of the numbers alone would not guess, a line each."""
    kinds = {"keypoints": scores.keypoints, "boxes": scores.boxes}
    return damaged_text(scores.damaged) + [
        f"{kind}: {warning}"
        for kind, part in kinds.items()
        for warning in coco_report.warnings_of(part)
    ]


class _Reader:
    """Examples of a data set; damaged images are collected."""

    def __init__(self, dataset: CocoDataset):
        self.example = dataset.example
        self.rejected = RejectedImages.of(dataset)


def _of_images(predictor: Predictor) -> Predict:
    def predict(examples):
        found = predictor.predict([example["image"] for example in examples])
        return [(prediction, None) for prediction in found]

    return predict


def _update(metrics, example: dict, prediction: Prediction, category_id: int) -> tuple:
    """Adds an image to both metrics by the very numbers that results files have."""
    image_id, poses = int(example["image_id"]), prediction.poses
    entries = (
        keypoint_results(poses, image_id, category_id),
        box_results(poses.boxes, prediction.box_scores, image_id, category_id),
    )
    shapes = (-1, poses.skeleton.num_keypoints, 3), (-1, 4)
    for metric, rows, shape in zip(metrics, entries, shapes, strict=True):
        values = [row[metric.kind] for row in rows]
        scores = [row["score"] for row in rows]
        metric.update(image_id, np.array(scores), np.array(values, np.float64).reshape(shape))
    return entries


def _truth(path: Path, skeleton: Skeleton) -> CocoTruth:
    try:
        truth = read_truth(path)
    except (ValueError, OSError) as error:
        raise EvaluationError(str(error)) from error
    names = truth.skeleton.names if truth.skeleton else ()
    if names != skeleton.names:
        raise EvaluationError(
            f"{path}: expected the keypoints of the model's skeleton {skeleton.name!r}, "
            f"{', '.join(skeleton.names)}, received {', '.join(names) or 'none'}"
        )
    return truth


def _prior(path: Path | None) -> np.ndarray | None:
    if path is None:
        return None
    try:
        return read_npz(path, ("prior",))["prior"]
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: expected prior.npz of a PRN's run, received: {error}") from error
