"""Trains SSD from a recipe."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

from posekit.atomic_files import write_file
from posekit.backbones import initialise
from posekit.datasets.coco import CocoDataset, DatasetError
from posekit.datasets.named import open_dataset, parse_word
from posekit.loop.distribution import is_chief
from posekit.model_loading import load_model
from posekit.recipe_training import (
    fit_recipe,
    held_out_images,
    load_splits,
    plot_log,
    prepare_process,
    write_picture,
)
from topdown.ssd import ssd
from topdown.ssd_augment import SsdAugmentation
from topdown.ssd_evaluation import draw_boxes, evaluate_ssd
from topdown.ssd_loss import ssd_loss
from topdown.ssd_pipeline import JoinedDatasets, SsdSamples
from topdown.ssd_recipes import SsdRecipe
from topdown.ssd_settings import SsdSettings


def train_ssd(recipe: SsdRecipe) -> int:
    """Trains an SSD; resumes when its run folder holds a checkpoint.

    The run folder OUTPUT/NAME receives recipe.json, log.csv, checkpoints, last.keras, best.keras
    (outputs "class_logits" and "box_deltas"), curves.png, predictions.png and metrics.json.

    Args:
        recipe: what to train; see `topdown.ssd_recipes`.

    Returns:
        0.
    """
    strategy = prepare_process(recipe)
    train, held_out = load_samples(recipe)
    counts = f"{len(train.dataset)} training images, {len(held_out.dataset)} held-out images"

    def build():
        model = ssd(settings_of_recipe(recipe), recipe.width)
        initial = initialise(model.get_layer("vgg16"), "vgg16", recipe.backbone_weights)
        print(f"{counts}; VGG-16 starts from {initial}", file=sys.stderr)
        return model, model

    def validate(model):
        run_dir, limit = recipe.output / recipe.name, recipe.bad_images
        train.rejected.report(run_dir / "rejected-train.jsonl", limit)
        metrics = evaluate_ssd(model, held_out, recipe.eval_images, recipe.confidences)
        held_out.rejected.report(run_dir / "rejected-val.jsonl", limit, recipe.eval_images)
        return metrics

    run_dir = fit_recipe(
        recipe,
        build,
        ssd_loss,
        train.load,
        len(train.dataset),
        strategy=strategy,
        monitor="person_ap",
        validate=validate,
        pictures=lambda model: {"held_out": draw_boxes(model, held_out)},
    )
    if is_chief(strategy):
        finish_run(run_dir, recipe, held_out)
    return 0


def settings_of_recipe(recipe: SsdRecipe) -> SsdSettings:
    """What the network carries with it."""
    return SsdSettings(recipe.size, recipe.scales, nms_threshold=recipe.nms)


def load_samples(recipe: SsdRecipe) -> tuple[SsdSamples, SsdSamples]:
    """Opens training and held-out images; draws synthetic people where no data is given.

    Raises:
        DatasetError: a data set that cannot be used.
    """
    train, held_out = open_splits(recipe)
    settings = settings_of_recipe(recipe)
    augmentation = SsdAugmentation(recipe.flip, recipe.expand, recipe.crop, recipe.colour)
    return (
        SsdSamples(train, settings, recipe.overlap, augmentation, recipe.seed),
        SsdSamples(held_out, settings, recipe.overlap),
    )


def open_splits(recipe: SsdRecipe) -> tuple[JoinedDatasets, CocoDataset]:
    """Opens the data sets to train on, as one, and the held-out one.

    Images without people give SSD no loss, so that they are not trained on; with them, 46 % of
    COCO's steps would be spent on nothing.

    Raises:
        DatasetError: a data set that cannot be used, or one without people.
    """
    if recipe.datasets:
        train = [open_dataset(word, recipe.train_split) for word in recipe.datasets]
        first = parse_word(recipe.datasets[0])
        word = recipe.val_dataset or f"{first.kind}:{first.path}"
        held_out = open_dataset(word, recipe.val_split)
    else:
        whole, held_out = load_splits(recipe, recipe.size)
        train = [whole]
    peopled = [with_people(dataset) for dataset in train]
    shown = [dataset.subset(np.arange(len(dataset))[: recipe.train_images]) for dataset in peopled]
    return JoinedDatasets(shown), shown[0] if held_out is train[0] else held_out_images(held_out)


def with_people(dataset: CocoDataset) -> CocoDataset:
    """Returns the images with somebody besides crowds.

    Raises:
        DatasetError: there are none.
    """
    index = dataset.index
    before = np.concatenate([[0], np.cumsum(~index.is_crowd)])[index.first]
    peopled = dataset.subset((np.diff(before) > 0)[dataset.rows])
    if not len(peopled):
        raise DatasetError(
            f"{dataset.annotation_file}: expected people to train on, found none on "
            f"{len(dataset)} images"
        )
    return peopled


def finish_run(run_dir: Path, recipe: SsdRecipe, held_out: SsdSamples) -> None:
    """Evaluates best.keras, draws curves and predictions, prints the figures."""
    model = load_model(run_dir / "best.keras")
    metrics = evaluate_ssd(model, held_out, recipe.eval_images, recipe.confidences)
    path, limit = run_dir / "rejected-val.jsonl", recipe.bad_images
    held_out.rejected.report(path, limit, recipe.eval_images)
    protocol = {
        "model": "best.keras",
        "data": held_out.dataset.image_folder.parent.name,
        "split": held_out.dataset.image_folder.name,
        "images_in_split": len(held_out.dataset),
        "images_evaluated": metrics["images"],
        "images_skipped": metrics["skipped"],
        "settings": dataclasses.asdict(settings_of_recipe(recipe)),
        "confidences": list(recipe.confidences),
        "match": "COCO boxes, people only; VOC AP at IoU 0.5",
    }
    text = json.dumps({"metrics": metrics, "protocol": protocol}, indent=2, allow_nan=False)
    write_file(run_dir / "metrics.json", text + "\n")
    write_picture(run_dir / "predictions.png", draw_boxes(model, held_out))
    plot_log(run_dir, ("class", "box_deltas"), ("person_ap", "person_ap50"))
    for name, value in metrics.items():
        print(f"{name:12s} {value:.4g}")
    print(f"pictures: {run_dir / 'curves.png'}, {run_dir / 'predictions.png'}")
