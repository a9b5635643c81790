"""Gives the peaks of a batch of images to its person boxes, inside a TensorFlow graph.

All people of all images go through the Pose Residual Network in one call. `assignment.group` is the
same for one image, in NumPy.
"""

import keras
import tensorflow as tf

from multiposenet.assignment import best_places, window_scores
from multiposenet.graph_assignment import assign_in_graph
from multiposenet.keypoint_subnet import STRIDE
from multiposenet.prn import input_kind
from multiposenet.prn_inputs import MARGIN, crop_heatmaps, draw_inputs, locate


def group_in_graph(
    prn: keras.Model,
    peaks: tf.Tensor,
    boxes: tf.Tensor,
    num: tf.Tensor,
    rule: str = "clean",
    margin: float = MARGIN,
    weights: tf.Tensor | None = None,
    heatmaps: tf.Tensor | None = None,
    fill: bool = False,
) -> tf.Tensor:
    """Groups peaks into one pose per box.

    Args:
        prn: see `prn.prn`.
        peaks: (B, K, M, 3) x, y, score in network pixels, from `graph_peaks.find_peaks_in_graph`.
        boxes: (B, N, 4) xyxy, network pixels.
        num: (B,) int32; the first so many boxes of each image are people.
        rule: see `assignment.assign`.
        margin: see `prn_inputs.locate`.
        weights: (B, N) factor on each person's scores where people compete for a peak; None: 1.
        heatmaps: (B, h, w, K), which a PRN of raw heatmap crops reads (`prn.input_kind`).
        fill: puts a keypoint that a person did not get where the PRN's map is highest, score 0.

    Returns:
        (B, N, K, 3) float32 x, y, score; a keypoint that a person did not get is 0, 0, 0 without
        `fill`.
    """
    candidates = tf.transpose(peaks, (0, 2, 1, 3))  # (B, M, K, 3)
    people = tf.where(tf.sequence_mask(num, tf.shape(boxes)[1]))  # (P, 2) image, row
    own = tf.gather(candidates, people[:, 0]), tf.gather_nd(boxes, people)
    crops = None
    if input_kind(prn) == "heatmaps":
        crops = crop_heatmaps(heatmaps, people[:, 0], own[1], STRIDE, prn.input_shape[1:3])
    scores, member, guess = score_candidates(prn, *own, margin, crops)
    if weights is not None:
        scores *= tf.gather_nd(weights, people)[:, None, None]
    shape = tf.concat([tf.shape(boxes)[:2], tf.shape(candidates)[1:3]], axis=0)
    shape = tf.cast(shape, tf.int64)
    scores = tf.scatter_nd(people, scores, shape)
    member = tf.scatter_nd(people, tf.cast(member, tf.int32), shape) > 0
    chosen = assign_in_graph(scores, member, rule)
    keypoints = take_in_graph(candidates, chosen)
    if not fill:
        return keypoints
    guess = tf.scatter_nd(
        people, tf.pad(guess, [[0, 0], [0, 0], [0, 1]]), tf.shape(keypoints, tf.int64)
    )
    return tf.where(chosen[..., None] < 0, guess, keypoints)


def score_candidates(
    prn: keras.Model,
    candidates: tf.Tensor,
    boxes: tf.Tensor,
    margin: float = MARGIN,
    inputs: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Scores every candidate for every person.

    Args:
        prn: see `prn.prn`.
        candidates: (P, M, K, 3) x, y, score of each person's image.
        boxes: (P, 4) xyxy.
        margin: see `prn_inputs.locate`.
        inputs: (P, h, w, K) that the PRN reads; None: impulses at the candidates.

    Returns:
        scores: (P, M, K) float32, from the PRN's maps and the candidates' own scores.
        member: (P, M, K) bool, which candidates the person may take.
        guess: (P, K, 2) float32 x, y where the PRN's maps are highest.
    """
    size = prn.input_shape[1:3]
    cells, member = locate(candidates, boxes, size, margin)
    inputs = draw_inputs(cells, member, size) if inputs is None else inputs
    maps = prn(inputs, training=False)["maps"]
    scores = window_scores(maps, cells, member, candidates[..., 2])
    return scores, member, best_places(maps, boxes)


def take_in_graph(candidates: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Collects the chosen candidates.

    Args:
        candidates: (B, M, K, 3) x, y, score.
        chosen: (B, N, K) int32, -1 for none.

    Returns:
        (B, N, K, 3) float32; 0 where none was chosen.
    """
    # One row of zeros more, so that there is always something to gather.
    padded = tf.pad(candidates, [[0, 0], [0, 1], [0, 0], [0, 0]])
    places = tf.where(chosen >= 0, chosen, tf.shape(candidates)[1])
    by_kind = tf.transpose(padded, (0, 2, 1, 3))  # (B, K, M + 1, 3)
    found = tf.gather(by_kind, tf.transpose(places, (0, 2, 1)), batch_dims=2)
    return tf.transpose(found, (0, 2, 1, 3))
