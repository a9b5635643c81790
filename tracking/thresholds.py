"""Weak keypoints left out, and people without any other."""

import numpy as np

from posekit.poses import Poses


def clear_keypoints(keypoints: np.ndarray, threshold: float) -> np.ndarray:
    """Returns (N, K) bool: which keypoints (N, K, 3) are there, with at least this score."""
    scores = keypoints[..., 2]
    return (scores > 0) & (scores >= threshold)


def people_with_keypoints(poses: Poses, threshold: float) -> Poses:
    """Returns the people with a keypoint of at least the score; all their keypoints stay."""
    return poses.select(clear_keypoints(poses.keypoints, threshold).any(axis=1))


def without_weak_keypoints(poses: Poses, threshold: float) -> Poses:
    """Returns the people with weaker keypoints as (0, 0, 0); who then has none is left out.

    Reference: Xiao et al. 2018, section 4.2: MOTA counts a wrong keypoint whatever its score.
    """
    clear = clear_keypoints(poses.keypoints, threshold)
    keypoints = poses.keypoints * clear[..., None]
    kept = clear.any(axis=1)
    ids = None if poses.track_ids is None else poses.track_ids[kept]
    return Poses(keypoints[kept], poses.scores[kept], poses.boxes[kept], poses.skeleton, ids)
