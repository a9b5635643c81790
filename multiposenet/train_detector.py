"""Trains the person detector from a recipe, on the frozen backbone of a keypoint run."""

import sys
from pathlib import Path

import keras
import numpy as np

from multiposenet.detection_subnet import backbone_of, detection_model
from multiposenet.detections import MAX_BOXES, SCORE_THRESHOLD
from multiposenet.detector_evaluation import draw_boxes, evaluate_boxes
from multiposenet.detector_pipeline import DetectorAugmentation, DetectorSamples
from multiposenet.detector_recipes import DetectorRecipe
from multiposenet.evaluation import write_metrics
from posekit.commands import UsageError
from posekit.loop.distribution import is_chief
from posekit.losses import detection_loss
from posekit.model_loading import load_model
from posekit.recipe_training import (
    fit_recipe,
    load_splits,
    plot_log,
    prepare_process,
    write_picture,
)


def train_detector(recipe: DetectorRecipe) -> int:
    """Trains the person detection subnet; resumes when its run folder holds a checkpoint.

    The run folder OUTPUT/NAME receives recipe.json, log.csv, checkpoints, last.keras, best.keras
    (outputs "class_logits" and "box_deltas"), curves.png, predictions.png and metrics.json.

    Args:
        recipe: what to train; see `multiposenet.detector_recipes`.

    Returns:
        0.
    """
    keypoint_model = keypoint_file(recipe)
    strategy = prepare_process(recipe)
    train, held_out = load_samples(recipe)
    counts = f"{len(train.dataset)} training images, {len(held_out.dataset)} held-out images"

    def build():
        model = build_detector(keypoint_model, recipe.fpn_depth, recipe.depth)
        print(f"{counts}; backbone of {recipe.keypoint_run}, frozen", file=sys.stderr)
        return model, model

    def validate(model):
        run_dir, limit = recipe.output / recipe.name, recipe.bad_images
        train.rejected.report(run_dir / "rejected-train.jsonl", limit)
        metrics = evaluate(model, recipe, held_out)
        held_out.rejected.report(run_dir / "rejected-val.jsonl", limit, recipe.eval_images)
        return metrics

    run_dir = fit_recipe(
        recipe,
        build,
        detection_loss,
        train.load,
        len(train.dataset),
        strategy=strategy,
        monitor="person_ap",
        validate=validate,
        pictures=lambda model: {"held_out": draw_boxes(model, held_out, nms_threshold=recipe.nms)},
    )
    if is_chief(strategy):
        finish_run(run_dir, recipe, held_out)
    return 0


def load_samples(recipe: DetectorRecipe) -> tuple[DetectorSamples, DetectorSamples]:
    """Opens the training and the held-out split; draws synthetic people when there is no data.

    Images without people stay: all of them is background.
    """
    train, held_out = load_splits(recipe, recipe.shorter_edge)
    same = held_out is train
    train = train.subset(np.arange(len(train))[: recipe.train_images])
    augmentation = DetectorAugmentation(recipe.flip, recipe.scale, recipe.colour)
    edges = recipe.shorter_edge, recipe.longer_edge
    return (
        DetectorSamples(train, *edges, augmentation, recipe.seed),
        DetectorSamples(train if same else held_out, *edges),
    )


def keypoint_file(recipe: DetectorRecipe) -> Path:
    """Finds the .keras file that the recipe's backbone comes from.

    Raises:
        UsageError: there is no such file.
    """
    path = Path(recipe.keypoint_run)
    if path.suffix != ".keras":
        path = recipe.output / path / "best.keras"
    if path.is_file():
        return path
    raise UsageError(
        f"expected a keypoint model at {path}, which is not there; train it first "
        "(scripts/train_keypoint.py), or name a run or a .keras file with --keypoint-run"
    )


def build_detector(keypoint_model: Path, fpn_depth: int = 256, depth: int = 256) -> keras.Model:
    """Builds pyramid and heads on the frozen backbone of a saved keypoint model.

    Raises:
        UsageError: the file holds no backbone.
    """
    try:
        backbone = backbone_of(load_model(keypoint_model))
    except ValueError as error:
        raise UsageError(f"{keypoint_model}: {error}") from error
    return detection_model(backbone, fpn_depth, depth)


def evaluate(
    model: keras.Model, recipe: DetectorRecipe, held_out: DetectorSamples
) -> dict[str, float]:
    """Measures a model as the recipe says; see `evaluate_boxes`."""
    return evaluate_boxes(model, held_out, recipe.eval_images, nms_threshold=recipe.nms)


def finish_run(run_dir: Path, recipe: DetectorRecipe, held_out: DetectorSamples) -> None:
    """Evaluates best.keras, draws curves and predictions, prints the figures."""
    model = load_model(run_dir / "best.keras")
    metrics = evaluate(model, recipe, held_out)
    path, limit = run_dir / "rejected-val.jsonl", recipe.bad_images
    held_out.rejected.report(path, limit, recipe.eval_images)
    protocol = {
        "model": "best.keras",
        "data": "synthetic" if recipe.data is None else recipe.data.name,
        "split": "val" if recipe.data is None else recipe.val_split,
        "shorter_edge": recipe.shorter_edge,
        "longer_edge": recipe.longer_edge,
        "images_in_split": len(held_out.dataset),
        "images_evaluated": metrics["images"],
        "images_skipped": metrics["skipped"],
        "score_threshold": SCORE_THRESHOLD,
        "nms": recipe.nms,
        "boxes": MAX_BOXES,
        "match": "COCO boxes, people only",
    }
    write_metrics(run_dir / "metrics.json", metrics, protocol)
    picture = draw_boxes(model, held_out, nms_threshold=recipe.nms)
    write_picture(run_dir / "predictions.png", picture)
    plot_log(run_dir, ("class", "box_deltas"), ("person_ap", "person_ap50"))
    for name, value in metrics.items():
        print(f"{name:12s} {value:.4g}")
    print(f"pictures: {run_dir / 'curves.png'}, {run_dir / 'predictions.png'}")
