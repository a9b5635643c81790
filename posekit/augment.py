"""Geometric and colour augmentation; image, keypoints, boxes and masks move together.

NumPy and OpenCV only; inside tf.data these functions run through tf.numpy_function.
"""

from __future__ import annotations

import cv2
import numpy as np

from posekit import affine
from posekit.boxes import box_areas, clip_boxes
from posekit.crops import fit_transform
from posekit.skeletons import Skeleton

_MASKS = ("person_mask", "ignore_mask", "unknown_mask")
_KNOWN = {"image", "image_id", "keypoints", "boxes", "areas", "is_crowd", *_MASKS}


def transform_example(
    example: dict[str, np.ndarray],
    transform: np.ndarray,
    size: tuple[int, int],
    skeleton: Skeleton,
    border: float | tuple[float, float, float] = 0,
    mask_stride: int = 1,
) -> dict[str, np.ndarray]:
    """Moves a whole example into a network input.

    Args:
        example: keypoints (N, K, 3), boxes (N, 4), areas (N,), is_crowd (N,) and, where there are
            any, image (H, W, 3), image_id, and the masks (H, W); coordinates in image pixels.
        transform: (2, 3), image pixels -> network pixels.
        size: network input (height, width) in pixels.
        skeleton: of the keypoints; its `flip` exchanges left and right where the transform mirrors.
        border: grey level or RGB colour where the input shows no image.
        mask_stride: network pixels per mask cell; cell j lies at network pixel j * mask_stride.

    Returns:
        A new example with the same keys, in network pixels. Keypoints outside of the input get (0,
        0, v = 0). Boxes are the hulls of the moved boxes, clipped to the input, and people whose
        box keeps no area there are left out. Areas are scaled, not clipped. Masks are (height /
        mask_stride, width / mask_stride), False outside of the image.

    Raises:
        ValueError: an unknown key, which could not be moved, or sizes or keypoints that do not fit.
    """
    _check(example, transform, size, skeleton, mask_stride)
    boxes = clip_boxes(affine.transform_boxes(example["boxes"], transform), size)
    kept = box_areas(boxes) > 0
    keypoints = _move_keypoints(example["keypoints"][kept], transform, size, skeleton)
    factor = np.float32(abs(affine.area_factor(transform)))
    result = dict(
        example,
        keypoints=keypoints,
        boxes=boxes[kept].astype(np.float32),
        areas=example["areas"][kept] * factor,
        is_crowd=example["is_crowd"][kept],
    )
    if "image" in example:
        result["image"] = affine.warp(example["image"], transform, size, border=border)
    for name in _MASKS:
        if name in example:
            result[name] = _move_mask(example[name], transform, size, mask_stride)
    return result


def random_transform(
    rng: np.random.Generator,
    image_size: tuple[int, int],
    size: tuple[int, int],
    base: np.ndarray | None = None,
    rotation: float = 40.0,
    scale: tuple[float, float] = (0.8, 1.2),
    translation: float = 0.0,
    flip: float = 0.3,
) -> np.ndarray:
    """Draws a rotation, scale, translation and mirroring about the middle of the network input.

    Args:
        rng: the source of chance; always advanced by the same number of draws.
        image_size: (height, width) of the image in pixels.
        size: network input (height, width) in pixels.
        base: (2, 3), image pixels -> network pixels before augmentation; None fits the whole image
            in.
        rotation: most degrees either way.
        scale: least and greatest factor; above 1 people get larger.
        translation: most network pixels either way, on each axis.
        flip: probability of mirroring left to right.

    Returns:
        (2, 3) float32, image pixels -> network pixels.

    Reference: Kocabas et al. 2018 (MultiPoseNet), section 4: rotation 40, scale 0.8 to 1.2, flip
    0.3.
    """
    angle = rng.uniform(-rotation, rotation)
    factor = rng.uniform(*scale)
    dx, dy = rng.uniform(-translation, translation, 2)
    mirrored = rng.random() < flip
    height, width = size
    x, y = (width - 1) / 2, (height - 1) / 2
    steps = [
        fit_transform(image_size, size) if base is None else base,
        affine.translation(-x, -y),
        affine.rotation(angle),
        affine.scaling(factor),
        affine.translation(x + dx, y + dy),
    ]
    return affine.compose(*steps, *([affine.mirror(width)] if mirrored else []))


