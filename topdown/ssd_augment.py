"""SSD's augmentation: colours, a larger canvas, and random crops that keep someone.

All geometry becomes one window of the image, which may reach beyond it; stretched to the network
input, and maybe mirrored, it is drawn by a single affine transform.
"""

import dataclasses

import numpy as np

from posekit import affine, augment
from posekit.boxes import iou_matrix
from posekit.colours import IMAGENET_MEAN

LEAST_OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
"""Least IoU of a crop with somebody's box; 0 = any crop."""
TRIALS = 50
"""Crops that are drawn in search of one that fits."""
LEAST_SIDE = 0.1**0.5
"""Least side of a crop, as a share of the image's: the paper's tenth, read as area."""
COLOUR_STRENGTHS = (32 / 255, 0.5, 0.5, 0.1)
"""Of brightness, contrast, saturation and hue, see `posekit.augment.random_colour`."""


@dataclasses.dataclass(frozen=True)
class SsdAugmentation:
    """Random changes of a training image."""

    flip: float = 0.5
    """Probability of a horizontal mirror."""
    expand: float = 4.0
    """Half of the images lie anywhere on a canvas of up to this many times their sides."""
    crop: bool = True
    """Whether six of seven images are cropped."""
    colour: float = 1.0
    """Factor on the strengths of colour changes; 0 = none."""


def random_window(
    rng: np.random.Generator,
    image_size: tuple[int, int],
    boxes: np.ndarray,
    augmentation: SsdAugmentation,
) -> np.ndarray:
    """Draws the part of the image, or of the canvas round it, that the network shall see.

    Args:
        rng: the source of chance; always advanced by the same number of draws.
        image_size: (height, width) in pixels.
        boxes: (N, 4) xyxy of people, image pixels.
        augmentation: how much may change.

    Returns:
        (4,) float64 xyxy in image pixels; beyond the image where the canvas is larger.

    Reference: Liu et al. 2016 (SSD), section 2.2, "data augmentation", and section 3.6 for the
    canvas. Each crop has 0.1 to 1 of the area, an aspect ratio of 1/2 to 2 relative to the
    image's, and the centre of at least one person, since an image without people teaches nothing.
    """
    canvas = _random_canvas(rng, image_size, augmentation.expand)
    choice = rng.integers(len(LEAST_OVERLAPS) + 1)
    crops = _random_crops(rng, canvas)
    if choice == len(LEAST_OVERLAPS) or not augmentation.crop or not len(boxes):
        return canvas
    fits = iou_matrix(crops, boxes).max(axis=1) >= LEAST_OVERLAPS[choice]
    fits &= centres_inside(boxes, crops).any(axis=1)
    return crops[fits.argmax()] if fits.any() else canvas


def random_colours(
    rng: np.random.Generator, image: np.ndarray, strength: float = 1.0
) -> np.ndarray:
    """Changes brightness, contrast, saturation and hue, each in half of the cases.

    Args:
        rng: the source of chance; always advanced by the same number of draws.
        image: (H, W, 3) uint8 RGB.
        strength: factor on SSD's strengths.

    Returns:
        (H, W, 3) uint8.
    """
    chosen = rng.random(4) < 0.5
    return augment.random_colour(rng, image, *(strength * chosen * COLOUR_STRENGTHS))


def window_transform(window: np.ndarray, size: int, mirrored: bool = False) -> np.ndarray:
    """Stretches a window to the square network input, edges upon edges.

    Args:
        window: (4,) xyxy, image pixels.
        size: side of the input, pixels.
        mirrored: left to right.

    Returns:
        (2, 3) float32, image pixels -> network pixels.
    """
    x1, y1, x2, y2 = map(float, window)
    steps = [
        affine.translation(0.5 - x1, 0.5 - y1),  # from pixel centres to edges of the window
        affine.scaling((size / (x2 - x1), size / (y2 - y1))),
        affine.translation(-0.5, -0.5),
    ]
    return affine.compose(*steps, *([affine.mirror(size)] if mirrored else []))


def draw_window(image: np.ndarray, transform: np.ndarray, size: int) -> np.ndarray:
    """Draws what the network shall see, in the mean colour where there is no image.

    Args:
        image: (H, W, 3) uint8 RGB.
        transform: (2, 3), from `window_transform`.
        size: side of the input, pixels.

    Returns:
        (size, size, 3) uint8.
    """
    return affine.warp(image, transform, (size, size), border=IMAGENET_MEAN)


def centres_inside(boxes: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Returns (T, N) bool: whether the centre of box n of (N, 4) lies in window t of (T, 4)."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = (centres >= windows[:, None, :2]) & (centres < windows[:, None, 2:])
    return inside.all(axis=-1)


def _random_canvas(rng, image_size: tuple[int, int], expand: float) -> np.ndarray:
    """The image, or in half of the cases a canvas on which it lies anywhere; (4,) xyxy."""
    size = np.array(image_size[::-1], np.float64)
    chosen, ratio, place = rng.random() < 0.5, rng.uniform(1, expand), rng.random(2)
    if not chosen:
        return np.concatenate([np.zeros(2), size])
    corner = -place * (ratio - 1) * size
    return np.concatenate([corner, corner + ratio * size])


def _random_crops(rng, canvas: np.ndarray) -> np.ndarray:
    """Draws TRIALS parts of a canvas; (TRIALS, 4) xyxy."""
    scale = rng.uniform(LEAST_SIDE, 1, TRIALS)
    # No side may be longer than the canvas's.
    low, high = np.maximum(0.5, scale**2), np.minimum(2, scale**-2)
    root = np.sqrt(rng.uniform(low, high))
    sides = np.stack([scale * root, scale / root], axis=1)
    corners = rng.random((TRIALS, 2)) * (1 - sides)
    whole = canvas[2:] - canvas[:2]
    return np.concatenate([corners, corners + sides], axis=1) * np.tile(whole, 2) + np.tile(
        canvas[:2], 2
    )
