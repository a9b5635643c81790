"""Average precision of keypoints over the people of a frame, PoseTrack's."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from posekit.metrics.posetrack_pairs import PairedSequence

THRESHOLD = 0.5
"""Head sizes up to which, inclusive, a keypoint is right (PCKh 0.5)."""


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledKeypoints:
    """Predicted keypoints of the people of a sequence, judged.

    Args:
        right: (B, 15) bool.
        there: (B, 15) bool.
        scores: (B, 15) float64.
        annotated: (15,) int64 keypoints to be found.
    """

    right: np.ndarray
    there: np.ndarray
    scores: np.ndarray
    annotated: np.ndarray


def labelled_keypoints(
    pair: PairedSequence, frames: Sequence[tuple[slice, slice, np.ndarray]]
) -> LabelledKeypoints:
    """Judges every predicted keypoint by the person that the prediction is assigned to.

    All keypoints of a prediction that is assigned to nobody are wrong, and so are those that its
    person does not have annotated.

    Args:
        pair: of one sequence.
        frames: what `pair.frames()` yields.
    """
    right = np.zeros(pair.prediction.there.shape, bool)
    for t, p, distances in frames:
        near = distances <= THRESHOLD
        person, found = assignment(near, pair.truth.there[t].sum(axis=1))
        right[p.start + found] = near[person, found]
    there = pair.prediction.there
    return LabelledKeypoints(right, there, pair.scores, pair.truth.there.sum(axis=0))


def assignment(near: np.ndarray, annotated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Assigns the predictions of a frame to its people; scores play no role.

    Every prediction keeps the person of whom it has the largest share of the annotated keypoints
    right, every person keeps the best of those predictions; the first of equal ones.

    Args:
        near: (G, P, 15) bool, keypoint right.
        annotated: (G,) numbers of annotated keypoints.

    Returns:
        rows of people and of predictions, (n,) each; shares of 0 are no assignment.
    """
    if not near.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    share = near.sum(axis=2) / np.maximum(annotated, 1)[:, None]
    share = np.where(np.arange(len(share))[:, None] == share.argmax(axis=0), share, 0)
    person = np.flatnonzero(share.max(axis=1) > 0)
    return person, share[person].argmax(axis=1)


def average_precisions(parts: Sequence[LabelledKeypoints], compat: bool = False) -> np.ndarray:
    """Returns AP of the 15 keypoints over all sequences, per cent; NaN for one never annotated.

    Args:
        parts: one for each sequence.
        compat: as poseval: equal scores stand in an order that means nothing, and a keypoint never
            annotated and never predicted has AP 0.
    """
    annotated = sum((part.annotated for part in parts), np.zeros(15, np.int64))
    values = np.full(15, np.nan)
    for k in range(15):
        scores = np.concatenate([np.zeros(0), *(p.scores[p.there[:, k], k] for p in parts)])
        right = np.concatenate([np.zeros(0, bool), *(p.right[p.there[:, k], k] for p in parts)])
        if annotated[k]:
            values[k] = 100 * average_precision(scores, right, annotated[k], not compat)
        elif compat and not len(scores):
            values[k] = 0
    return values


def average_precision(
    scores: np.ndarray, right: np.ndarray, annotated: int, pool_ties: bool = True
) -> float:
    """Returns the area under the precision-recall curve, made monotone, at all of its points.

    Args:
        scores: (n,) finite.
        right: (n,) bool.
        annotated: number of keypoints to be found, at least 1.
        pool_ties: equal scores are one point of the curve, so that their order does not matter.
    """
    order = np.argsort(scores)[::-1]
    found = np.cumsum(right[order])
    recall, precision = found / annotated, found / np.arange(1, len(order) + 1)
    if pool_ties:
        last = np.append(np.diff(scores[order]) != 0, True)[: len(order)]
        recall, precision = recall[last], precision[last]
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0) * envelope).sum())
