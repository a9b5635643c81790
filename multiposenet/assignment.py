"""Gives keypoint peaks to person boxes, from the maps that the PRN or a baseline makes of them.

Scores and choices are arrays over people (N), candidates of a type (M) and keypoint types (K).
"""

from typing import Literal, get_args

import numpy as np
from keras import ops
from scipy.optimize import linear_sum_assignment

from multiposenet.prn_inputs import (
    INPUT_SIGMA,
    MARGIN,
    check_people,
    draw_inputs,
    locate,
    profiles_at,
)

WINDOW = 15
"""Height and width in cells of the window round a peak whose sum is its score."""
Rule = Literal["clean", "likelihood", "published"]


def window_scores(maps, cells, member, confidences: np.ndarray | float = 1.0, window: int = WINDOW):
    """Sums each person's map in a window round every candidate, times the candidate's confidence.

    Takes arrays as well as tensors, also inside a tf.function.

    Args:
        maps: (N, h, w, K) output of the PRN.
        cells: (N, M, K, 2) int32 row and column, from `prn_inputs.locate`.
        member: (N, M, K) bool.
        confidences: broadcastable to (N, M, K).
        window: odd side of the window in cells; it is cut at the border.

    Returns:
        (N, M, K) float32 tensor; 0 where a candidate is no member.
    """
    maps = ops.transpose(maps, (0, 3, 1, 2))
    bands = tuple(_bands(side, window) for side in maps.shape[2:])
    tall, wide = profiles_at(ops.transpose(cells, (0, 2, 1, 3)), bands)  # (N, K, M, side)
    scores = ops.sum(ops.matmul(tall, maps) * wide, axis=-1)
    scores = ops.transpose(scores, (0, 2, 1)) * ops.cast(confidences, "float32")
    return ops.where(member, scores, 0.0)


