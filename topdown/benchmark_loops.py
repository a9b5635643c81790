"""What is usual, one person after the other: for `topdown.benchmarks`."""

import itertools

import numpy as np


def looped_decoding(maps: np.ndarray, stride: int) -> np.ndarray:
    """What `decode_heatmaps` does with "sign", as is usual: (N, h, w, K) -> (N, K, 3)."""
    people, height, width, num_keypoints = maps.shape
    result = np.zeros((people, num_keypoints, 3), np.float32)
    flat = maps.reshape(people, -1, num_keypoints)
    best, highest = flat.argmax(axis=1), flat.max(axis=1)
    for n, k in itertools.product(range(people), range(num_keypoints)):
        y, x = divmod(int(best[n, k]), width)
        dx = dy = 0.0
        if 1 < x < width - 1 and 1 < y < height - 1:
            dx = 0.25 * np.sign(maps[n, y, x + 1, k] - maps[n, y, x - 1, k])
            dy = 0.25 * np.sign(maps[n, y + 1, x, k] - maps[n, y - 1, x, k])
        result[n, k] = (x + dx) * stride, (y + dy) * stride, highest[n, k]
    return result


def looped_oks_nms(
    keypoints: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.9,
) -> np.ndarray:
    """What `oks_nms` does, one pair of people at a time, as is usual."""
    waiting, kept = np.argsort(-scores, kind="stable").tolist(), []
    while waiting:
        best, *others = waiting
        kept.append(best)
        waiting = []
        for other in others:
            squared = ((keypoints[best, :, :2] - keypoints[other, :, :2]) ** 2).sum(axis=1)
            area = (areas[best] + areas[other]) / 2 + np.spacing(1)
            if np.mean(np.exp(-squared / (2 * sigmas) ** 2 / area / 2)) <= threshold:
                waiting.append(other)
    return np.array(kept)
