"""Weak keypoints left out, and people without any other."""

import numpy as np

from posekit.poses import Poses


def is_there(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Returns whether keypoints with these scores count: at least the threshold, and never 0."""
    return (scores >= np.float32(threshold)) & (scores > 0)


def people_with_keypoints(poses: Poses, threshold: float) -> Poses:
    """Returns the people with a keypoint of at least the score; all their keypoints stay."""
    return poses.select(is_there(poses.keypoints[..., 2], threshold).any(axis=1))


def without_weak_keypoints(poses: Poses, threshold: float) -> Poses:
    """Returns the people with weaker keypoints as (0, 0, 0); who then has none is left out.

    Reference: Xiao et al. 2018, section 4.2: MOTA counts a wrong keypoint whatever its score.
    """
    clear = is_there(poses.keypoints[..., 2], threshold)
    keypoints = poses.keypoints * clear[..., None]
    kept = clear.any(axis=1)
    ids = None if poses.track_ids is None else poses.track_ids[kept]
    return Poses(keypoints[kept], poses.scores[kept], poses.boxes[kept], poses.skeleton, ids)
