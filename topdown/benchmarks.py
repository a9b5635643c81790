"""Speed of prediction, decoding, OKS-NMS and the training pipeline, as ratios within one run."""

import dataclasses
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from posekit import affine
from posekit.commands import UsageError
from posekit.datasets.coco import CocoDataset, load_coco
from posekit.datasets.synthetic import render_image
from posekit.decoding import decode_heatmaps
from posekit.loop.batches import sample_indices
from posekit.oks import oks_nms
from posekit.skeletons import COCO
from topdown.augmentation import augmentation_of
from topdown.benchmark_loops import looped_decoding, looped_oks_nms
from topdown.crops import crop_people, crop_transforms
from topdown.input_pipeline import PersonSamples
from topdown.networks import make_network, settings_from
from topdown.people import labelled_people
from topdown.prediction import TopDownPredictor, compiled_maps, load_topdown
from topdown.recipe import TopDownRecipe
from topdown.recipes import TOPDOWN_RECIPES
from topdown.settings import Settings

Boxed = tuple[list[np.ndarray], list[np.ndarray]]
"""Images (H, W, 3) uint8 RGB, and boxes (N_i, 4) xyxy in each."""

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds that pass, or those that all threads of the process compute."""


@dataclasses.dataclass(frozen=True)
class Timing:
    """How is measured."""

    rounds: int = 3
    """The contestants take turns, and the best round of each counts."""
    clock: str = "wall"
    """One of `CLOCKS`."""


def benchmark(
    data: Path | None,
    split: str,
    recipe: str,
    model: Path | None,
    people: int,
    batch_size: int,
    crops_of: str,
    crops: int,
    rounds: int,
    clock: str,
) -> None:
    """Measures everything; the arguments are those of `scripts/benchmark.py topdown`."""
    timing = Timing(rounds, clock)
    dataset = None if data is None else load_coco(data, split)
    network = load_topdown(model) if model else _random_network(_recipe(recipe))
    prediction(network, boxed_images(dataset, people), batch_size, timing)
    decoding(1000, timing)
    doubles(60, dataclasses.replace(timing, rounds=10 * rounds))
    if dataset:
        pipeline(dataset, _recipe(crops_of), crops, timing)


def prediction(network: keras.Model, boxed: Boxed, batch_size: int, timing: Timing) -> None:
    """Prints people/s from images and boxes to poses, beside the network alone."""
    predictor = TopDownPredictor(network, batch_size=batch_size)
    settings, count = predictor.settings, sum(map(len, boxed[1]))
    transforms = [crop_transforms(boxes, settings) for boxes in boxed[1]]
    crops = crop_people(boxed[0], transforms, settings)
    run = compiled_maps(network, False, predictor.reading.shift)

    def network_alone():
        for first in range(0, count, batch_size):
            run(crops[first : first + batch_size])

    contestants = {
        "image + boxes to poses": lambda: predictor.predict(*boxed),
        "network alone": network_alone,
    }
    seconds = best_times(contestants, timing)
    _print_rates(f"people/s, {batch_size} at a time", seconds, count)


def decoding(people: int, timing: Timing) -> None:
    """Prints the time of decoding heatmaps, beside a loop over people and keypoints."""
    rng = np.random.default_rng(0)
    maps = rng.random((people, 64, 48, COCO.num_keypoints), np.float32)
    contestants = {
        "decode_heatmaps": lambda: decode_heatmaps(maps, 4, "sign"),
        "loop over people": lambda: looped_decoding(maps, 4),
    }
    seconds = best_times(contestants, timing)
    _print_times(f"maps of {people} people, 64x48x{COCO.num_keypoints}", seconds)


def doubles(people: int, timing: Timing) -> None:
    """Prints the time of OKS-NMS, beside a loop over pairs."""
    rng = np.random.default_rng(0)
    keypoints = rng.random((people, COCO.num_keypoints, 3)) * (640, 480, 1)
    scores, areas = rng.random(people), rng.uniform(1e3, 1e5, people)
    arguments = keypoints, scores, areas, np.array(COCO.sigmas)
    contestants = {
        "oks_nms": lambda: oks_nms(*arguments),
        "loop over people": lambda: looped_oks_nms(*arguments),
    }
    _print_times(f"OKS-NMS of {people} people", best_times(contestants, timing))


def pipeline(dataset: CocoDataset, recipe: TopDownRecipe, crops: int, timing: Timing) -> None:
    """Prints crops/s of the training pipeline, beside one that decodes an image for each crop.

    On two cores Simple Baselines' loader of 256x192 makes 337 with no workers and 551 with two.
    """
    people = labelled_people([dataset])
    settings = settings_from(recipe, {"coco": dataset.skeleton})
    augmentation = augmentation_of(recipe)
    window = max(64, 2 * recipe.batch_size)  # as the training has it
    order = sample_indices(0, crops, len(people), 0, people.groups, window)

    def ours():
        samples = PersonSamples(people, settings, ("coco",), augmentation)
        return samples.load(order, np.arange(crops))

    def plain():
        return plain_crops(dataset, people.image[order], people.boxes[order], settings)

    contestants = {
        "training pipeline": lambda: _exhaust(ours()),
        "each image decoded for each crop": lambda: _exhaust(plain()),
    }
    height, width = settings.size
    _print_rates(f"training crops/s, {height}x{width}", best_times(contestants, timing), crops)


def plain_crops(
    dataset: CocoDataset, images: np.ndarray, boxes: np.ndarray, settings: Settings
) -> tf.data.Dataset:
    """Reads an image, crops one person, for each of images (N,) and boxes (N, 4)."""
    transforms = crop_transforms(boxes, settings)

    def crop(number):
        image = dataset.image(int(images[number]))
        return affine.warp(image, transforms[number], settings.size)

    def load(number):
        image = tf.numpy_function(crop, [number], tf.uint8)
        image.set_shape((*settings.size, 3))
        return image

    return tf.data.Dataset.range(len(images)).map(load, tf.data.AUTOTUNE)


def boxed_images(dataset: CocoDataset | None, people: int) -> Boxed:
    """So many people of a data set, or drawn ones."""
    images, boxes = [], []
    for number in itertools.count():
        if dataset is None:
            example = render_image(number, (480, 640), (2, 4))
        else:
            row = number % len(dataset)
            example = {"image": dataset.image(row), **dataset.annotations(row)}
        wanted = example["boxes"][~example["is_crowd"]][: people - sum(map(len, boxes))]
        if len(wanted):
            images.append(example["image"])
            boxes.append(wanted)
        if sum(map(len, boxes)) == people:
            return images, boxes


def best_times(contestants: dict[str, Callable], timing: Timing) -> dict[str, float]:
    """Lets them take turns; seconds of the best round of each, after one that does not count."""
    clock = CLOCKS[timing.clock]
    seconds = dict.fromkeys(contestants, np.inf)
    for number, (name, run) in itertools.product(range(timing.rounds + 1), contestants.items()):
        start = clock()
        run()
        if number:
            seconds[name] = min(seconds[name], clock() - start)
    return seconds


def _recipe(name: str) -> TopDownRecipe:
    if name not in TOPDOWN_RECIPES:
        raise UsageError(f"expected a recipe out of {list(TOPDOWN_RECIPES)}, received {name!r}")
    return TOPDOWN_RECIPES[name][1]


def _random_network(recipe: TopDownRecipe) -> keras.Model:
    recipe = dataclasses.replace(recipe, backbone_weights="none")
    return make_network(recipe, {"coco": COCO})[0]


def _exhaust(samples: tf.data.Dataset) -> None:
    for _ in samples.batch(32).prefetch(1):
        pass


def _print_rates(title: str, seconds: dict[str, float], count: int) -> None:
    """The first of the contestants is ours."""
    print(title)
    ours = next(iter(seconds.values()))
    for name, taken in seconds.items():
        print(f"  {name:34s} {count / taken:8.1f} /s   ours / this = {taken / ours:.2f}")


def _print_times(title: str, seconds: dict[str, float]) -> None:
    print(title)
    ours = next(iter(seconds.values()))
    for name, taken in seconds.items():
        print(f"  {name:34s} {1e3 * taken:8.2f} ms   this / ours = {taken / ours:.2f}")
