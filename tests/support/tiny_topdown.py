"""Top-down networks for tests: one of random weights, and one that finds coloured spots."""

import functools

import keras
import numpy as np

from posekit.resnet import resnet
from posekit.skeletons import COCO, MPII, POSETRACK, Skeleton
from topdown.settings import PoseReading, Settings
from topdown.simple_baseline import simple_baseline

SPOTS = Skeleton("spots", ("red", "green", "blue"), ((0, 1),), (0, 1, 2), (0.1, 0.1, 0.1))
HEADS = {"coco": COCO, "mpii": MPII, "posetrack": POSETRACK}


@functools.cache
def random_network(*names: str, size: tuple[int, int] = (64, 64), **settings) -> keras.Model:
    """A network with some of `HEADS`."""
    keras.utils.set_random_seed(0)
    domains = {name: HEADS[name] for name in names or ("coco",)}
    return simple_baseline(resnet(18, width=8), Settings(domains, size, **settings), filters=8)


@functools.cache
def spotter(size: tuple[int, int] = (128, 96), **settings) -> keras.Model:
    """Heatmap cell (i, j) is the colour of crop pixel (4 i, 4 j), a channel for each keypoint."""
    crops = keras.Input((*size, 3), name="crops")
    x = PoseReading(Settings({"spots": SPOTS}, size, **settings), name="reading")(crops)
    x = keras.layers.MaxPooling2D(1, 4)(x)
    return keras.Model(crops, {"spots": keras.layers.Rescaling(1 / 255)(x)})


def spots(places: np.ndarray, size: tuple[int, int], sigma: float = 6.0) -> np.ndarray:
    """An image (H, W, 3) with a blurred spot of each keypoint at places (N, 3, 2)."""
    y, x = np.indices(size)[..., None]
    squared = [(x - person[:, 0]) ** 2 + (y - person[:, 1]) ** 2 for person in places]
    return np.uint8(np.exp(-np.array(squared) / (2 * sigma**2)).max(axis=0) * 250)
