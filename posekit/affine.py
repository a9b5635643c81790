"""Affine transforms as (2, 3) float32 matrices, applied to points, boxes and images.

A transform maps a point (x, y) of one frame to another: p' = t[:, :2] @ p + t[:, 2]. x points
right, y points down and the centre of the top-left pixel is (0, 0), in every frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def scaling(factor: float | tuple[float, float]) -> np.ndarray:
    """Scales about the centre of the top-left pixel.

    Args:
        factor: one factor for both axes, or (x factor, y factor).

    Returns:
        (2, 3) float32.
    """
    x, y = np.broadcast_to(factor, 2)
    return np.array([[x, 0, 0], [0, y, 0]], np.float32)


def rotation(degrees: float, centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Turns the picture counter-clockwise, as the eye sees it, about a point.

    Args:
        degrees: angle; 90 takes the point right of the centre to above it.
        centre: (x, y), the point that stays.

    Returns:
        (2, 3) float32.
    """
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = centre
    matrix = [[cos, sin, x - cos * x - sin * y], [-sin, cos, y + sin * x - cos * y]]
    return np.array(matrix, np.float32)


def translation(dx: float, dy: float) -> np.ndarray:
    """Moves by (dx, dy) pixels; (2, 3) float32."""
    return np.array([[1, 0, dx], [0, 1, dy]], np.float32)


def mirror(width: int) -> np.ndarray:
    """Mirrors a picture of that width left to right: x becomes width - 1 - x; (2, 3) float32."""
    return np.array([[-1, 0, width - 1], [0, 1, 0]], np.float32)


def compose(*first_to_last: np.ndarray) -> np.ndarray:
    """Joins transforms into one; the first argument acts first.

    Args:
        first_to_last: (2, 3) each; none at all gives the identity.

    Returns:
        (2, 3) float32.
    """
    result = np.eye(3)
    for transform in first_to_last:
        result = _square(transform) @ result
    return result[:2].astype(np.float32)


def invert(transform: np.ndarray) -> np.ndarray:
    """Returns the transform that leads back.

    Args:
        transform: (2, 3).

    Returns:
        (2, 3) float32.

    Raises:
        ValueError: the transform is not finite or maps everything to a line or a point.
    """
    matrix = _square(transform)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        raise ValueError(
            f"expected an invertible transform, received {np.asarray(transform).tolist()}; "
            "check the box or the scale it was made from: zero or non-finite sizes give this"
        )
    return np.linalg.inv(matrix)[:2].astype(np.float32)


def is_mirrored(transform: np.ndarray) -> bool:
    """Tells whether left and right are exchanged, i.e. whether the determinant is negative."""
    return bool(area_factor(transform) < 0)


def area_factor(transform: np.ndarray) -> float:
    """Returns the determinant: the factor on areas, negative where the transform mirrors."""
    (a, b, _), (c, d, _) = np.asarray(transform, np.float64)
    return float(a * d - b * c)


def transform_points(points: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """Maps points.

    Args:
        points: (..., 2) x, y, or (..., 3) whose third column (visibility or score) is kept.
        transform: (2, 3).

    Returns:
        float32 of the shape of `points`.
    """
    points = np.asarray(points, np.float32)
    if points.shape[-1] not in (2, 3):
        raise ValueError(
            f"expected points (..., 2) or (..., 3), received {points.shape}; "
            "put x, y and, if any, the score on the last axis"
        )
    transform = np.asarray(transform, np.float32)
    moved = points[..., :2] @ transform[:, :2].T + transform[:, 2]
    return np.concatenate([moved, points[..., 2:]], axis=-1)


def transform_boxes(boxes: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """Maps boxes to the axis-aligned hull of their four mapped corners.

    Box edges count from the outer corner of the top-left pixel, as in COCO files, half a pixel from
    where points count; so a box that holds an image's pixels holds them again after the transform,
    and the mirror of (0, 0, 10, 5) in 64 pixels is (54, 0, 64, 5).

    Args:
        boxes: (N, 4) xyxy.
        transform: (2, 3), of points.

    Returns:
        (N, 4) float32 xyxy.
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4) - np.float32(0.5)
    corners = transform_points(boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2), transform)
    hull = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return hull + np.float32(0.5)


def warp(
    image: np.ndarray,
    transform: np.ndarray,
    size: tuple[int, int],
    linear: bool = True,
    border: float | tuple[float, ...] = 0,
) -> np.ndarray:
    """Draws an image into another frame.

    Args:
        image: (H, W) or (H, W, C up to 4); uint8, float32 or bool.
        transform: (2, 3), pixels of `image` -> pixels of the result.
        size: (height, width) of the result.
        linear: bilinear interpolation; False takes the nearest pixel (always so for bool).
        border: value, or one value per channel, of what lies outside of the image.

    Returns:
        (height, width[, C]) of the dtype of `image`.
    """
    if image.dtype == bool:
        return warp(image.view(np.uint8), transform, size, linear=False, border=border).view(bool)
    channels = image.shape[2] if image.ndim == 3 else 1
    if channels == 3 and image.dtype == np.uint8 and linear:
        return _warp_colours(image, transform, size, border)
    colour = np.broadcast_to(border, channels).tolist()
    matrix = np.asarray(transform, np.float64)
    flags = cv2.INTER_LINEAR if linear else cv2.INTER_NEAREST
    result = cv2.warpAffine(image, matrix, size[::-1], flags=flags, borderValue=colour)
    return result.reshape(*size, *image.shape[2:])


def _warp_colours(image, transform, size, border) -> np.ndarray:
    # OpenCV 5 warps four bytes a pixel twice as fast as three (0.38 ms, 0.75 ms at 480x480), to the
    # same values.
    colour = (*np.broadcast_to(border, 3).tolist(), 0)
    result = warp(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA), transform, size, border=colour)
    return cv2.cvtColor(result, cv2.COLOR_RGBA2RGB)


def warp_in_graph(images: tf.Tensor, transforms: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Does what `warp` does, bilinear on black, on a batch and inside a TensorFlow graph.

    Args:
        images: (B, H, W, C), any real dtype.
        transforms: (B, 2, 3) float32, pixels of the image -> pixels of the result.
        size: (height, width) of the result.

    Returns:
        (B, height, width, C) float32, within 0.51 grey levels of `warp`, which rounds, on
        photographs of 640x480 (measured on 30); 0.56 on white noise of 3000x2000, since the
        operation keeps places in float32.
    """
    import tensorflow as tf

    # The operation asks for the map from the result back to the image, as 8 numbers, the last 0, 0.
    transforms = tf.cast(transforms, tf.float64)
    inverse = tf.linalg.inv(transforms[:, :, :2])
    offset = -tf.linalg.matvec(inverse, transforms[:, :, 2])
    rows = tf.concat([inverse, offset[:, :, None]], axis=2)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.pad(tf.cast(tf.reshape(rows, [-1, 6]), tf.float32), [[0, 0], [0, 2]]),
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _square(transform: np.ndarray) -> np.ndarray:
    """Adds the row (0, 0, 1); (3, 3) float64, so that long chains lose nothing."""
    return np.vstack([np.asarray(transform, np.float64), [0.0, 0.0, 1.0]])
