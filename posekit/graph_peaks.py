"""Many peaks per heatmap, inside a TensorFlow graph: the twin of `posekit.peaks`."""

from typing import Literal, get_args

import tensorflow as tf

Offset = Literal["none", "sign", "parabola"]


def find_peaks_in_graph(
    heatmaps: tf.Tensor,
    stride: int,
    threshold: float = 0.1,
    max_peaks: int = 64,
    offset: Offset = "parabola",
) -> tf.Tensor:
    """Does what `peaks.find_peaks` does, on a batch and inside a TensorFlow graph.

    Plateaus of any form give one peak and shelves none, as there. Maps with NaN or infinity are not
    refused: a cell of NaN is no peak, one beside it may be, and infinity is one.

    Args:
        heatmaps: (B, h, w, K); sizes may be unknown until the graph runs.
        stride: network pixels per cell.
        threshold: least score, exclusive; at least 0.
        max_peaks: the highest so many of each channel are kept (of equal ones the first in reading
            order).
        offset: refinement within the cell, as in `peaks.find_peaks`.

    Returns:
        (B, K, max_peaks, 3) float32; x, y in network pixels and the score of the peak's cell,
        descending; unused rows are 0.

    Raises:
        ValueError: negative threshold, unknown offset.

    Measured: on one core for (1, 128, 128, 17) with 12 people 0.7 ms, with noise of 0.05 added to
    every cell 2.4 ms, constant 100 ms; `peaks.find_peaks` takes 0.3, 2.2 and 100 ms.
    """
    if not threshold >= 0 or offset not in get_args(Offset):
        raise ValueError(
            f"expected threshold >= 0 and an offset of {get_args(Offset)}, received {threshold} "
            f"and {offset!r}; 0 marks unused rows, so peaks must score above it"
        )
    heatmaps = tf.cast(heatmaps, tf.float32)
    batch, height, width, num_keypoints = tf.unstack(tf.shape(heatmaps))
    # With a border each cell has eight neighbours, a fixed step away in the flat padded map.
    padded = tf.pad(heatmaps, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-float("inf"))
    top = tf.where((heatmaps >= _highest_around(padded)) & (heatmaps > threshold))
    image, y, x, k = tf.unstack(tf.cast(top, tf.int32), axis=1)
    row = (width + 2) * num_keypoints
    place = (image * (height + 2) + y + 1) * row + (x + 1) * num_keypoints + k
    values, channel = tf.reshape(padded, [-1]), image * num_keypoints + k
    kept = tf.where(_starts_plateau(values, place, row, num_keypoints))[:, 0]
    kept, slot = _best(tf.gather(values, tf.gather(place, kept)), kept, channel, max_peaks)
    x, y, place = (tf.gather(of_top, kept) for of_top in (x, y, place))
    dx = _axis_shift(values, place, num_keypoints, (x > 0) & (x < width - 1), offset)
    dy = _axis_shift(values, place, row, (y > 0) & (y < height - 1), offset)
    places = tf.stack([tf.cast(x, tf.float32) + dx, tf.cast(y, tf.float32) + dy], axis=1) * stride
    peaks = tf.concat([places, tf.gather(values, place)[:, None]], axis=1)
    peaks = tf.scatter_nd(slot[:, None], peaks, [batch * num_keypoints * max_peaks, 3])
    return tf.reshape(peaks, [batch, num_keypoints, max_peaks, 3])


