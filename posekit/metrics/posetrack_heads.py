"""Sizes of heads, in which PoseTrack measures distances."""

import numpy as np

from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.metrics.coco import EvaluationError
from posekit.skeletons import POSETRACK

NECK_TO_TOP = 0.75
"""Head size over the distance between neck and head top: the median of the 1,314 people of Bonn
Multi-Person PoseTrack that have a head box (0.754; 5 to 95 %: 0.737 to 0.834)."""

_NECK, _TOP = POSETRACK.names.index("neck"), POSETRACK.names.index("head_top")


def head_sizes(truth: PoseTrackSequence, estimate: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Returns 0.6 times the diagonals of the head boxes.

    Args:
        truth: of one sequence.
        estimate: instead of an error for a person without head box: `NECK_TO_TOP` times the
            distance between neck and head top, where these are not annotated the median of the
            track's sizes, else of the sequence's.

    Returns:
        sizes: (A,) pixels; NaN only for people without keypoints.
        estimated: (A,) bool.

    Raises:
        EvaluationError: naming the first person with keypoints, but without head box, or of whom
            nothing can be estimated.
    """
    x1, y1, x2, y2 = truth.head_boxes.astype(np.float64).T
    sizes = 0.6 * np.hypot(x2 - x1, y2 - y1)
    peopled = (truth.keypoints[..., 2] > 0).any(axis=1)
    missing = peopled & np.isnan(sizes)
    if estimate and missing.any():
        sizes = np.where(missing, _estimated(truth, sizes), sizes)
    without = np.flatnonzero(peopled & np.isnan(sizes))
    if without.size:
        frame = truth.frame[without[0]]
        number = without[0] - np.flatnonzero(truth.frame == frame)[0]
        raise EvaluationError(
            f"{truth.file}: frame {frame}, {truth.file_names[frame]}, person {number}: expected a "
            f"head box, found none ({int(missing.sum())} such people in this file); "
            + (
                "there are no neck and head top in the sequence either"
                if estimate
                else "--estimate-heads takes head sizes from neck and head top"
            )
        )
    return sizes, missing


def _estimated(truth: PoseTrackSequence, sizes: np.ndarray) -> np.ndarray:
    ends = truth.keypoints[:, [_NECK, _TOP]].astype(np.float64)
    known = (ends[..., 2] > 0).all(axis=1)
    lengths = np.hypot(*(ends[:, 0, :2] - ends[:, 1, :2]).T)
    sizes = np.where(np.isnan(sizes) & known, NECK_TO_TOP * lengths, sizes)
    if not np.isfinite(sizes).any():
        return sizes
    filled = np.where(np.isnan(sizes), np.nanmedian(sizes), sizes)
    for track in np.unique(truth.track_ids[np.isnan(sizes)]):
        same = truth.track_ids == track
        if track >= 0 and np.isfinite(sizes[same]).any():
            filled[same & np.isnan(sizes)] = np.nanmedian(sizes[same])
    return filled