def random_colour(
    rng: np.random.Generator,
    image: np.ndarray,
    brightness: float = 0.15,
    contrast: float = 0.2,
    saturation: float = 0.2,
    hue: float = 0.03,
) -> np.ndarray:
    """Changes hue, saturation, contrast and brightness, all in one linear map of the colours.

    Args:
        rng: the source of chance; always advanced by the same number of draws.
        image: (H, W, 3) uint8 RGB.
        brightness: most that is added or taken away, as a part of 255.
        contrast: the distance from the image's mean grey is scaled by 1 - contrast to 1 + contrast.
        saturation: the distance from the pixel's grey is scaled by 1 - saturation to 1 +
            saturation.
        hue: most that colours turn about the grey axis, in full turns either way.

    Returns:
        (H, W, 3) uint8; all strengths 0 give the image itself back.
    """
    draws = rng.uniform(-1, 1, 4) * (brightness, contrast, saturation, hue)
    grey = np.tile([0.299, 0.587, 0.114], (3, 1))  # ITU-R BT.601
    matrix = (1 + draws[2]) * (np.eye(3) - grey) + grey
    matrix = (1 + draws[1]) * matrix @ _turn_about_grey(draws[3])
    mean = grey[0] @ cv2.mean(image)[:3]
    offset = 255 * draws[0] - draws[1] * mean
    return cv2.transform(image, np.column_stack([matrix, np.full(3, offset)]))


def _check(
    example: dict[str, np.ndarray],
    transform: np.ndarray,
    size: tuple[int, int],
    skeleton: Skeleton,
    mask_stride: int,
) -> None:
    affine.invert(transform)  # says what is wrong with one that cannot be inverted
    unknown = sorted(set(example) - _KNOWN)
    if unknown:
        raise ValueError(
            f"expected only the keys {sorted(_KNOWN)}, received also {unknown}; "
            "take them out first: people may be left out here and coordinates change"
        )
    if example["keypoints"].shape[1:] != (skeleton.num_keypoints, 3):
        raise ValueError(
            f"expected keypoints (N, {skeleton.num_keypoints}, 3) of skeleton {skeleton.name}, "
            f"received {example['keypoints'].shape}; remap_keypoints converts between skeletons"
        )
    if size[0] % mask_stride or size[1] % mask_stride:
        raise ValueError(
            f"expected a size in multiples of mask_stride {mask_stride}, received {size}; "
            "round the network input up"
        )


def _move_keypoints(
    keypoints: np.ndarray, transform: np.ndarray, size: tuple[int, int], skeleton: Skeleton
) -> np.ndarray:
    """Moves keypoints (N, K, 3) and clears those that leave the pixels of the input."""
    moved = affine.transform_points(keypoints, transform)
    if affine.is_mirrored(transform):
        moved = moved[:, list(skeleton.flip)]
    height, width = size
    places = moved[..., :2]
    # Pixel 0 reaches from -0.5 to 0.5.
    inside = ((places >= -0.5) & (places < (width - 0.5, height - 0.5))).all(axis=-1)
    return np.where((inside & (moved[..., 2] > 0))[..., None], moved, np.float32(0))


def _move_mask(
    mask: np.ndarray, transform: np.ndarray, size: tuple[int, int], stride: int
) -> np.ndarray:
    """Moves a mask; a cell is True where at least half of what it shows is.

    Args:
        mask: (H, W) bool.
        transform: (2, 3), image pixels -> network pixels.
        size: network input (height, width) in pixels.
        stride: network pixels per cell.

    Returns:
        (height / stride, width / stride) bool.
    """
    cells = (size[0] // stride, size[1] // stride)
    if not mask.any():
        return np.zeros(cells, bool)
    to_cells = affine.compose(transform, affine.scaling(1 / stride))
    levels = mask.astype(np.uint8) * np.uint8(255)
    # Where the mask shrinks, a cell shows the majority of the pixels round its middle, not one.
    pixels_per_cell = abs(affine.area_factor(to_cells)) ** -0.5
    side = 2 * round((pixels_per_cell - 1) / 2) + 1
    if side >= 3:
        levels = cv2.blur(levels, (side, side), borderType=cv2.BORDER_REPLICATE)
    return affine.warp(levels, to_cells, cells) >= 128


def _turn_about_grey(turns: float) -> np.ndarray:
    """Returns the (3, 3) rotation of RGB about (1, 1, 1); by Rodrigues' formula."""
    angle = 2 * np.pi * turns
    axis = np.full(3, 3**-0.5)
    cross = np.cross(np.eye(3), axis)
    return (
        np.cos(angle) * np.eye(3)
        + np.sin(angle) * cross
        + (1 - np.cos(angle)) * np.outer(axis, axis)
    )
