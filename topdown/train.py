"""Trains a top-down network from a recipe."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from posekit import draw
from posekit.atomic_files import replaced_file, write_file
from posekit.datasets.coco import CocoDataset
from posekit.datasets.rejected import RejectedImages
from posekit.loop.distribution import is_chief
from posekit.metrics.coco_scores import CocoScores
from posekit.recipe_training import (
    fit_recipe,
    held_out_images,
    plan_epochs,
    plot_log,
    prepare_process,
    write_picture,
)
from posekit.skeletons import Skeleton
from topdown.augmentation import augmentation_of
from topdown.domains import chosen, chosen_shares, domain_skeletons, open_splits
from topdown.evaluation import BoxedImages, evaluate_keypoints, predicted_images, truth_boxes
from topdown.input_pipeline import PersonSamples, domains_of
from topdown.losses import pose_loss
from topdown.networks import make_network, settings_from, training_crop
from topdown.people import labelled_people, mixed
from topdown.prediction import TopDownPredictor, load_topdown
from topdown.recipe import TopDownRecipe
from topdown.settings import settings_of
from topdown.stages import METRICS, is_finished, stage_recipes

PICTURES = 8
"""Held-out images that are drawn."""


def train_topdown(recipe: TopDownRecipe) -> int:
    """Trains a top-down network; resumes when its run folder holds a checkpoint.

    The run folder OUTPUT/NAME receives recipe.json, log.csv, checkpoints, last.keras, best.keras,
    curves.png, predictions.png and metrics.json. With fine-tuning stages each stage has such a
    folder inside, finished ones are passed over, and best.keras is that of the last one.

    Held-out people are evaluated, and best.keras chosen, once an epoch. `epoch_steps` sets how
    long that is, for fine-tunings whose figures fall after a thousand steps.

    Args:
        recipe: what to train; see `topdown.recipes`.

    Returns:
        0.
    """
    strategy = prepare_process(recipe)
    stages = stage_recipes(recipe)
    if len(stages) == 1:
        train_stage(recipe, strategy)
        return 0
    for stage in stages:
        if not is_finished(stage):
            keras.utils.set_random_seed(stage.seed)  # as if each stage had its own process
            train_stage(stage, strategy)
    if is_chief(strategy):
        run_dir = recipe.output / recipe.name
        with replaced_file(run_dir / "best.keras") as temporary:
            shutil.copyfile(recipe.output / stages[-1].name / "best.keras", temporary)
        report(run_dir, recipe, open_splits(recipe)[1])
    return 0


def train_stage(recipe: TopDownRecipe, strategy: tf.distribute.Strategy) -> None:
    """Trains what a recipe says of one run folder; see `train_topdown`."""
    every_set, held_out = open_splits(recipe)
    train_sets, domains = chosen(recipe, every_set), domain_skeletons(recipe, every_set)
    held_out = {name: d for name, d in held_out.items() if name in train_sets} or held_out
    held_out = {name: held_out_images(dataset) for name, dataset in held_out.items()}
    samples = training_samples(recipe, train_sets, domains, chosen_shares(recipe, every_set))
    people, run_dir = samples.people, recipe.output / recipe.name

    def build():
        model, initial = make_network(recipe, domains)
        heads = ", ".join(f"{name} ({s.num_keypoints})" for name, s in domains.items())
        print(f"{len(people)} people; heads {heads}; starts from {initial}", file=sys.stderr)
        return model, model

    def losses(outputs, targets, weights):
        return pose_loss(outputs, targets, weights, samples.settings, recipe.mining)

    def validate(model):
        samples.rejected.report(run_dir / "rejected-train.jsonl", recipe.bad_images)
        shown = {name: first(dataset, recipe.eval_images) for name, dataset in held_out.items()}
        rejected = RejectedImages.of(*shown.values())
        scores = evaluate(model, recipe, shown, rejected=rejected)
        rejected.report(run_dir / "rejected-val.jsonl", recipe.bad_images)
        return figures_of(scores)

    fit_recipe(
        recipe,
        build,
        losses,
        samples.load,
        len(people),
        strategy=strategy,
        monitor="ap",
        validate=validate,
        pictures=lambda model: {"held_out": draw_people(model, held_out)},
        groups=people.groups,
    )
    if is_chief(strategy):
        plot_log(run_dir, (), ("ap", "ap50"))
        report(run_dir, recipe, held_out)


def training_samples(
    recipe: TopDownRecipe,
    train_sets: dict[str, CocoDataset],
    domains: dict[str, Skeleton],
    shares: Sequence[float] = (),
) -> PersonSamples:
    """Makes the augmented samples of a recipe's data sets.

    Args:
        recipe: of the training.
        train_sets: those that are trained on.
        domains: name of each head of the network -> its keypoints.
        shares: of the data sets in an epoch; none: as large as they are.
    """
    settings = settings_from(recipe, domains)
    settings = dataclasses.replace(settings, crop=training_crop(recipe))
    names = domains_of(settings, train_sets)
    people = labelled_people(list(train_sets.values()), [domains[name] for name in names])
    people = mixed(people, shares, recipe.seed)
    steps, _ = plan_epochs(recipe, len(people))
    mining_from = None
    if recipe.mining_from is not None:
        mining_from = recipe.mining_from * steps * recipe.batch_size
    return PersonSamples(people, settings, names, augmentation_of(recipe), recipe.seed, mining_from)


def evaluate(
    model: keras.Model,
    recipe: TopDownRecipe,
    held_out: dict[str, CocoDataset],
    flip: bool = False,
    rejected: RejectedImages | None = None,
) -> dict[str, CocoScores]:
    """Keypoint scores with ground-truth boxes on the first images of every held-out data set."""
    scores = {}
    for name, dataset in held_out.items():
        predictor, dataset = predictor_for(model, name, flip), first(dataset, recipe.eval_images)
        scores[name] = evaluate_keypoints(predictor, dataset, rejected=rejected)
    return scores


def first(dataset: CocoDataset, count: int) -> CocoDataset:
    """The first images of a data set."""
    return dataset.subset(np.arange(min(count, len(dataset))))


def figures_of(scores: dict[str, CocoScores]) -> dict[str, float]:
    """The figures of the log: ap and ap50, means over the data sets; of several also ap_NAME."""
    metrics = [score.metrics for score in scores.values()]
    ap, ap50 = ([m[key] or 0.0 for m in metrics] for key in ("AP", "AP50"))
    result = {"ap": float(np.mean(ap)), "ap50": float(np.mean(ap50))}
    if len(scores) > 1:
        result |= {f"ap_{name}": value for name, value in zip(scores, ap, strict=True)}
    return result


def predictor_for(model: keras.Model, name: str, flip: bool = False) -> TopDownPredictor:
    """Reads the head of a data set, or the only head."""
    (domain,) = domains_of(settings_of(model), [name])
    return TopDownPredictor(model, flip, domain)


def draw_people(model: keras.Model, held_out: dict[str, CocoDataset]) -> np.ndarray:
    """Draws the first held-out images with the poses in their true boxes; RGB uint8."""
    size, pictures = settings_of(model).size, []
    for name, dataset in held_out.items():
        dataset = first(dataset, PICTURES)
        images = BoxedImages(dataset, truth_boxes(dataset))
        for example, poses in predicted_images(predictor_for(model, name), images):
            pictures.append(draw.draw_poses(example["image"], poses))
    return draw.tile(pictures or [np.full((*size, 3), 255, np.uint8)], columns=4)


def report(run_dir: Path, recipe: TopDownRecipe, held_out: dict[str, CocoDataset]) -> None:
    """Evaluates best.keras, draws predictions, prints the figures; metrics.json comes last."""
    model = load_topdown(run_dir / "best.keras")
    shown = {name: first(dataset, recipe.eval_images) for name, dataset in held_out.items()}
    rejected = RejectedImages.of(*shown.values())
    plain = evaluate(model, recipe, shown, rejected=rejected)
    rejected.report(run_dir / "rejected-val.jsonl", recipe.bad_images)
    flipped = figures_of(evaluate(model, recipe, held_out, flip=True))
    metrics = figures_of(plain) | {f"{name}_flip": value for name, value in flipped.items()}
    settings = settings_of(model)
    protocol = {
        "model": "best.keras",
        "data": {name: dataset.image_folder.name for name, dataset in held_out.items()},
        "images": {name: scores.images["evaluated"] for name, scores in plain.items()},
        "boxes": "ground truth",
        "scales": [1.0],
        "size": list(settings.size),
        "crop": dataclasses.asdict(settings.crop),
        "reading": dataclasses.asdict(settings.reading),
        "metric": "COCO keypoint AP, OKS",
    }
    write_picture(run_dir / "predictions.png", draw_people(model, held_out))
    text = json.dumps({"metrics": metrics, "protocol": protocol}, indent=2, allow_nan=False)
    write_file(run_dir / METRICS, text + "\n")
    for name, value in metrics.items():
        print(f"{name:14s} {value:.4g}")
    print(f"model and pictures: {run_dir}")
