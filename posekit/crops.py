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
) -> np.ndarray:
    """Grows a person's box to the shape of the network input and fills the input with it.

    The middle of the box comes to (width / 2, height / 2) of the input.

    Args:
        box: (4,) or (N, 4) xyxy in image pixels.
        size: (height, width) of the network input in pixels.
        margin: factor on the grown box.
        rotation: degrees by which the picture turns counter-clockwise; number or (N,).
        scale: factor on the grown box, for augmentation (above 1 the person gets smaller); number
            or (N,).

    Returns:
        (2, 3) or (N, 2, 3) float32, image pixels -> network pixels.

    Raises:
        ValueError: a box or factor that is not finite and positive.

    Reference: Xiao et al. 2018 (Simple Baselines), section 3; the factor 1.25 and the (width / 2,
    height / 2) are those of the published models, not of the paper.
    """
    box = np.asarray(box, np.float64)
    height, width = size
    wide, high = np.moveaxis(box[..., 2:] - box[..., :2], -1, 0)
    shown = np.maximum(wide, high * width / height) * margin * np.asarray(scale)
    if not (np.isfinite(shown) & (np.minimum(wide, high) > 0) & (shown > 0)).all():
        raise ValueError(
            f"expected finite xyxy boxes with x1 < x2 and y1 < y2, received {box.tolist()} "
            f"with margin {margin} and scale {scale}; drop empty boxes before cropping"
        )
    angle = np.deg2rad(rotation) + np.zeros_like(shown)
    cos, sin = width / shown * np.cos(angle), width / shown * np.sin(angle)
    x, y = np.moveaxis((box[..., :2] + box[..., 2:]) / 2, -1, 0)
    first = [cos, sin, width / 2 - cos * x - sin * y]
    second = [-sin, cos, height / 2 + sin * x - cos * y]
    return np.stack([np.stack(first, -1), np.stack(second, -1)], -2).astype(np.float32)
