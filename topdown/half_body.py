"""Half-body augmentation: crops that show only the upper or the lower half of a person."""

import numpy as np

from posekit.boxes import box_of_keypoints
from posekit.skeletons import Skeleton

LEAST_LABELLED = 8
"""People with no more labelled keypoints are left whole."""
LEAST_OF_HALF = 2
"""Where one half has no more labelled keypoints, the other is taken."""
GROWTH = 0.5
"""Share of a half's extent that its box is larger, over both sides."""
UPPER = 0.7
"""Share of the halves that are the upper one."""
_LOWER = ("hip", "knee", "ankle", "pelvis")


def is_lower(skeleton: Skeleton) -> np.ndarray:
    """Tells (K,) which keypoints are of the lower half: hips, pelvis, knees and ankles."""
    return np.array([name.endswith(_LOWER) for name in skeleton.names])


def random_half_body(
    chance: np.ndarray,
    boxes: np.ndarray,
    keypoints: np.ndarray,
    lower: np.ndarray,
    probability: float,
) -> np.ndarray:
    """Replaces the boxes of people by those of one half of the body, sometimes.

    Args:
        chance: (N, 2) in [0, 1): the first number says whether, the second which half.
        boxes: (N, 4) xyxy.
        keypoints: (N, K, 3) x, y, v in the same pixels.
        lower: (N, K) bool, keypoints of the lower half.
        probability: of a half.

    Returns:
        (N, 4) float32 xyxy: of the labelled keypoints of one half, half as large again, or the
        whole box.

    An extra that the papers lack; it is the field's answer to people cut off by the image.
    """
    labelled = keypoints[..., 2] > 0
    upper = chance[:, 1:] < UPPER
    half = labelled & (lower != upper)
    few = half.sum(axis=1, keepdims=True) <= LEAST_OF_HALF
    half = np.where(few, labelled & ~half, half)
    extent = box_of_keypoints(np.where(half[..., None], keypoints, 0), margin=GROWTH)
    halved = (chance[:, 0] < probability) & (labelled.sum(axis=1) > LEAST_LABELLED)
    halved &= (extent[:, 2:] > extent[:, :2] + 1).all(axis=1)
    return np.where(halved[:, None], extent, boxes).astype(np.float32)
