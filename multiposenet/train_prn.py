"""Trains the Pose Residual Network from a recipe; needs annotations only."""

import sys
from pathlib import Path

import keras
import numpy as np

from multiposenet.evaluation import write_metrics
from multiposenet.prn import prn, prn_loss, training_form
from multiposenet.prn_evaluation import (
    as_dict,
    as_table,
    assignment_ap,
    crowded_images,
    floors,
)
from multiposenet.prn_figures import network_of, protocol_of
from multiposenet.prn_people import AnnotationError, People, load_people, prior_maps
from multiposenet.prn_recipes import PrnRecipe
from multiposenet.prn_samples import PrnSamples, easiest_first
from posekit.atomic_files import replaced_file
from posekit.datasets.synthetic_folder import synthetic_folder
from posekit.loop.distribution import is_chief
from posekit.model_loading import load_model
from posekit.recipe_training import fit_recipe, plot_log, prepare_process


def train_prn(recipe: PrnRecipe) -> int:
    """Trains the PRN; resumes when its run folder holds a checkpoint.

    The run folder OUTPUT/NAME receives recipe.json, log.csv, checkpoints, last.keras, best.keras
    (outputs "logits" and "maps"), prior.npz (of the baseline UCR), curves.png and metrics.json.

    Args:
        recipe: what to train; see `multiposenet.prn_recipes`.

    Returns:
        0.
    """
    strategy = prepare_process(recipe)
    people, held_out = load_splits(recipe)
    samples = make_samples(recipe, people)
    counts = f"{len(samples)} of {len(people)} people to train on, {len(held_out)} held-out people"

    methods = {}

    def build():
        model = build_prn(recipe, people.skeleton.num_keypoints)
        methods["prn"] = network_of(model)
        print(f"{counts}; {model.count_params()} parameters", file=sys.stderr)
        return training_form(model), model

    def losses(outputs, targets, weights):
        return prn_loss(outputs, targets, recipe.softmax)

    def validate(_):
        images = np.flatnonzero(np.diff(held_out.first))[: recipe.eval_images]
        found = assignment_ap(methods, held_out, images, kind=recipe.inputs)["all"]
        return {f"ap_{rule}": scores.metrics["AP"] or 0.0 for (_, rule), scores in found.items()}

    run_dir = fit_recipe(
        recipe,
        build,
        losses,
        samples.load,
        len(samples),
        strategy=strategy,
        monitor="ap_clean",
        validate=validate,
    )
    if is_chief(strategy):
        finish_run(run_dir, recipe, people, held_out)
    return 0


def load_splits(recipe: PrnRecipe) -> tuple[People, People]:
    """Reads the people to train on and the held-out ones; draws some when there is no data."""
    if recipe.data is None:
        parent = recipe.output / "synthetic"
        root = synthetic_folder(recipe.synthetic, parent, recipe.synthetic_side, recipe.seed)
        return load_people(root, "train"), load_people(root, "val")
    if recipe.val_data is None and not recipe.data.is_dir():
        raise AnnotationError(
            f"expected held-out people beside the file {recipe.data}; give a COCO keypoint file or "
            "folder with --val-data"
        )
    held_out = load_people(recipe.val_data or recipe.data, recipe.val_split)
    return load_people(recipe.data, recipe.train_split), held_out


def make_samples(recipe: PrnRecipe, people: People) -> PrnSamples:
    """Chooses the people to train on, in the order that the recipe's curriculum wants."""
    wanted = (people.num_labelled >= recipe.min_keypoints) & ~people.is_crowd
    if recipe.train_images is not None:
        wanted &= people.images < recipe.train_images
    rows = np.flatnonzero(wanted)
    if not len(rows):
        raise AnnotationError(
            f"expected people with at least {recipe.min_keypoints} labelled keypoints, found none "
            f"among {len(people)} people; lower --min-keypoints or give other data"
        )
    return PrnSamples(
        people,
        easiest_first(people, rows) if recipe.curriculum else rows,
        jitter=recipe.jitter,
        false_peaks=recipe.false_peaks,
        missing_peaks=recipe.missing_peaks,
        curriculum=round(recipe.curriculum * len(rows)),
        seed=recipe.seed,
    )


def build_prn(recipe: PrnRecipe, num_keypoints: int) -> keras.Model:
    """Builds the network of a recipe."""
    return prn(
        num_keypoints,
        nodes=recipe.nodes,
        hidden_layers=recipe.hidden_layers,
        dropout=recipe.dropout,
        residual=recipe.residual,
        relu_residual=recipe.relu_residual,
        softmax=recipe.softmax,
        rank=recipe.rank,
        none=recipe.none,
        kind=recipe.inputs,
    )


def finish_run(run_dir: Path, recipe: PrnRecipe, people: People, held_out: People) -> None:
    """Evaluates best.keras beside the floors on all held-out images; writes and prints figures."""
    model = load_model(run_dir / "best.keras")
    prior = prior_maps(people)
    with replaced_file(run_dir / "prior.npz") as path:
        np.savez_compressed(path, prior=prior)
    methods = {"prn": network_of(model)} | floors(prior)
    subsets = {"crowded": crowded_images(held_out)}
    figures = assignment_ap(methods, held_out, subsets=subsets, kind=recipe.inputs)
    data = recipe.val_data or recipe.data
    name = "synthetic" if data is None else data.name
    protocol = protocol_of(name, "all", held_out, recipe.inputs)
    protocol |= {"model": "best.keras", "parameters": model.count_params()}
    write_metrics(run_dir / "metrics.json", as_dict(figures), protocol)
    plot_log(run_dir, ("maps",), ("ap_clean", "ap_likelihood", "ap_published"))
    print(as_table(figures))
    print(f"picture: {run_dir / 'curves.png'}")
