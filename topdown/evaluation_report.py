"""The figures of a top-down model: as one JSON object, for reading, with how they were measured."""

import dataclasses
from pathlib import Path

import numpy as np

from posekit.detections import Detections
from posekit.metrics import coco_report
from posekit.metrics.coco_scores import CocoScores
from posekit.metrics.coco_truth import CocoTruth
from posekit.metrics.evaluation_report import damaged_text, protocol_text
from topdown.evaluate_options import TopDownEvaluation
from topdown.prediction import TopDownPredictor


@dataclasses.dataclass(frozen=True)
class TopDownScores:
    """The figures of a model, and what they were computed from.

    Args:
        keypoints: official numbers of poses.
        boxes: official numbers of the boxes of a file, on the same images; None: the truth's.
        damaged: images that cannot be read, {"path": file name, "reason", "count"}; not evaluated.
        protocol: how it was measured.
    """

    keypoints: CocoScores
    boxes: CocoScores | None
    damaged: list[dict]
    protocol: dict[str, object]


def protocol_of(
    options: TopDownEvaluation,
    predictor: TopDownPredictor,
    detections: Detections | None,
    truth: CocoTruth,
    scores: TopDownScores,
) -> dict[str, object]:
    """Says how a model was evaluated, in values that JSON has."""
    settings, combination = predictor.settings, predictor.reader.combination
    names = predictor.reader.found_names
    lacking = [name for name in truth.skeleton.names if name not in names]
    protocol = {
        "model": options.models[0].name,
        "parameters": predictor.model.count_params(),
        "data": options.data.resolve().name,
        "split": options.split,
        "boxes": "ground truth, people with labelled keypoints",
        "flip": options.flip,
        "skeleton": predictor.skeleton.name,
        "heads": list(combination.domains),
        "combination": combination.kind if options.combined else "none",
        "interpolated_head": options.head,
        "keypoints_without_prediction": lacking,
        "size": list(settings.size),
        "crop": dataclasses.asdict(settings.crop) | {"extension": list(settings.crop.extension)},
        "reading": dataclasses.asdict(predictor.reading),
    }
    if detections is None:
        return protocol
    unknown = int((~np.isin(detections.image_ids, truth.image_ids)).sum())
    counts = {"boxes": scores.boxes.results["read"], "boxes_on_other_images": unknown}
    dropped = {f"boxes_{name}": count for name, count in detections.dropped.items()}
    own = {"boxes_person_AP": scores.boxes.metrics["AP"]}
    return protocol | {"boxes": Path(options.boxes).name, "box_counts": counts | dropped} | own


def to_json(scores: TopDownScores) -> dict[str, object]:
    """Returns one object of Python numbers.

    Returns:
        `keypoints` and, of boxes from a file, `boxes` as `coco_report.to_json`, `images` (counts),
        `damaged` and `protocol`.
    """
    return {
        "keypoints": coco_report.to_json(scores.keypoints),
        "boxes": scores.boxes and coco_report.to_json(scores.boxes),
        "images": scores.keypoints.images | {"damaged": len(scores.damaged)},
        "damaged": scores.damaged,
        "protocol": scores.protocol,
    }


def to_text(scores: TopDownScores) -> str:
    """Returns protocol, counts and tables, for reading."""
    parts = [part for part in (scores.keypoints, scores.boxes) if part]
    return "\n\n".join([protocol_text(scores.protocol), *map(coco_report.to_text, parts)])


def warnings_of(scores: TopDownScores) -> list[str]:
    """Returns what a reader of the numbers alone would not guess, a line each."""
    found = damaged_text(scores.damaged)
    found += [f"keypoints: {line}" for line in coco_report.warnings_of(scores.keypoints)]
    protocol = scores.protocol
    if lacking := protocol["keypoints_without_prediction"]:
        found.append(f"keypoints: the model does not have {', '.join(lacking)}; they are missed")
    if scores.boxes is None:
        return found
    images = scores.boxes.images
    if without := images["evaluated"] - images["predicted"]:
        found.append(f"boxes: images without any in {protocol['boxes']}: {without}")
    if other := protocol["box_counts"]["boxes_on_other_images"]:
        found.append(f"boxes: left out, on images outside of the ground truth: {other}")
    return found
