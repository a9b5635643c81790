"""Trains the parts of MultiPoseNet from a recipe."""

import csv
import json
import math
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

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
from posekit import draw, training
from posekit.atomic_files import write_file
from posekit.commands import UsageError
from posekit.datasets.coco import CocoDataset, load_coco
from posekit.datasets.synthetic_folder import synthetic_folder
from posekit.distribution import is_chief, make_strategy
from posekit.losses import heatmap_loss
from posekit.mobilenet import mobilenet_v2
from posekit.resnet import resnet
from posekit.weights.imagenet import fetch_imagenet
from posekit.weights.torchvision import load_torchvision

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
    steps_per_epoch, epochs = plan_epochs(recipe, len(train.dataset))
    with strategy.scope():
        model, inference_model, initial = build_keypoint_model(recipe, train.dataset.skeleton)
        optimizer = make_optimizer(recipe, steps_per_epoch, epochs)
    print(
        f"{len(train.dataset)} training images, {len(held_out.dataset)} held-out images; "
        f"{recipe.backbone} starts from {initial}",
        file=sys.stderr,
    )

    run_dir = recipe.output / recipe.name

    def losses(outputs, targets, weights):
        return heatmap_loss(outputs, targets, weights, recipe.mask_weight)

    def validate(model):
        report_rejected(run_dir, train, recipe.bad_images)
        metrics = evaluate_peaks(
            model, held_out, recipe.eval_images, mask_weight=recipe.mask_weight
        )
        report_rejected(run_dir, held_out, recipe.bad_images)
        return metrics

    training.fit(
        model,
        losses,
        train.load,
        num_examples=len(train.dataset),
        batch_size=recipe.batch_size,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        optimizer=optimizer,
        run_dir=run_dir,
        recipe=recipe,
        # A longer cosine would raise the learning rate again.
        may_change=("epochs", "output") if recipe.schedule == "plateau" else ("output",),
        seed=recipe.seed,
        validate=validate,
        validate_every=recipe.validate_every,
        monitor="peak_ap",
        mode="max",
        callbacks=make_callbacks(recipe),
        clip_norm=recipe.clip_norm,
        ema=recipe.ema,
        checkpoint_every=recipe.checkpoint_steps,
        pictures=lambda model: {"held_out": draw_predictions(model, held_out)},
        saved_model=inference_model,
        strategy=strategy,
        deterministic=recipe.deterministic,
    )
    if is_chief(strategy):
        finish_run(run_dir, recipe, held_out)
    return 0


def prepare_process(recipe: KeypointRecipe) -> tf.distribute.Strategy:
    """Sets what TensorFlow and Keras keep for the whole process, and chooses the strategy."""
    if recipe.threads:
        tf.config.threading.set_intra_op_parallelism_threads(recipe.threads)
    strategy = make_strategy(recipe.devices)
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    return strategy


