"""From a recipe to a finished run: process, data, schedule, loop, curves."""

import csv
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from posekit import draw, training
from posekit.atomic_files import write_file
from posekit.commands import UsageError
from posekit.datasets.coco import CocoDataset, load_coco
from posekit.datasets.synthetic_folder import synthetic_folder
from posekit.loop.distribution import make_strategy, on_chief
from posekit.loop.runs import check_writable
from posekit.recipe_limits import check_numbers
from posekit.recipes import MAY_CHANGE, TrainingRecipe


def prepare_process(recipe: TrainingRecipe) -> tf.distribute.Strategy:
    """Sets what TensorFlow and Keras keep for the whole process, and chooses the strategy.

    Raises:
        UsageError: a number of the recipe is out of its limits.
        RunError: the output folder cannot be written; said before any data is read or drawn.
    """
    check_numbers(recipe)
    if recipe.threads:
        tf.config.threading.set_intra_op_parallelism_threads(recipe.threads)
    strategy = make_strategy(recipe.devices)
    on_chief(strategy, lambda: check_writable(recipe.output / recipe.name))
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    return strategy


def load_splits(recipe: TrainingRecipe, side: int) -> tuple[CocoDataset, CocoDataset]:
    """Opens the training and the held-out split.

    Args:
        recipe: names them; without data it says which synthetic people to draw.
        side: height of the synthetic images, pixels.

    Raises:
        UsageError: no held-out images.
        DatasetError: a split that cannot be read.
    """
    root, splits = recipe.data, (recipe.train_split, recipe.val_split)
    if root is None:
        parent = recipe.output / "synthetic"
        root, splits = (
            synthetic_folder(recipe.synthetic, parent, side, recipe.seed),
            ("train", "val"),
        )
    train = load_coco(root, splits[0])
    return train, held_out_images(train if splits[0] == splits[1] else load_coco(root, splits[1]))


def held_out_images(dataset: CocoDataset) -> CocoDataset:
    """Returns a held-out split that has images.

    Raises:
        UsageError: it has none, so that nothing could decide about best.keras.
    """
    if not len(dataset):
        raise UsageError(
            f"expected held-out images in {dataset.annotation_file}, received none; choose another "
            "split or file"
        )
    return dataset


