"""Keypoints of one frame moved into the next by the flow, and the boxes round them."""

import numpy as np

from posekit.boxes import box_areas, box_of_keypoints, clip_boxes
from tracking.flow_field import Flow
from tracking.settings import TrackerSettings
from tracking.thresholds import is_there

_LEAST_KEYPOINTS = 3
"""Two keypoints are a line: their box says nothing about the size of the person."""


def move_keypoints(keypoints: np.ndarray, flow: Flow, threshold: float = 0.0) -> np.ndarray:
    """Moves keypoints along the flow, read between its pixels.

    Where the flow is not reliable (something else is in front there, or it is outside the frame)
    a keypoint moves like the rest of its person: by the median, of x and of y, over the person's
    keypoints whose flow is reliable. Without any of those by the flow as it is.

    Args:
        keypoints: (N, K, 3) x, y in pixels of the first frame, score.
        flow: from that frame to the second.
        threshold: least score of a keypoint that has a say in the median; score 0 never has.

    Returns:
        (N, K, 3) float32, x, y in pixels of the second frame; the scores are as before, but 0
        where a keypoint has left the frame.

    Reference: Xiao et al. 2018, section 3.1; score 0 outside as in Girdhar et al. 2018 (code).
    """
    moved = np.array(keypoints, np.float32)
    if not moved.size:
        return moved
    vectors, reliable = flow.at(moved[..., :2])
    doubtful = ~reliable.all(axis=1)
    if doubtful.any():
        speaks = reliable & is_there(moved[..., 2], threshold)
        vectors[doubtful] = _follow_the_rest(
            vectors[doubtful], reliable[doubtful], speaks[doubtful]
        )
    moved[..., :2] += vectors
    moved[~_inside(moved, flow.size), 2] = 0
    return moved


def propagated_boxes(
    keypoints: np.ndarray, scores: np.ndarray, flow: Flow, settings: TrackerSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where to look for the people of one frame in the next.

    Args:
        keypoints: (N, K, 3) x, y in pixels of the first frame, score.
        scores: (N,) of the people.
        flow: from that frame to the second.
        settings: `keypoint_threshold`, `margin`, `decay` and `propagated_threshold` count.

    Returns:
        boxes: (n, 4) float32 xyxy in pixels of the second frame, cut at its border: the extent of
            the moved keypoints with at least the threshold's score, enlarged by the margin.
        scores: (n,) float32, the people's scores times the decay. People have no box when this is
            below the threshold for it, or when fewer than 3 keypoints are left.

    Reference: Xiao et al. 2018, section 3.1 (15 %); the paper gives no scores.
    """
    beliefs = np.asarray(scores, np.float32) * np.float32(settings.decay)
    moved = move_keypoints(keypoints, flow, settings.keypoint_threshold)
    counts = is_there(moved[..., 2], settings.keypoint_threshold)
    extent = np.concatenate([moved[..., :2], counts[..., None]], axis=-1)
    boxes = clip_boxes(box_of_keypoints(extent, settings.margin), flow.size)
    kept = (counts.sum(axis=1) >= _LEAST_KEYPOINTS) & (box_areas(boxes) > 0)
    kept &= beliefs >= np.float32(settings.propagated_threshold)
    return boxes[kept].astype(np.float32), beliefs[kept]


def is_new_shot(flow: Flow, threshold: float) -> bool:
    """Returns whether the flow is so long, on average, that the frames cannot belong together.

    Args:
        flow: from one frame to the next.
        threshold: mean length in pixels above which they do not.

    Reference: Girdhar et al. 2018 (code; they take 6 pixels).
    """
    squares = flow.vectors * flow.vectors
    return bool(np.sqrt(squares[..., 0] + squares[..., 1]).mean(dtype=np.float64) > threshold)


def _inside(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    x, y = keypoints[..., 0], keypoints[..., 1]
    return (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)


def _follow_the_rest(vectors: np.ndarray, reliable: np.ndarray, speaks: np.ndarray) -> np.ndarray:
    """(n, K, 2) vectors with those that are not reliable replaced by the median of the speakers."""
    count = speaks.sum(axis=1)
    ordered = np.sort(np.where(speaks[..., None], vectors, np.inf), axis=1)
    rows = np.arange(len(vectors))
    median = (ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, count // 2]) / 2
    replaced = ~reliable & (count > 0)[:, None]
    return np.where(replaced[..., None], median[:, None], vectors)