def load_samples(recipe: KeypointRecipe) -> tuple[KeypointSamples, KeypointSamples]:
    """Opens the training and the held-out split; draws synthetic people when there is no data."""
    if recipe.data is None:
        parent = recipe.output / "synthetic"
        root = synthetic_folder(recipe.synthetic, parent, recipe.patch_size, recipe.seed)
        splits = "train", "val"
    else:
        root, splits = recipe.data, (recipe.train_split, recipe.val_split)
    train = annotated(load_coco(root, splits[0]), recipe.train_images)
    held_out = train if splits[0] == splits[1] else load_coco(root, splits[1])
    augmentation = Augmentation(recipe.rotation, recipe.scale, recipe.flip, recipe.colour)
    patch = (recipe.patch_size, recipe.patch_size)
    canvas = (32 * math.ceil(recipe.patch_size * EVAL_SIZE_FACTOR / 32),) * 2
    return (
        KeypointSamples(train, patch, recipe.sigma, augmentation, recipe.seed),
        KeypointSamples(held_out, canvas, recipe.sigma),
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
    depths = {"resnet18-half": 18, "resnet18": 18, "resnet34": 34}
    depths |= {"resnet50": 50, "resnet101": 101, "resnet152": 152}
    if recipe.backbone == "mobilenet_v2":
        backbone = mobilenet_v2(dilate=(False, recipe.dilate))
    else:
        width = 32 if recipe.backbone.endswith("-half") else 64
        backbone = resnet(depths[recipe.backbone], dilate=(False, recipe.dilate), width=width)
    initial = initialise(backbone, recipe)
    model, inference_model = keypoint_model(
        backbone,
        skeleton.num_keypoints,
        strides=(4, 8, 16, 16 if recipe.dilate else 32),
        fpn_depth=recipe.fpn_depth,
        depth=recipe.depth,
        concat=recipe.concat,
        intermediate=recipe.intermediate,
    )
    return model, inference_model, initial


def initialise(backbone: keras.Model, recipe: KeypointRecipe) -> str:
    """Loads the backbone's first weights; returns where they come from, in words."""
    if recipe.backbone_weights == "none":
        return "random weights"
    try:
        if recipe.backbone_weights != "imagenet":
            path = Path(recipe.backbone_weights)
            load_torchvision(backbone, path)
            return path.name
        path = fetch_imagenet(recipe.backbone)
        load_torchvision(backbone, path)
    except (ValueError, FileNotFoundError) as error:
        raise UsageError(f"--backbone-weights {recipe.backbone_weights}: {error}") from error
    except OSError as error:
        print(
            f"WARNING: the ImageNet weights of {recipe.backbone} could not be fetched ({error}). "
            "Training starts from random weights, which the paper does not do; give a file with "
            "--backbone-weights PATH, or none to say that this is wanted.",
            file=sys.stderr,
        )
        return "random weights (the ImageNet file could not be fetched)"
    return f"ImageNet weights ({path.name})"


def plan_epochs(recipe: KeypointRecipe, num_examples: int) -> tuple[int, int]:
    """Returns (steps an epoch, epochs) of the recipe."""
    steps_per_epoch = recipe.epoch_steps or max(1, num_examples // recipe.batch_size)
    if recipe.steps is None:
        return steps_per_epoch, recipe.epochs
    epochs = math.ceil(recipe.steps / steps_per_epoch)
    return math.ceil(recipe.steps / epochs), epochs


def make_optimizer(
    recipe: KeypointRecipe, steps_per_epoch: int, epochs: int
) -> keras.optimizers.Optimizer:
    """Adam with the recipe's schedule (section 3.5)."""
    rate = recipe.learning_rate
    if recipe.schedule == "step":
        steps = [epoch * steps_per_epoch for epoch in recipe.drops]
        rates = [rate * 0.1**drop for drop in range(len(steps) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(steps, rates)
    if recipe.schedule == "cosine":
        total_steps = steps_per_epoch * epochs
        warmup = min(200, total_steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 10, total_steps - warmup, warmup_target=rate, warmup_steps=warmup
        )
    return keras.optimizers.Adam(rate)


def make_callbacks(recipe: KeypointRecipe) -> list[keras.callbacks.Callback]:
    """The plateau schedule of section 3.5, where the recipe asks for it."""
    if recipe.schedule != "plateau":
        return []
    return [Plateau("val_loss", factor=0.1, patience=recipe.patience, min_delta=0.0)]


class Plateau(keras.callbacks.ReduceLROnPlateau):
    """Counts only the epochs that were evaluated."""

    def on_epoch_end(self, epoch, logs=None):
        """Passes over an epoch without the monitored figure."""
        if self.monitor in (logs or {}):
            super().on_epoch_end(epoch, logs)


class TooManyBadImages(ValueError):
    """More images are damaged than the recipe allows."""

    exit_code = 3


def report_rejected(run_dir: Path, samples: KeypointSamples, limit: float) -> None:
    """Writes the damaged images so far to rejected-SPLIT.jsonl of the run folder.

    Raises:
        TooManyBadImages: they are more than `limit`, a share of all images of the split.
    """
    rejected = sorted(samples.rejected.values(), key=lambda entry: entry["path"])
    if not rejected:
        return
    path = run_dir / f"rejected-{samples.dataset.image_folder.name}.jsonl"
    write_file(path, "".join(json.dumps(entry) + "\n" for entry in rejected))
    found = f"{len(rejected)} of {len(samples.dataset)} images are damaged, listed in {path}"
    if len(rejected) > limit * len(samples.dataset):
        raise TooManyBadImages(f"{found}; expected at most {limit:.1%}, see --bad-images")
    print(found, file=sys.stderr)


def finish_run(run_dir: Path, recipe: KeypointRecipe, held_out: KeypointSamples) -> None:
    """Evaluates best.keras, draws curves and predictions, prints the figures."""
    model = keras.saving.load_model(run_dir / "best.keras", compile=False)
    metrics = evaluate_peaks(model, held_out, recipe.eval_images, mask_weight=recipe.mask_weight)
    protocol = {
        "data": "synthetic" if recipe.data is None else recipe.data.name,
        "split": "val" if recipe.data is None else recipe.val_split,
        "size": list(held_out.size),
        "skeleton": held_out.dataset.skeleton.name,
        "images_in_split": len(held_out.dataset),
        "images_evaluated": metrics["images"],
        "images_skipped": metrics["skipped"],
        "match": "keypoint similarity >= 0.5, greedy by score, all keypoint types pooled",
        "recall": "greatest recall at precision >= 0.5",
        "peak_threshold": PEAK_THRESHOLD,
        "mask_threshold": MASK_THRESHOLD,
        "flip_test": False,
        "scales": [1.0],
        "model": "best.keras",
    }
    write_metrics(run_dir / "metrics.json", metrics, protocol)
    cv2.imwrite(str(run_dir / "predictions.png"), draw_predictions(model, held_out)[..., ::-1])
    plot_log(run_dir)
    for name, value in metrics.items():
        print(f"{name:12s} {value:.4g}")
    print(f"pictures: {run_dir / 'curves.png'}, {run_dir / 'predictions.png'}")


def plot_log(run_dir: Path) -> None:
    """Draws curves.png from log.csv; "maps" is the loss of the final maps, as held out."""
    with (run_dir / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [float(row[name] or "nan") for row in rows] for name in rows[0]}
    columns["maps"] = np.add(columns["heatmaps"], columns["mask"]).tolist()
    columns["val_maps"] = columns.get("val_loss", [])
    shown = ("epoch", "loss", "maps", "val_maps", "recall", "peak_ap", "mask_iou", "lr")
    curves = {name: columns[name] for name in shown if columns.get(name)}
    draw.plot_curves(run_dir / "curves.png", curves, title=run_dir.name)