def plan_epochs(recipe: TrainingRecipe, num_examples: int) -> tuple[int, int]:
    """Returns (steps an epoch, epochs) of the recipe."""
    steps_per_epoch = recipe.epoch_steps or max(1, num_examples // recipe.batch_size)
    if recipe.steps is None:
        return steps_per_epoch, recipe.epochs
    epochs = math.ceil(recipe.steps / steps_per_epoch)
    return math.ceil(recipe.steps / epochs), epochs


def make_optimizer(
    recipe: TrainingRecipe, steps_per_epoch: int, epochs: int
) -> keras.optimizers.Optimizer:
    """The recipe's optimizer with its schedule."""
    rate = recipe.learning_rate
    drops = recipe.drop_steps or tuple(epoch * steps_per_epoch for epoch in recipe.drops)
    if recipe.schedule == "step" and drops:
        rates = [rate * 0.1**drop for drop in range(len(drops) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(list(drops), rates)
    if recipe.schedule == "cosine":
        total_steps = steps_per_epoch * epochs
        warmup = min(200, total_steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 10, total_steps - warmup, warmup_target=rate, warmup_steps=warmup
        )
    decay = recipe.weight_decay or None
    if recipe.optimizer == "sgd":
        # Keras takes the decay off beside the gradient; PyTorch and Caffe let momentum gather it.
        decay = decay and decay / (1 - recipe.momentum)
        return keras.optimizers.SGD(rate, momentum=recipe.momentum, weight_decay=decay)
    kinds = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
    return kinds[recipe.optimizer](rate, weight_decay=decay, epsilon=recipe.epsilon)


class Plateau(keras.callbacks.ReduceLROnPlateau):
    """Counts only the epochs that were evaluated."""

    def on_epoch_end(self, epoch, logs=None):
        """Passes over an epoch without the monitored figure."""
        if self.monitor in (logs or {}):
            super().on_epoch_end(epoch, logs)


def make_callbacks(recipe: TrainingRecipe) -> list[keras.callbacks.Callback]:
    """The plateau schedule, where the recipe asks for it."""
    if recipe.schedule != "plateau":
        return []
    return [Plateau("val_loss", factor=0.1, patience=recipe.patience, min_delta=0.0)]


def fit_recipe(
    recipe: TrainingRecipe,
    build: Callable[[], tuple[keras.Model, keras.Model]],
    losses: Callable,
    load: Callable,
    num_examples: int,
    *,
    strategy: tf.distribute.Strategy,
    monitor: str,
    validate: Callable,
    pictures: Callable | None = None,
    groups: np.ndarray | None = None,
) -> Path:
    """Trains what `build` makes, as the recipe says, in the run folder OUTPUT/NAME.

    Args:
        recipe: of the training.
        build: makes (model to train, model to save) inside the strategy's scope.
        losses: see `training.fit`, as are load, num_examples, validate and pictures.
        load: of the samples.
        num_examples: in the training set.
        strategy: from `prepare_process`.
        monitor: figure of `validate` that decides about best.keras; more is better.
        validate: model -> figures, "val_loss" among them where the schedule is plateau.
        pictures: model -> pictures.
        groups: of the examples, see `training.fit`.

    Returns:
        The run folder.
    """
    steps_per_epoch, epochs = plan_epochs(recipe, num_examples)
    with strategy.scope():
        model, saved_model = build()
        optimizer = make_optimizer(recipe, steps_per_epoch, epochs)
    options = fit_options(recipe) | dict(steps_per_epoch=steps_per_epoch, epochs=epochs)
    training.fit(
        model,
        losses,
        load,
        num_examples=num_examples,
        groups=groups,
        optimizer=optimizer,
        validate=validate,
        monitor=monitor,
        mode="max",
        pictures=pictures,
        saved_model=saved_model,
        strategy=strategy,
        **options,
    )
    return options["run_dir"]


def fit_options(recipe: TrainingRecipe) -> dict[str, object]:
    """What the recipe alone says of `loop.options.FitOptions`."""
    names = ("batch_size", "seed", "validate_every", "clip_norm", "ema", "input_timeout")
    return {name: getattr(recipe, name) for name in (*names, "deterministic")} | {
        "run_dir": recipe.output / recipe.name,
        "recipe": recipe,
        # A longer cosine would raise the learning rate again.
        "may_change": (*MAY_CHANGE, *(["epochs"] if recipe.schedule == "plateau" else [])),
        "callbacks": make_callbacks(recipe),
        "checkpoint_every": recipe.checkpoint_steps,
    }


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes a PNG whole, or leaves the one that was there.

    Args:
        path: ends in .png.
        picture: (H, W, 3) uint8 RGB.

    Raises:
        OSError: as `atomic_files.replaced_file`; `cv2.imwrite` on a full disk only answers False.
    """
    write_file(path, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def plot_log(run_dir: Path, terms: tuple[str, ...], figures: tuple[str, ...]) -> None:
    """Draws curves.png from log.csv.

    Args:
        run_dir: of the run.
        terms: loss terms whose sum is what val_loss holds; drawn as "final" beside "val_final".
        figures: names of other columns to draw.
    """
    with (run_dir / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [float(row[name] or "nan") for row in rows] for name in rows[0]}
    columns["final"] = np.sum([columns[name] for name in terms], axis=0).tolist()
    columns["val_final"] = columns.get("val_loss", [])
    shown = ("epoch", "loss", "final", "val_final", *figures, "lr")
    curves = {name: columns[name] for name in shown if columns.get(name)}
    draw.plot_curves(run_dir / "curves.png", curves, title=run_dir.name)
