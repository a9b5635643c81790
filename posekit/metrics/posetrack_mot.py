"""CLEAR-MOT of each keypoint class, PoseTrack's measure of tracking."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from posekit.metrics.posetrack_ap import THRESHOLD
from posekit.metrics.posetrack_assignment import best_pairs
from posekit.metrics.posetrack_pairs import PairedSequence


@dataclasses.dataclass(frozen=True, eq=False)
class MotCounts:
    """Counts of the 15 keypoint classes, (15,) each; they add up over sequences.

    Args:
        annotated: keypoints to be found, int64.
        matches: found, with those that switched.
        misses: not found.
        false_positives: predicted and not matched.
        switches: matched by another track than the last time.
        distance: sum over the matches, in head sizes, float64.
    """

    annotated: np.ndarray
    matches: np.ndarray
    misses: np.ndarray
    false_positives: np.ndarray
    switches: np.ndarray
    distance: np.ndarray

    @classmethod
    def none(cls) -> "MotCounts":
        """Returns counts of nothing."""
        return cls(*(np.zeros(15, np.int64) for _ in range(5)), np.zeros(15))

    def __add__(self, other: "MotCounts") -> "MotCounts":
        names = [field.name for field in dataclasses.fields(self)]
        return MotCounts(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def mota(self) -> np.ndarray:
        """(15,) per cent; NaN for a class never annotated."""
        errors = self.misses + self.false_positives + self.switches
        return 100 * (1 - _ratio(errors, self.annotated))

    @property
    def motp(self) -> np.ndarray:
        """(15,) per cent of a head size that matches are near; NaN for a class never matched."""
        return 100 * (1 - _ratio(self.distance, self.matches))

    @property
    def precision(self) -> np.ndarray:
        """(15,) per cent of the predicted; NaN for a class never predicted."""
        return 100 * _ratio(self.matches, self.matches + self.false_positives)

    @property
    def recall(self) -> np.ndarray:
        """(15,) per cent of the annotated; NaN for a class never annotated."""
        return 100 * _ratio(self.matches, self.annotated)


def mot_counts(
    pair: PairedSequence, frames: Sequence[tuple[slice, slice, np.ndarray]], compat: bool = False
) -> MotCounts:
    """Follows every annotated keypoint through a sequence.

    A pair of the last time stays while it is within the threshold, the rest are paired so that as
    many as possible are matched, at the least sum of distances. A track is remembered until
    another one takes its place, however long that takes.

    Args:
        pair: of one sequence.
        frames: what `pair.frames()` yields.
        compat: as poseval: the last frame does not count; a frame in which a side has nobody,
            not even with an empty list of keypoints, is one miss and one false positive of each
            class; where two annotated
            people remember the same track, it is of the first in the file, else of the one who had
            it last.

    Reference: Bernardin and Stiefelhagen 2008 (CLEAR-MOT); Andriluka et al. 2018, section 4.
    """
    follower = _Follower(pair, compat)
    used = frames[:-1] if compat else frames
    return sum((follower.step(*frame) for frame in used), MotCounts.none())


class _Follower:
    """Which track each annotated person's keypoints had last, and when."""

    def __init__(self, pair: PairedSequence, compat: bool):
        self._pair = pair
        self._compat = compat
        people, self._rows = np.unique(pair.truth.track_ids, return_inverse=True)
        self._track = np.full((len(people), 15), -1, np.int64)
        self._time = np.full((len(people), 15), -1, np.int64)
        self._now = 0

    def step(self, t: slice, p: slice, distances: np.ndarray) -> MotCounts:
        """Counts one frame."""
        self._now += 1
        annotated = self._pair.truth.there[t].sum(axis=0)
        predicted = self._pair.prediction.there[p].sum(axis=0)
        if distances.size:
            matched, switches = self._match(t, p, distances)
            matches = matched.sum(axis=(0, 1))
            distance = np.where(matched, distances, 0).sum(axis=(0, 1))
        else:
            matches, switches, distance = np.zeros((3, 15), np.int64)
            sides = self._pair.truth, self._pair.prediction
            if self._compat and not all(side.somebody[self._now - 1] for side in sides):
                annotated = predicted = np.ones(15, np.int64)
        return MotCounts(
            annotated, matches, annotated - matches, predicted - matches, switches, distance
        )

    def _match(self, t: slice, p: slice, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, tracks = self._rows[t], self._pair.prediction.track_ids[p]
        near = distances <= THRESHOLD
        kept = near & (self._track[rows][:, None] == tracks[:, None])
        # Of several who remember a track one has it; argmax takes the first of equal times.
        times = self._time[rows][:, None]
        owner = np.where(kept, 1 if self._compat else times, 0).argmax(axis=0)
        kept &= np.arange(len(rows))[:, None, None] == owner
        free = near & ~kept.any(axis=1, keepdims=True) & ~kept.any(axis=0, keepdims=True)
        # Far above the threshold, so that more pairs always weigh more than nearer ones.
        found = best_pairs(np.where(free, 1000 - np.where(free, distances, 0), 0))
        matched = kept | found
        switches = (found & (self._track[rows] >= 0)[:, None]).sum(axis=(0, 1))
        person, track, keypoint = np.nonzero(matched)
        self._track[rows[person], keypoint] = tracks[track]
        self._time[rows[person], keypoint] = self._now
        return matched, switches


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
