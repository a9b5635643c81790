"""HOTA of each keypoint class: finding and following in one measure."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from posekit.metrics.posetrack_assignment import best_pairs
from posekit.metrics.posetrack_pairs import PairedSequence

ALPHAS = np.arange(1, 20) / 20
"""Least similarities of a match, 0.05 to 0.95; 1 minus the distance in head sizes is similarity,
so that 0.5 is the threshold of AP and MOTA."""
_EPSILON = np.finfo(np.float64).eps


@dataclasses.dataclass(frozen=True, eq=False)
class HotaCounts:
    """Counts at the 19 thresholds of the 15 keypoint classes, (19, 15); they add up.

    Args:
        matches: TP.
        misses: FN.
        false_positives: FP.
        association: sum over the matches of TPA / (TPA + FNA + FPA).
    """

    matches: np.ndarray
    misses: np.ndarray
    false_positives: np.ndarray
    association: np.ndarray

    @classmethod
    def none(cls) -> "HotaCounts":
        """Returns counts of nothing."""
        return cls(*(np.zeros((len(ALPHAS), 15)) for _ in range(4)))

    def __add__(self, other: "HotaCounts") -> "HotaCounts":
        names = [field.name for field in dataclasses.fields(self)]
        return HotaCounts(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def hota(self) -> np.ndarray:
        """(15,) per cent, mean over the thresholds; NaN for a class never annotated."""
        return self._mean(np.sqrt(self._detection() * self._association()))

    @property
    def deta(self) -> np.ndarray:
        """(15,) per cent of finding, as `hota`."""
        return self._mean(self._detection())

    @property
    def assa(self) -> np.ndarray:
        """(15,) per cent of following, as `hota`."""
        return self._mean(self._association())

    def _detection(self) -> np.ndarray:
        return self.matches / np.maximum(self.matches + self.misses + self.false_positives, 1)

    def _association(self) -> np.ndarray:
        return self.association / np.maximum(self.matches, 1)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        annotated = (self.matches + self.misses)[0] > 0
        return np.where(annotated, 100 * values.mean(axis=0), np.nan)


def hota_counts(
    pair: PairedSequence, frames: Sequence[tuple[slice, slice, np.ndarray]]
) -> HotaCounts:
    """Counts one sequence.

    The pairs of a frame are those with the largest sum of similarity times the share of their
    tracks that is together; a threshold then drops those less similar.

    Args:
        pair: of one sequence.
        frames: what `pair.frames()` yields.

    Reference: Luiten et al. 2020; the pairing as TrackEval's, of keypoints instead of boxes.
    """
    people, rows = np.unique(pair.truth.track_ids, return_inverse=True)
    tracks, columns = np.unique(pair.prediction.track_ids, return_inverse=True)
    lengths = _lengths(rows, len(people), pair.truth.there)
    track_lengths = _lengths(columns, len(tracks), pair.prediction.there)
    together = _alignment(frames, rows, columns, (lengths, track_lengths))
    found = [np.zeros((0, 4))]
    for t, p, distances in frames:
        near = np.maximum(1 - distances, 0)
        at = rows[t], columns[p]
        person, track, k = np.nonzero(best_pairs(together[np.ix_(*at)] * near))
        similarity = near[person, track, k]
        found.append(np.stack([similarity, at[0][person], at[1][track], k], axis=1))
    return _counts(np.concatenate(found), lengths, track_lengths)


def _lengths(rows: np.ndarray, count: int, there: np.ndarray) -> np.ndarray:
    """Returns in how many frames each track has each keypoint, (T, 15)."""
    lengths = np.zeros((count, 15))
    np.add.at(lengths, rows, there)
    return lengths


def _alignment(
    frames: Sequence[tuple[slice, slice, np.ndarray]],
    rows: np.ndarray,
    columns: np.ndarray,
    lengths: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Returns how far two tracks go together, as a Jaccard index of soft matches (T, U, 15)."""
    together = np.zeros((len(lengths[0]), len(lengths[1]), 15))
    for t, p, distances in frames:
        near = np.maximum(1 - distances, 0)
        others = near.sum(axis=0, keepdims=True) + near.sum(axis=1, keepdims=True) - near
        soft = np.divide(near, others, out=np.zeros_like(near), where=others > _EPSILON)
        together[np.ix_(rows[t], columns[p])] += soft
    either = lengths[0][:, None] + lengths[1][None] - together
    return np.divide(together, either, out=np.zeros_like(together), where=either > 0)


def _counts(found: np.ndarray, lengths: np.ndarray, track_lengths: np.ndarray) -> HotaCounts:
    """Counts from pairs (n, 4): similarity, person, track, keypoint class."""
    shape = len(lengths), len(track_lengths), 15
    similarity, rows = found[:, 0], found[:, 1:].T.astype(np.int64)
    places = np.ravel_multi_index(tuple(rows), shape) if len(found) else np.zeros(0, np.int64)
    matches, association = np.zeros((2, len(ALPHAS), 15))
    for i, alpha in enumerate(ALPHAS):
        pairs, times = np.unique(places[similarity >= alpha - _EPSILON], return_counts=True)
        a, b, c = np.unravel_index(pairs, shape)
        share = times / (lengths[a, c] + track_lengths[b, c] - times)
        matches[i] = np.bincount(c, times, minlength=15)
        association[i] = np.bincount(c, times * share, minlength=15)
    annotated, predicted = lengths.sum(axis=0), track_lengths.sum(axis=0)
    return HotaCounts(matches, annotated - matches, predicted - matches, association)
