"""One keypoint per heatmap, inside a TensorFlow graph: the twin of `posekit.decoding`."""

from typing import Literal, get_args

import tensorflow as tf

Offset = Literal["none", "sign", "second_peak"]


def decode_heatmaps_in_graph(
    heatmaps: tf.Tensor, stride: int, offset: Offset = "none", blur_sigma: float | None = None
) -> tf.Tensor:
    """Does what `decoding.decode_heatmaps` does, inside a TensorFlow graph.

    Maps with NaN or infinity are not refused.

    Args:
        heatmaps: (B, h, w, K), of two cells or more; sizes may be unknown until the graph runs.
        stride: network pixels per heatmap cell.
        offset: as in `decoding.decode_heatmaps`.
        blur_sigma: likewise.

    Returns:
        (B, K, 3) float32 x, y in network pixels, score.

    Raises:
        ValueError: unknown offset.

    With the filter the two sides round differently, so that of cells that are equal to 1e-7 each
    may take another.
    """
    if offset not in get_args(Offset):
        raise ValueError(f"expected an offset of {get_args(Offset)}, received {offset!r}")
    maps = tf.transpose(tf.cast(heatmaps, tf.float32), [0, 3, 1, 2])
    searched = maps if blur_sigma is None else _blurred(maps, blur_sigma)
    batch, num_keypoints, height, width = tf.unstack(tf.shape(maps))
    flat = tf.reshape(searched, [batch, num_keypoints, height * width])
    # Of equal cells top_k promises the first, which argmax does not.
    values, cells = tf.math.top_k(flat, 2 if offset == "second_peak" else 1)
    best = cells[..., 0]
    if offset == "sign":
        shift = _sign_shift(flat, best, height, width)
    elif offset == "second_peak":
        shift = _second_peak_shift(values, cells, width)
    else:
        shift = 0.0
    raw = tf.gather(tf.reshape(maps, tf.shape(flat)), best, batch_dims=2)
    places = (tf.cast(_places(best, width), tf.float32) + shift) * stride
    result = tf.concat([places, tf.maximum(raw, 0)[..., None]], axis=-1)
    return tf.where(values[..., :1] > 0, result, 0)


def _places(cells: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Flat indices (...) -> (..., 2) int32 x, y."""
    return tf.stack([cells % width, cells // width], axis=-1)


def _sign_shift(flat: tf.Tensor, best: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """(B, K, h * w) and (B, K) -> (B, K, 2): a quarter cell towards the higher neighbours."""
    places = _places(best, width)
    last = tf.stack([width, height]) - 1
    inner = tf.reduce_all((places > 1) & (places < last), axis=-1, keepdims=True)
    steps = tf.stack([1, width, -1, -width])
    around = tf.gather(flat, tf.where(inner, best[..., None] + steps, 0), batch_dims=2)
    return 0.25 * tf.sign(around[..., :2] - around[..., 2:]) * tf.cast(inner, tf.float32)


def _second_peak_shift(values: tf.Tensor, cells: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """The two highest (B, K, 2) -> (B, K, 2): a quarter cell from the one towards the other."""
    places = tf.cast(_places(cells, width), tf.float32)
    direction = places[..., 1, :] - places[..., 0, :]
    shift = 0.25 * direction / tf.norm(direction, axis=-1, keepdims=True)
    return tf.where(values[..., 1:] > 0, shift, 0)


def _blurred(maps: tf.Tensor, sigma: float) -> tf.Tensor:
    """Filters (B, K, h, w) as `decoding` does, by one product along each axis."""
    height, width = tf.unstack(tf.shape(maps)[2:])
    return _gaussian(height, sigma) @ maps @ _gaussian(width, sigma)


def _gaussian(length: tf.Tensor, sigma: float) -> tf.Tensor:
    """(length, length) float32; each row the filter about one cell, without what is outside."""
    radius = round(sigma * 20 / 7)
    weights = tf.exp(-0.5 * (tf.range(-radius, radius + 1, dtype=tf.float64) / sigma) ** 2)
    positions = tf.range(length)
    distance = tf.abs(positions[:, None] - positions)
    whole = tf.exp(-0.5 * (tf.cast(distance, tf.float64) / sigma) ** 2) / tf.reduce_sum(weights)
    return tf.cast(tf.where(distance <= radius, whole, 0), tf.float32)
