"""Object keypoint similarity between many people at once, and duplicate removal by it."""

from collections.abc import Sequence

import numpy as np

# COCOeval adds np.spacing(1) to the area; so do we, to agree where an area is 0.
_EPSILON = np.spacing(1)


def keypoint_similarity(
    a: np.ndarray, b: np.ndarray, areas: np.ndarray, sigmas: Sequence[float]
) -> np.ndarray:
    """Returns exp(-d² / (2 area (2 sigma)²)) of every keypoint between every two people.

    Args:
        a: (N, K, 3) x, y in px; the third column is not used.
        b: (M, K, 3) likewise.
        areas: (M,) px² of the people in b (in the metric, the annotated segment's area).
        sigmas: K OKS constants.

    Returns:
        (N, M, K) float64 in [0, 1].

    Raises:
        ValueError: for shapes that do not belong together, negative areas and non-finite numbers
            (a NaN similarity would count as a perfect match further on).
    """
    a, b, areas, sigmas = _checked(a, b, areas, sigmas)
    return _similarity(_squared_distances(a, b), areas, sigmas)


def oks_matrix(
    detections: np.ndarray,
    truths: np.ndarray,
    areas: np.ndarray,
    sigmas: Sequence[float],
    boxes: np.ndarray | None = None,
) -> np.ndarray:
    """Returns the OKS of every detection with every annotated person, as pycocotools computes it.

    The mean of the keypoint similarities over the labelled keypoints of the annotated person. Where
    none is labelled, over all keypoints, with the distance to the person's box grown by its own
    size on every side.

    Args:
        detections: (N, K, 3) x, y, score; scores are not used.
        truths: (M, K, 3) x, y, v; keypoints with v > 0 are labelled.
        areas: (M,) px² of the annotated people's segments.
        sigmas: K OKS constants.
        boxes: (M, 4) xyxy of the annotated people; without it a person without labelled keypoints
            resembles nobody (0).

    Returns:
        (N, M) float64 in [0, 1].

    Raises:
        ValueError: as in `keypoint_similarity`.

    Reference: COCOeval.computeOks of pycocotools 2.0.
    """
    detections, truths, areas, sigmas = _checked(detections, truths, areas, sigmas)
    labelled = truths[..., 2] > 0
    similarity = _similarity(_squared_distances(detections, truths), areas, sigmas)
    oks = (similarity * labelled).sum(-1) / np.maximum(labelled.sum(-1), 1)
    blank = ~labelled.any(axis=-1)
    if boxes is not None and blank.any():
        squared = _squared_distances_to_grown_boxes(detections, _checked_boxes(boxes, areas)[blank])
        oks[:, blank] = _similarity(squared, areas[blank], sigmas).mean(axis=-1)
    return oks


def oks_nms(
    keypoints: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: Sequence[float],
    threshold: float = 0.9,
) -> np.ndarray:
    """Drops the poses that resemble a better one.

    Args:
        keypoints: (N, K, 3) x, y, score; all K count, whatever their score.
        scores: (N,) of the people.
        areas: (N,) px²; a pair is compared at the mean of its two areas.
        sigmas: K OKS constants.
        threshold: a pose is dropped when its OKS with a kept one is above this.

    Returns:
        (n,) int64 indices of the kept poses, best first; equal scores in the given order.

    Raises:
        ValueError: as in `keypoint_similarity`.

    Reference: Xiao et al. 2018, section 3 (OKS-NMS at 0.9).
    """
    oks = _mutual_oks(keypoints, areas, sigmas)
    order = _best_first(scores, len(oks))
    resembles = (oks > threshold)[np.ix_(order, order)]
    alive = np.ones(len(order), bool)
    for place in range(len(order)):
        if alive[place]:
            alive[place + 1 :] &= ~resembles[place, place + 1 :]
    return order[alive]