def _bands(side: int, window: int) -> np.ndarray:
    """One row per cell: 1 where the window round it reaches; (side, side)."""
    places = np.arange(side)
    return (np.abs(places[:, None] - places) <= window // 2).astype(np.float32)


def assign(scores: np.ndarray, member: np.ndarray, rule: Rule = "clean") -> np.ndarray:
    """Chooses a candidate of each keypoint type for each person of one image.

    Args:
        scores: (N, M, K) from `window_scores`.
        member: (N, M, K) bool; only members are ever chosen.
        rule: "clean": per keypoint type the one-to-one assignment with the largest sum of scores.
            "likelihood": the same of their logarithms, so with the largest product.
            "published": see `assign_published`.

    Returns:
        (N, K) int64 number of the candidate, -1 where the person gets none.

    Raises:
        ValueError: an unknown rule, shapes that differ, a score that is not finite.
    """
    if rule not in get_args(Rule) or scores.shape != member.shape or scores.ndim != 3:
        raise ValueError(
            f"expected a rule of {get_args(Rule)} and scores and members of one shape (N, M, K), "
            f"received {rule!r}, {scores.shape} and {member.shape}"
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            "expected finite scores, received NaN or infinity; a diverged network gives such maps, "
            "use an earlier checkpoint"
        )
    if 0 in scores.shape:
        return np.full(scores.shape[::2], -1)
    if rule == "published":
        chosen = assign_published(scores, member)
    else:
        chosen = _one_to_one(_worth(scores, rule), member)
    found = np.take_along_axis(member, np.maximum(chosen, 0)[:, None], axis=1)[:, 0]
    return np.where(found, chosen, -1)


def assign_published(scores: np.ndarray, member: np.ndarray) -> np.ndarray:
    """The selection of the authors' published results.

    A person goes through its candidates from the best down and takes the first one that scores
    nowhere higher than with this person, or that is the lowest of the candidates of the person
    with which it scores highest (the second best was probably meant). Two people may take the same
    candidate.

    Args:
        scores: (N, M, K).
        member: (N, M, K) bool.

    Returns:
        (N, K) int64, -1 for none.
    """
    best = np.where(member, scores, -1.0)
    winner = best.argmax(axis=0)  # (M, K) person
    lowest = np.where(member, scores, np.inf).argmin(axis=1)  # (N, K) candidate
    people, candidates = np.ogrid[: scores.shape[0], : scores.shape[1]]
    is_winner = people[..., None] == winner
    is_lowest = np.take_along_axis(lowest, winner, axis=0) == candidates[0][:, None]
    best = np.where(member & (is_winner | is_lowest), scores, -1.0)
    return np.where(best.max(axis=1) >= 0, best.argmax(axis=1), -1)


def _worth(scores: np.ndarray, rule: Rule) -> np.ndarray:
    """What `_one_to_one` adds up: always above 0, so that a candidate is better than none."""
    scores = scores.astype(np.float64) + 1e-9
    return scores if rule == "clean" else np.log(scores) + 30


def _one_to_one(worth: np.ndarray, member: np.ndarray) -> np.ndarray:
    chosen = np.full(worth.shape[::2], -1)
    worth = np.where(member, worth, 0.0)
    for kind in np.flatnonzero(member.any(axis=(0, 1))):
        people, candidates = linear_sum_assignment(worth[:, :, kind], maximize=True)
        chosen[people, kind] = candidates
    return chosen


def take_keypoints(peaks: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Collects the chosen candidates.

    Args:
        peaks: (M, K, 3) x, y, score.
        chosen: (N, K) int64, -1 for none.

    Returns:
        (N, K, 3) float32 x, y, score; 0 where none was chosen.
    """
    if not len(peaks):
        return np.zeros((*chosen.shape, 3), np.float32)
    keypoints = peaks[np.maximum(chosen, 0), np.arange(chosen.shape[1])]
    return np.where((chosen >= 0)[..., None], keypoints, 0).astype(np.float32)


def fill_unseen(
    keypoints: np.ndarray, peaks: np.ndarray, maps: np.ndarray, boxes: np.ndarray
) -> np.ndarray:
    """Puts keypoint types without any candidate in the image where the maps are highest, score 0.

    The published results do so for every person of the image.

    Args:
        keypoints: (N, K, 3) from `take_keypoints`.
        peaks: (M, K, 3) all candidates of the image.
        maps: (N, h, w, K).
        boxes: (N, 4) xyxy in image pixels.

    Returns:
        (N, K, 3) float32.
    """
    unseen = np.flatnonzero(~(peaks[..., 2] > 0).any(axis=0))
    filled = keypoints.copy()
    filled[:, unseen, :2] = np.asarray(best_places(maps[..., unseen], boxes))
    filled[:, unseen, 2] = 0
    return filled


def best_places(maps, boxes):
    """Finds where in the image each map is highest.

    Args:
        maps: (N, h, w, K) of the people in boxes.
        boxes: (N, 4) xyxy in image pixels.

    Returns:
        (N, K, 2) float32 x, y in image pixels, the middle of the best cell.
    """
    boxes = ops.convert_to_tensor(boxes, "float32")
    _, height, width, num_keypoints = ops.shape(maps)
    best = ops.argmax(ops.reshape(maps, (-1, height * width, num_keypoints)), axis=1)
    cells = ops.cast(ops.stack([best % width, best // width], axis=-1), "float32") + 0.5
    corner, extent = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]
    return corner + cells * extent / np.float32([width, height])


def pose_scores(keypoints: np.ndarray) -> np.ndarray:
    """The score of a pose: the sum of its keypoints' confidences (N, K, 3) over K; (N,)."""
    return keypoints[..., 2].sum(axis=-1) / keypoints.shape[-2]


def group(
    network,
    peaks: np.ndarray,
    boxes: np.ndarray,
    rule: Rule = "clean",
    size: tuple[int, int] = (56, 36),
    margin: float = MARGIN,
) -> np.ndarray:
    """Groups the peaks of one image into one pose per box.

    Args:
        network: (N, h, w, K) inputs -> (N, h, w, K) maps; called once for all people.
        peaks: (M, K, 3) x, y in the pixels of `boxes`, confidence, 0 where there is none.
            `heatmaps.find_peaks` gives them as (K, M, 3).
        boxes: (N, 4) xyxy.
        rule: see `assign`.
        size: (height, width) of the grid.
        margin: see `prn_inputs.locate`.

    Returns:
        (N, K, 3) float32 x, y, confidence; 0 where a person has no keypoint.
    """
    if not len(boxes):
        return np.zeros((0, *peaks.shape[1:]), np.float32)
    check_people(peaks[None], boxes)
    cells, member = locate(peaks[None], boxes, size, margin)
    maps = network(draw_inputs(cells, member, size))
    scores = window_scores(maps, cells, member, peaks[None, ..., 2])
    chosen = assign(np.asarray(scores), np.asarray(member), rule)
    return take_keypoints(peaks, chosen)


def max_maps(inputs, sigma: float = INPUT_SIGMA):
    """The baseline "Max" (section 3.4): a Gaussian where each of (N, h, w, K) maps is highest."""
    _, height, width, num_keypoints = inputs.shape
    flat = ops.reshape(inputs, (-1, height * width, num_keypoints))
    best = ops.argmax(flat, axis=1)[:, None]
    cells = ops.stack([best // width, best % width], axis=-1)
    member = ops.max(flat, axis=1)[:, None] > 0
    return draw_inputs(cells, member, (height, width), sigma)


def ucr_maps(inputs, prior: np.ndarray):
    """The baseline "UCR" (eq. 2): inputs (N, h, w, K) times where each keypoint usually is."""
    return inputs * prior


def softmax_maps(inputs):
    """Softmax per channel of (N, h, w, K): a residual network whose function is 0."""
    exponential = ops.exp(inputs - ops.max(inputs, axis=(1, 2), keepdims=True))
    return exponential / ops.sum(exponential, axis=(1, 2), keepdims=True)
