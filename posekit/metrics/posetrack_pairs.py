"""A sequence of PoseTrack beside its predictions: what is left to compare, and how far apart."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.datasets.posetrack_results import PredictedSequence
from posekit.metrics.posetrack_heads import head_sizes
from posekit.metrics.posetrack_regions import inside_any


@dataclasses.dataclass(frozen=True, eq=False)
class People:
    """N people of one sequence with at least one keypoint each, ordered by frame.

    Args:
        frame: (N,) int64 among the frames that count.
        places: (N, 15, 2) float64 x, y.
        there: (N, 15) bool.
        track_ids: (N,) int64.
        somebody: (F,) bool, frames that have people for poseval: where there is no ignore region,
            those without any keypoint count there if they have at least an empty list.
    """

    frame: np.ndarray
    places: np.ndarray
    there: np.ndarray
    track_ids: np.ndarray
    somebody: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)


@dataclasses.dataclass(frozen=True, eq=False)
class PairedSequence:
    """What counts of a sequence.

    Args:
        num_frames: that count.
        truth: annotated people.
        head_sizes: (A,) px of theirs.
        prediction: predicted people.
        scores: (B, 15) of their keypoints.
        counts: for the report.
    """

    num_frames: int
    truth: People
    head_sizes: np.ndarray
    prediction: People
    scores: np.ndarray
    counts: dict[str, int]

    def frames(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yields the rows of the annotated and of the predicted people, and their distances.

        The distances are (annotated, predicted, 15) float64, in head sizes; infinite where the
        keypoint is missing on either side or the head box has no size.
        """
        rows = np.arange(self.num_frames + 1)
        truth = np.searchsorted(self.truth.frame, rows)
        predicted = np.searchsorted(self.prediction.frame, rows)
        for f in range(self.num_frames):
            here = slice(*truth[f : f + 2]), slice(*predicted[f : f + 2])
            yield *here, self._distances(*here)

    def _distances(self, t: slice, p: slice) -> np.ndarray:
        offsets = self.truth.places[t, None] - self.prediction.places[None, p]
        pixels = np.sqrt((offsets**2).sum(axis=3))
        both = self.truth.there[t, None] & self.prediction.there[None, p]
        sizes = np.broadcast_to(self.head_sizes[t, None, None], pixels.shape)
        far = np.full_like(pixels, np.inf)
        return np.divide(pixels, sizes, out=far, where=both & (sizes > 0))


def paired(
    truth: PoseTrackSequence,
    prediction: PredictedSequence,
    scores: np.ndarray,
    estimate_heads: bool = False,
) -> PairedSequence:
    """Removes what does not count, in the order of the toolkit.

    First the frames without annotated people; then keypoints strictly inside an ignore region, on
    both sides; then people without keypoints. A frame that is empty only then stays.

    Args:
        truth: annotations.
        prediction: of the same frames.
        scores: (B, 15) float64, none missing.
        estimate_heads: as `posetrack_heads.head_sizes`.

    Raises:
        EvaluationError: a person without head box.
    """
    sizes, estimated = head_sizes(truth, estimate_heads)
    counted = np.unique(truth.frame)
    truth_people, truth_rows = _people(truth, truth, counted)
    people, rows = _people(prediction, truth, counted)
    return PairedSequence(
        num_frames=len(counted),
        truth=truth_people,
        head_sizes=sizes[truth_rows],
        prediction=people,
        scores=scores[rows],
        counts={
            "frames": len(truth.file_names),
            "frames_evaluated": len(counted),
            "annotated_people": len(truth_people),
            "annotated_keypoints": int(truth_people.there.sum()),
            "predicted_people": len(people),
            "predicted_keypoints": int(people.there.sum()),
            "predicted_people_left_out": int(
                (prediction.keypoints[..., 2] > 0).any(axis=1).sum() - len(people)
            ),
            "heads_estimated": int(estimated[truth_rows].sum()),
            "heads_without_size": int((sizes[truth_rows] == 0).sum()),
        },
    )


def _people(
    sequence: PoseTrackSequence | PredictedSequence, truth: PoseTrackSequence, counted: np.ndarray
) -> tuple[People, np.ndarray]:
    """Returns the people that are left, and their rows in the sequence."""
    there = (sequence.keypoints[..., 2] > 0) & np.isin(sequence.frame, counted)[:, None]
    for frame in counted:
        if truth.ignore_regions[frame]:
            here = sequence.frame == frame
            inside = inside_any(sequence.keypoints[here, :, :2], truth.ignore_regions[frame])
            there[here] &= ~inside
    left = there.any(axis=1)
    cut = np.array([bool(regions) for regions in truth.ignore_regions], bool)[sequence.frame]
    somebody = np.isin(counted, sequence.frame[left | (sequence.listed & ~cut)])
    rows = np.flatnonzero(left)
    rows = rows[np.argsort(sequence.frame[rows], kind="stable")]
    people = People(
        frame=np.searchsorted(counted, sequence.frame[rows]),
        places=sequence.keypoints[rows, :, :2],
        there=there[rows],
        track_ids=sequence.track_ids[rows],
        somebody=somebody,
    )
    return people, rows
