"""Trains the keypoint and segmentation subnet from a recipe."""

import math
import sys
from pathlib import Path

import numpy as np

from multiposenet.evaluation import (
    MASK_THRESHOLD,
    PEAK_THRESHOLD,
    draw_predictions,
    evaluate_peaks,
    write_metrics,
)
from multiposenet.input_pipeline import Augmentation, KeypointSamples
from multiposenet.keypoint_subnet import keypoint_model
from multiposenet.recipes import KeypointRecipe
from posekit.backbones import initialise, make_backbone
from posekit.commands import UsageError
from posekit.datasets.coco import CocoDataset
from posekit.loop.distribution import is_chief
from posekit.losses import heatmap_loss
from posekit.model_loading import load_model
from posekit.recipe_training import (
    fit_recipe,
    load_splits,
    plot_log,
    prepare_process,
    write_picture,
)

EVAL_SIZE_FACTOR = 4 / 3
"""Held-out canvas over patch: a 4:3 image then has the scale of training at its middle."""


def train_keypoint(recipe: KeypointRecipe) -> int:
    """Trains the keypoint and segmentation subnet; resumes when its run folder holds a checkpoint.

    The run folder OUTPUT/NAME receives recipe.json, log.csv, checkpoints, last.keras, best.keras
    (outputs "heatmaps" and "mask"), curves.png, predictions.png and metrics.json.

    Args:
        recipe: what to train; see `multiposenet.recipes`.

    Returns:
        0.
    """
    strategy = prepare_process(recipe)
    train, held_out = load_samples(recipe)
    counts = f"{len(train.dataset)} training images, {len(held_out.dataset)} held-out images"

    def build():
        model, inference_model, initial = build_keypoint_model(recipe, train.dataset.skeleton)
        print(f"{counts}; {recipe.backbone} is made with {initial}", file=sys.stderr)
        return model, inference_model

    def losses(outputs, targets, weights):
        return heatmap_loss(outputs, targets, weights, recipe.mask_weight)

    def validate(model):
        run_dir, limit = recipe.output / recipe.name, recipe.bad_images
        train.rejected.report(run_dir / "rejected-train.jsonl", limit)
        metrics = evaluate(model, recipe, held_out)
        held_out.rejected.report(run_dir / "rejected-val.jsonl", limit, recipe.eval_images)
        return metrics

    run_dir = fit_recipe(
        recipe,
        build,
        losses,
        train.load,
        len(train.dataset),
        strategy=strategy,
        monitor="peak_ap",
        validate=validate,
        pictures=lambda model: {"held_out": draw_predictions(model, held_out)},
    )
    if is_chief(strategy):
        finish_run(run_dir, recipe, held_out)
    return 0


def load_samples(recipe: KeypointRecipe) -> tuple[KeypointSamples, KeypointSamples]:
    """Opens the training and the held-out split; draws synthetic people when there is no data."""
    train, held_out = load_splits(recipe, recipe.patch_size)
    same = held_out is train
    train = annotated(train, recipe.train_images)
    augmentation = Augmentation(recipe.rotation, recipe.scale, recipe.flip, recipe.colour)
    patch = (recipe.patch_size, recipe.patch_size)
    canvas = (32 * math.ceil(recipe.patch_size * EVAL_SIZE_FACTOR / 32),) * 2
    return (
        KeypointSamples(train, patch, recipe.sigma, augmentation, recipe.seed),
        KeypointSamples(train if same else held_out, canvas, recipe.sigma),
    )


def annotated(dataset: CocoDataset, limit: int | None = None) -> CocoDataset:
    """Leaves the images that have at least one person with keypoints; the first `limit` of them."""
    kept = [
        i for i in range(len(dataset)) if (dataset.annotations(i)["keypoints"][:, :, 2] > 0).any()
    ]
    if not kept:
        raise UsageError(
            f"expected people with labelled keypoints in {dataset.annotation_file}, received none; "
            "choose another split or file"
        )
    return dataset.subset(np.array(kept[:limit], np.int64))


def build_keypoint_model(recipe: KeypointRecipe, skeleton):
    """Builds (training model, inference model, where the backbone's weights come from)."""
    backbone, strides = make_backbone(recipe.backbone, recipe.dilate)
    initial = initialise(backbone, recipe.backbone, recipe.backbone_weights)
    model, inference_model = keypoint_model(
        backbone,
        skeleton.num_keypoints,
        strides=strides,
        fpn_depth=recipe.fpn_depth,
        depth=recipe.depth,
        concat=recipe.concat,
        intermediate=recipe.intermediate,
    )
    return model, inference_model, initial


def evaluate(model, recipe: KeypointRecipe, held_out: KeypointSamples) -> dict[str, float]:
    """Figures of the recipe's held-out images; see `evaluate_peaks`."""
    return evaluate_peaks(model, held_out, recipe.eval_images, mask_weight=recipe.mask_weight)


def finish_run(run_dir: Path, recipe: KeypointRecipe, held_out: KeypointSamples) -> None:
    """Evaluates best.keras, draws curves and predictions, prints the figures."""
    model = load_model(run_dir / "best.keras")
    metrics = evaluate(model, recipe, held_out)
    path, limit = run_dir / "rejected-val.jsonl", recipe.bad_images
    held_out.rejected.report(path, limit, recipe.eval_images)
    protocol = {
        "model": "best.keras",
        "data": "synthetic" if recipe.data is None else recipe.data.name,
        "split": "val" if recipe.data is None else recipe.val_split,
        "skeleton": held_out.dataset.skeleton.name,
        "images_in_split": len(held_out.dataset),
        "images_evaluated": metrics["images"],
        "images_skipped": metrics["skipped"],
        "size": list(held_out.size),
        "scales": [1.0],
        "flip_test": False,
        "match": "keypoint similarity >= 0.5, greedy by score, all keypoint types pooled",
        "recall": "greatest recall at precision >= 0.5",
        "peak_threshold": PEAK_THRESHOLD,
        "mask_threshold": MASK_THRESHOLD,
    }
    write_metrics(run_dir / "metrics.json", metrics, protocol)
    write_picture(run_dir / "predictions.png", draw_predictions(model, held_out))
    plot_log(run_dir, ("heatmaps", "mask"), ("recall", "peak_ap", "mask_iou"))
    for name, value in metrics.items():
        print(f"{name:12s} {value:.4g}")
    print(f"pictures: {run_dir / 'curves.png'}, {run_dir / 'predictions.png'}")
