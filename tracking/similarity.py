"""How much people of earlier frames resemble those of this one: overlap of boxes, OKS of poses."""

from collections.abc import Sequence

import numpy as np

from posekit.boxes import iou_matrix
from tracking.thresholds import is_there

_LEAST_AREA = 32.0**2
"""px²; COCO has no keypoints of people below it."""

_FAR = 1e9
"""Pixels; farther coordinates are cut to it, as squares of them could be infinite in float32."""

_BLOCK = 200_000
"""Distances that are computed at once, so that they stay in the cache (an update with 100 people
takes 4.4 ms instead of 6.6) and a thousand people do not fill the memory."""


def box_similarity(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Returns the IoU of every old box with every new one.

    Args:
        old: (N, 4) xyxy.
        new: (M, 4) xyxy.

    Returns:
        (N, M) float32 in [0, 1].

    Raises:
        ValueError: for numbers that are not finite.

    Reference: Xiao et al. 2018, section 3.2 (S_Bbox).
    """
    return iou_matrix(*(_finite(boxes, "boxes").clip(-_FAR, _FAR) for boxes in (old, new)))


def pose_similarity(
    old: np.ndarray, new: np.ndarray, sigmas: Sequence[float], threshold: float
) -> np.ndarray:
    """Returns the OKS of every old pose with every new one.

    A keypoint counts where both people have it, with at least the threshold's score (and never
    with score 0, which stands for "not there"). A pair is compared at the mean of its two areas.
    The area of a person is that of the extent of those keypoints, the shorter side counted as at
    least a quarter of the longer one, as a person seen sideways would be a line, and at least
    32² px². Of old poses that were moved with the flow this is the paper's S_Flow.

    Args:
        old: (N, K, 3) x, y in pixels, score.
        new: (M, K, 3) likewise.
        sigmas: K OKS constants.
        threshold: least score of a keypoint that counts.

    Returns:
        (N, M) float32 in [0, 1]; 0 for a pair without common keypoints.

    Raises:
        ValueError: for shapes that do not belong together and for numbers that are not finite.

    Reference: Xiao et al. 2018, section 3.2 (S_Pose, S_Flow); it names neither keypoints nor area.
    """
    old, new = (_keypoints_first(people, len(sigmas)) for people in (old, new))
    rows = max(1, _BLOCK // max(1, new[0].size))
    blocks = (old[..., first : first + rows] for first in range(0, max(1, old.shape[-1]), rows))
    return np.concatenate([_oks(block, new, sigmas, threshold) for block in blocks])


def _oks(old: np.ndarray, new: np.ndarray, sigmas: Sequence[float], threshold: float) -> np.ndarray:
    """(3, K, N) and (3, K, M) -> (N, M)."""
    old_there, new_there = (is_there(people[2], threshold) for people in (old, new))
    areas = (_areas(old, old_there)[:, None] + _areas(new, new_there)) / 2
    # A keypoint that is missing is infinitely far away: to the right of everything where an old
    # person lacks it, to the left for a new one, so that they do not meet there either.
    squared = np.where(old_there, old[0], np.inf)[:, :, None]
    squared = squared - np.where(new_there, new[0], -np.inf)[:, None]
    squared *= squared
    vertical = old[1, :, :, None] - new[1, :, None]
    vertical *= vertical
    squared += vertical
    squared /= areas
    squared *= (-0.5 / (2 * np.asarray(sigmas, np.float32)) ** 2)[:, None, None]
    common = old_there.T.astype(np.float32) @ new_there.astype(np.float32)
    return np.exp(squared, out=squared).sum(axis=0) / np.maximum(common, 1)


def _areas(people: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(3, K, N) and (K, N) -> (N,) px²."""
    low = np.where(there, people[:2], np.inf).min(axis=1)
    high = np.where(there, people[:2], -np.inf).max(axis=1)
    sides = np.where(there.any(axis=0), high - low, 0)
    longer = sides.max(axis=0)
    return np.maximum(np.maximum(sides.min(axis=0), longer / 4) * longer, _LEAST_AREA)


def _keypoints_first(people: np.ndarray, num_keypoints: int) -> np.ndarray:
    """(N, K, 3) -> (3, K, N), in memory too: operations on long rows of people are faster."""
    people = _finite(people, "keypoints")
    if people.shape != (len(people), num_keypoints, 3):
        raise ValueError(
            f"expected keypoints (people, {num_keypoints}, 3), one per sigma, received "
            f"{people.shape}; pass the sigmas of the keypoints' skeleton"
        )
    return np.ascontiguousarray(people.T).clip(-_FAR, _FAR)


def _finite(values: np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(values, np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"expected finite {name}, received NaN or infinity; drop such people")
    return values