def soft_oks_nms(
    keypoints: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: Sequence[float],
    threshold: float = 0.9,
    limit: int = 20,
) -> tuple[np.ndarray, np.ndarray]:
    """Lowers the scores of poses by exp(-OKS² / threshold) for every better pose they resemble.

    Args:
        keypoints: (N, K, 3) x, y, score; all K count.
        scores: (N,) of the people.
        areas: (N,) px²; a pair is compared at the mean of its two areas.
        sigmas: K OKS constants.
        threshold: of the Gaussian; the larger, the milder.
        limit: at most so many poses are kept.

    Returns:
        indices: (n,) int64 of the kept poses, best first by lowered score.
        scores: (n,) their lowered scores.

    Raises:
        ValueError: as in `keypoint_similarity`.

    Reference: soft-NMS of Bodla et al. 2017 with OKS as the overlap, as HRNet's evaluation uses it.
    """
    if threshold <= 0:
        raise ValueError(f"expected a threshold above 0, received {threshold}")
    decay = np.exp(-(_mutual_oks(keypoints, areas, sigmas) ** 2) / threshold)
    _best_first(scores, len(decay))
    lowered = np.array(scores, np.float64)
    waiting = np.ones(len(decay), bool)
    kept = np.zeros(min(limit, len(decay)), np.int64)
    for place in range(len(kept)):
        kept[place] = best = np.argmax(np.where(waiting, lowered, -np.inf))
        waiting[best] = False
        lowered[waiting] *= decay[best, waiting]
    return kept, lowered[kept]


def _mutual_oks(keypoints: np.ndarray, areas: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """Returns (N, N): over all keypoints, at the mean of the two areas."""
    keypoints, _, areas, sigmas = _checked(keypoints, keypoints, areas, sigmas)
    mean_areas = (areas[:, None] + areas[None]) / 2
    squared = _squared_distances(keypoints, keypoints)
    return _similarity(squared, mean_areas, sigmas).mean(axis=-1)


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, K, 3) and (M, K, 3) -> (N, M, K) px²; works in place, as 1,200 people make 25 million.

    In memory keypoints come first: rows of M are long, those of K short. Both axes are one array,
    as malloc returns the pages of the second of two to the system each time: 60 people take 0.4 ms
    for their OKS-NMS, with two arrays and K last 0.9 ms.
    """
    a, b = (np.ascontiguousarray(people[..., :2].T) for people in (a, b))
    deltas = a[..., None] - b[:, :, None]
    deltas *= deltas
    squared = deltas[0]
    squared += deltas[1]
    return np.moveaxis(squared, 0, -1)


def _squared_distances_to_grown_boxes(keypoints: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N, K, 3) and (M, 4) -> (N, M, K) px²; 0 inside the box grown by its size on every side."""
    points = keypoints[:, None, :, :2]
    size = boxes[:, 2:] - boxes[:, :2]
    low, high = (boxes[:, :2] - size)[None, :, None], (boxes[:, 2:] + size)[None, :, None]
    outside = np.maximum(low - points, 0) + np.maximum(points - high, 0)
    return (outside**2).sum(axis=-1)


def _similarity(squared: np.ndarray, areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Turns (N, M, K) squared distances into similarities, in place; areas (M,) or (N, M)."""
    squared /= -2 * (2 * sigmas) ** 2
    squared /= (areas + _EPSILON)[..., None]
    return np.exp(squared, out=squared)


def _checked(
    a: np.ndarray, b: np.ndarray, areas: np.ndarray, sigmas: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    a, b, areas, sigmas = (np.asarray(x, np.float64) for x in (a, b, areas, sigmas))
    count = len(b) if b.ndim else 0
    for array, shape in ((a, (len(a), sigmas.size, 3)), (b, (count, sigmas.size, 3))):
        if array.shape != shape:
            raise ValueError(
                f"expected keypoints (people, {sigmas.size}, 3), one per sigma, received "
                f"{array.shape}; pass the sigmas of the keypoints' skeleton"
            )
    if areas.shape != (count,):
        raise ValueError(f"expected areas ({count},), one per person, received {areas.shape}")
    if not all(np.isfinite(x).all() for x in (a, b, areas)) or (areas < 0).any():
        raise ValueError("expected finite keypoints and areas of at least 0, received others")
    return a, b, areas, sigmas


def _checked_boxes(boxes: np.ndarray, areas: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, np.float64)
    if boxes.shape != (len(areas), 4) or not np.isfinite(boxes).all():
        raise ValueError(
            f"expected finite boxes ({len(areas)}, 4) xyxy, one per annotated person, received "
            f"{boxes.shape}"
        )
    return boxes


def _best_first(scores: np.ndarray, count: int) -> np.ndarray:
    scores = np.asarray(scores)
    if scores.shape != (count,) or not np.isfinite(scores).all():
        raise ValueError(f"expected finite scores ({count},), received {scores.shape}: {scores}")
    return np.argsort(-scores.astype(np.float64), kind="stable")
