"""Who gets the old id back after having been out of sight."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from posekit.boxes import box_areas, box_of_keypoints
from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.oks import oks_matrix
from posekit.poses import Poses
from posekit.skeletons import POSETRACK


@dataclasses.dataclass(frozen=True)
class Relinking:
    """Of one or several sequences."""

    hidden: int
    """Times that a person was out of sight for a few frames and found before and after."""
    relinked: int
    """Times that the id after was that before."""

    def __add__(self, other: "Relinking") -> "Relinking":
        return Relinking(self.hidden + other.hidden, self.relinked + other.relinked)


def relinking(
    truth: PoseTrackSequence, predictions: Sequence[Poses], longest: int = 7, least: float = 0.3
) -> Relinking:
    """Counts the people who come back under their old id.

    Args:
        truth: F frames; people of whom a frame has no annotation are out of sight in it.
        predictions: F frames of tracked people, in PoseTrack's skeleton.
        longest: most frames out of sight that count; 7 are what a queue of 8 bridges.
        least: OKS of a prediction with the person whom it finds; pairs of the largest sum.
    """
    found = [_ids_of_people(truth, frame, poses, least) for frame, poses in enumerate(predictions)]
    frames, tracks, ids = map(np.concatenate, zip(*found, strict=True))
    hidden = relinked = 0
    for track, first, last in _gaps(truth):
        before = ids[(tracks == track) & (frames == first)]
        after = ids[(tracks == track) & (frames == last)]
        if len(before) and len(after) and last - first - 1 <= longest:
            hidden += 1
            relinked += int(before[0] == after[0])
    return Relinking(hidden, relinked)


def _gaps(truth: PoseTrackSequence) -> list[tuple[int, int, int]]:
    """Tracks with the last frame before they are out of sight, and the first one after."""
    there = (truth.keypoints[..., 2] > 0).any(axis=1) & (truth.track_ids >= 0)
    gaps = []
    for track in np.unique(truth.track_ids[there]):
        frames = np.unique(truth.frame[there & (truth.track_ids == track)])
        for place in np.flatnonzero(np.diff(frames) > 1):
            gaps.append((int(track), int(frames[place]), int(frames[place + 1])))
    return gaps


def _ids_of_people(
    truth: PoseTrackSequence, frame: int, poses: Poses, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frame, track of the truth and predicted id of the people who are found, (n,) each."""
    rows = np.flatnonzero((truth.frame == frame) & (truth.keypoints[..., 2] > 0).any(axis=1))
    people = truth.keypoints[rows]
    areas = box_areas(box_of_keypoints(people))
    oks = oks_matrix(poses.keypoints, people, areas, POSETRACK.sigmas)
    predicted, true = linear_sum_assignment(oks, maximize=True)
    close = oks[predicted, true] >= least
    predicted, true = predicted[close], true[close]
    ids = np.zeros(0, np.int64) if poses.track_ids is None else poses.track_ids[predicted]
    return np.full(len(ids), frame), truth.track_ids[rows[true]][: len(ids)], ids
