"""Speed of the training pipeline and of the training step, as ratios within one run."""

import dataclasses
import itertools
import time
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from multiposenet.input_pipeline import Augmentation, KeypointSamples
from multiposenet.keypoint_subnet import STRIDE
from multiposenet.recipes import KEYPOINT_RECIPES
from multiposenet.train_keypoint import build_keypoint_model
from posekit import images
from posekit.compute import count_macs
from posekit.datasets.coco import load_coco
from posekit.loop.train_step import make_train_step, prepare_optimizer
from posekit.losses import heatmap_loss
from posekit.skeletons import COCO


def pipeline(data: Path, split: str, patch_size: int, images: int, rounds: int) -> None:
    """Prints samples/s of the training pipeline beside plain decode + resize of the same files."""
    dataset = load_coco(data, split)
    size = (patch_size, patch_size)
    samples = KeypointSamples(dataset, size, augmentation=Augmentation())
    indices = np.random.default_rng(0).permutation(len(dataset))[:images]
    paths = [str(dataset.path(i)) for i in indices]
    contestants = {
        "training pipeline": lambda: samples.load(indices, np.arange(len(indices))),
        "decode + resize (TensorFlow)": lambda: plain_tensorflow(paths, size),
        "decode + resize (our reader, OpenCV)": lambda: plain_opencv(paths, size),
    }
    rates = dict.fromkeys(contestants, 0.0)
    for _, (name, make) in itertools.product(range(rounds), contestants.items()):
        rates[name] = max(rates[name], samples_per_second(make().batch(6).prefetch(1), len(paths)))
    ours = rates["training pipeline"]
    for name, rate in rates.items():
        print(f"{name:38s} {rate:7.1f} images/s   training pipeline / this = {ours / rate:.2f}")


def plain_tensorflow(paths: list[str], size: tuple[int, int]) -> tf.data.Dataset:
    """Reads, decodes and resizes in the graph."""

    def load(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.image.resize(image, size), tf.uint8)

    return tf.data.Dataset.from_tensor_slices(paths).map(load, tf.data.AUTOTUNE)


def plain_opencv(paths: list[str], size: tuple[int, int]) -> tf.data.Dataset:
    """Reads with `posekit.images` and resizes with OpenCV."""

    def read(path):
        return cv2.resize(images.read_image(path.decode()), size[::-1])

    def load(path):
        image = tf.numpy_function(read, [path], tf.uint8)
        image.set_shape((*size, 3))
        return image

    return tf.data.Dataset.from_tensor_slices(paths).map(load, tf.data.AUTOTUNE)


def samples_per_second(batches: tf.data.Dataset, count: int) -> float:
    """Exhausts the batches and returns their rate."""
    start = time.perf_counter()
    for _ in batches:
        pass
    return count / (time.perf_counter() - start)


def step(recipe_name: str, batch_size: int | None, steps: int) -> None:
    """Prints the time of a training step and its share of the GEMM peak of the same run."""
    recipe = KEYPOINT_RECIPES[recipe_name][1]
    recipe = dataclasses.replace(recipe, backbone_weights="none")
    batch_size = batch_size or recipe.batch_size
    model, _, _ = build_keypoint_model(recipe, COCO)
    size = (recipe.patch_size, recipe.patch_size)
    macs = sum(count_macs(model, size).values())
    peak = gemm_peak()
    seconds = time_steps(model, size, batch_size, steps)
    # Forward once, backward twice: the gradient with respect to the input and to the kernel.
    flop = 3 * 2 * macs * batch_size
    parameters = model.count_params() / 1e6
    print(f"{recipe_name}: {parameters:.2f} M parameters, {macs / 1e9:.2f} GMAC an image")
    rate = batch_size / seconds
    print(f"training step of {batch_size} images: {seconds:.2f} s = {rate:.2f} images/s")
    print(
        f"{flop / seconds / 1e9:.0f} GFLOP/s of {peak / 1e9:.0f} GFLOP/s in 2048x2048 products: "
        f"{100 * flop / seconds / peak:.0f} %"
    )


def gemm_peak(side: int = 2048, repeats: int = 10) -> float:
    """Best rate of a float32 matrix product, FLOP/s."""
    a = tf.random.normal((side, side))
    tf.matmul(a, a).numpy()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        tf.matmul(a, a).numpy()
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds)


def time_steps(model, size: tuple[int, int], batch_size: int, steps: int) -> float:
    """Returns the median seconds of the loop's own training step on random data."""
    strategy = tf.distribute.get_strategy()
    optimizer = prepare_optimizer(model, keras.optimizers.Adam(1e-4), strategy, ema=None)
    train_step = make_train_step(model, heatmap_loss, optimizer, strategy, batch_size, None)
    cells = (batch_size, size[0] // STRIDE, size[1] // STRIDE)
    image = tf.cast(tf.random.uniform((batch_size, *size, 3), 0, 255), tf.uint8)
    maps = {"heatmaps": tf.random.uniform((*cells, COCO.num_keypoints))}
    targets = maps | {"mask": tf.random.uniform((*cells, 1))}
    batch = image, targets, {name: tf.ones((*cells, 1)) for name in targets}
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        terms, *_ = train_step(batch, tf.constant(0.0))
        float(terms["heatmaps"])
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))  # the first one is compiled