def _highest_around(padded: tf.Tensor) -> tf.Tensor:
    """Maximum over 3x3 cells, (B, h + 2, w + 2, K) -> (B, h, w, K); columns first, then rows."""
    padded = tf.maximum(tf.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    return tf.maximum(tf.maximum(padded[:, :, :-2], padded[:, :, 1:-1]), padded[:, :, 2:])


def _starts_plateau(
    values: tf.Tensor, place: tf.Tensor, row: tf.Tensor, column: tf.Tensor
) -> tf.Tensor:
    """Keeps the first cell of each plateau that is a maximum, and none of the others.

    Args:
        values: flat padded map.
        place: (P,) positions in it of the cells without a higher neighbour, in reading order.
        row: step to the next row.
        column: step to the next column.

    Returns:
        (P,) bool.
    """
    steps = tf.stack([i * row + j * column for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j])
    around = place[:, None] + steps
    equal = tf.gather(values, around) == tf.gather(values, place)[:, None]
    # Most maps have no two equal neighbours; only those that do pay for the search of plateaus.
    return tf.cond(
        tf.reduce_any(equal),
        lambda: _first_of_plateaus(equal, place, around, tf.size(values)),
        lambda: tf.ones_like(place, tf.bool),
    )


def _first_of_plateaus(
    equal: tf.Tensor, place: tf.Tensor, around: tf.Tensor, size: tf.Tensor
) -> tf.Tensor:
    """Does the work of `_starts_plateau`: spreads the lowest number over each plateau.

    Args:
        equal: (P, 8) bool, neighbours of the same value.
        place: (P,) positions.
        around: (P, 8) positions of the neighbours.
        size: length of the flat padded map.

    Returns:
        (P,) bool.
    """
    count = tf.size(place)
    number = tf.tensor_scatter_nd_update(tf.fill([size], count), place[:, None], tf.range(count))
    neighbour = tf.gather(number, around)  # `count` where it is no top

    def spread(label, _):
        lowest = tf.gather(tf.concat([label, [count]], axis=0), neighbour)
        lower = tf.minimum(label, tf.reduce_min(lowest, axis=1))
        lower = tf.gather(lower, lower)  # doubles the reach of every round
        return lower, tf.reduce_any(lower < label)

    label, _ = tf.while_loop(lambda _, changed: changed, spread, (tf.range(count), True))
    # A shelf on a slope touches an equal cell that has a higher neighbour.
    shelf = tf.reduce_any(equal & (neighbour == count), axis=1)
    shelves = tf.math.unsorted_segment_sum(tf.cast(shelf, tf.int32), label, count)
    return (label == tf.range(count)) & (shelves == 0)


def _best(
    scores: tf.Tensor, kept: tf.Tensor, channel: tf.Tensor, max_peaks: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Ranks the peaks of each channel.

    Args:
        scores: (P,) of the peaks, in reading order.
        kept: (P,) numbers of the peaks.
        channel: channel of image and keypoint of each number.
        max_peaks: kept of each channel.

    Returns:
        kept: (Q,) numbers of the best ones.
        slot: (Q,) channel * max_peaks + rank.
    """
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    kept = tf.gather(kept, order)
    order = tf.argsort(tf.gather(channel, kept), stable=True)
    kept = tf.gather(kept, order)
    channel = tf.gather(channel, kept)
    rank = tf.range(tf.size(channel)) - tf.searchsorted(channel, channel)
    best = rank < max_peaks
    return kept[best], (channel * max_peaks + rank)[best]


def _axis_shift(
    values: tf.Tensor, place: tf.Tensor, step: tf.Tensor, inside: tf.Tensor, offset: Offset
) -> tf.Tensor:
    """How far peaks lie from the middle of their cells along one axis, in cells.

    Args:
        values: flat padded map.
        place: (Q,) positions in it.
        step: to the next cell along the axis.
        inside: (Q,) bool; False at the border.
        offset: as in `find_peaks_in_graph`.

    Returns:
        (Q,) float32.
    """
    before, centre, after = (tf.gather(values, place + step * i) for i in (-1, 0, 1))
    if offset == "none":
        shift = tf.zeros_like(centre)
    elif offset == "sign":
        shift = 0.25 * tf.sign(after - before)
    else:
        # Logarithms of ratios, so that equal cells give exactly 0.
        left, right = (tf.math.log(tf.maximum(v / centre, 1e-3)) for v in (before, after))
        shift = 0.5 * tf.math.divide_no_nan(left - right, left + right)
    return tf.where(inside, shift, 0.0)
