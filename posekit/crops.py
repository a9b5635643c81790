"""Transforms that place a whole image, a patch or one person's box into a network input."""

from __future__ import annotations

from typing import Literal

import numpy as np


def fit_transform(
    image_size: tuple[int, int],
    size: tuple[int, int],
    side: Literal["longer", "shorter"] = "longer",
    centre: tuple[float, float] | None = None,
) -> np.ndarray:
    """Scales an image, keeping its shape, and puts a point of it into the middle of the input.

    Args:
        image_size: (height, width) of the image in pixels.
        size: (height, width) of the network input in pixels.
        side: "longer" shows the whole image with empty bands; "shorter" fills the input and cuts
            off the rest.
        centre: (x, y) in image pixels that comes to the middle of the input; None is the middle of
            the image. The middle of w pixels is (w - 1) / 2.

    Returns:
        (2, 3) float32, image pixels -> network pixels.

    Raises:
        ValueError: a size that is not positive, or another word for `side`.
    """
    if min(*image_size, *size) <= 0:
        raise ValueError(
            f"expected positive sizes, received image {image_size} and input {size}; "
            "check that the image was read"
        )
    if side not in ("longer", "shorter"):
        raise ValueError(f"expected side 'longer' or 'shorter', received {side!r}; use one of them")
    ratios = np.divide(size, image_size)
    scale = ratios.min() if side == "longer" else ratios.max()
    middle = (np.array(image_size[::-1]) - 1) / 2 if centre is None else np.array(centre)
    offset = (np.array(size[::-1]) - 1) / 2 - scale * middle
    return np.array([[scale, 0, offset[0]], [0, scale, offset[1]]], np.float32)


def person_crop_transform(
    box: np.ndarray,
    size: tuple[int, int],
    margin: float = 1.25,
    rotation: float | np.ndarray = 0.0,
    scale: float | np.ndarray = 1.0,
    *,
    pixels: float = 0.0,
    extension: tuple[float, float] = (0.0, 0.0),
    stretch: bool = False,
) -> np.ndarray:
    """Grows a person's box to the shape of the network input and fills the input with it.

    The middle of the box, its edges read as points, comes to (width / 2, height / 2) of the input.
    That is half a pixel of each beside the true middles, as in the published models; what is found
    in a crop goes back through the same transform, so nothing is displaced.

    Args:
        box: (4,) or (N, 4) xyxy in image pixels.
        size: (height, width) of the network input in pixels.
        margin: factor on the grown box.
        rotation: degrees by which the picture turns counter-clockwise; number or (N,).
        scale: factor on the grown box, for augmentation (above 1 the person gets smaller); number
            or (N,).
        pixels: added on every side of the box before it grows.
        extension: shares of its width and height added on every side before it grows.
        stretch: fills the input with the box as it is, distorted, instead of growing it.

    Returns:
        (2, 3) or (N, 2, 3) float32, image pixels -> network pixels.

    Raises:
        ValueError: a box or factor that is not finite and positive.

    Reference: Xiao et al. 2018 (Simple Baselines), section 3; the factor 1.25 and the (width / 2,
    height / 2) are those of the published models, not of the paper. `pixels`: Enhanced two-stage
    (60 on every side). `extension`: Cascaded Pyramid Network, whose crops MDPN takes (0.1, 0.15).
    """
    box = np.asarray(box, np.float64)
    height, width = size
    wide, high = np.moveaxis(box[..., 2:] - box[..., :2], -1, 0)
    factors = margin * np.asarray(scale)
    if not (np.isfinite(box).all() and (np.minimum(wide, high) > 0).all() and (factors > 0).all()):
        raise ValueError(
            f"expected finite xyxy boxes with x1 < x2 and y1 < y2, received {box.tolist()} "
            f"with margin {margin} and scale {scale}; drop empty boxes before cropping"
        )
    wide = wide * (1 + 2 * extension[0]) + 2 * pixels
    high = high * (1 + 2 * extension[1]) + 2 * pixels
    if not stretch:
        wide, high = (
            np.maximum(wide, high * width / height),
            np.maximum(high, wide * height / width),
        )
    along_x, along_y = width / (wide * factors), height / (high * factors)
    angle = np.deg2rad(rotation) + np.zeros_like(along_x)
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = np.moveaxis((box[..., :2] + box[..., 2:]) / 2, -1, 0)
    first = [along_x * cos, along_x * sin, width / 2 - along_x * (cos * x + sin * y)]
    second = [-along_y * sin, along_y * cos, height / 2 + along_y * (sin * x - cos * y)]
    return np.stack([np.stack(first, -1), np.stack(second, -1)], -2).astype(np.float32)
