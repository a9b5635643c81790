"""Several boxes of one person made one: NMS, soft-NMS, weighted fusion; of several detectors too.

"Overlap" is the intersection over union of `posekit.boxes`, without "+1".
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from posekit.boxes import iou_matrix
from posekit.detections import Detections, DetectionsError, union

Method = Literal["nms", "soft-nms", "soft-nms-linear", "wbf"]
"""How boxes are merged: `nms`, `soft_nms` (gaussian or linear) or `weighted_box_fusion`."""
THRESHOLDS: dict[Method, float] = {
    "nms": 0.6,
    "soft-nms": 0.5,
    "soft-nms-linear": 0.3,
    "wbf": 0.55,
}
"""The papers' own: overlaps; of "soft-nms" sigma, the width of the Gaussian."""
_LEAST_PULL = 1e-12
"""A box of score 0 must still have a place."""


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float = 0.6) -> np.ndarray:
    """Drops the boxes that overlap a better one.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,).
        threshold: a box is dropped when its overlap with a kept one is above this.

    Returns:
        (n,) int64 indices of the kept boxes, best first; equal scores in the given order.

    Raises:
        DetectionsError: wrong shapes, numbers that are not finite, a threshold out of its range.

    Reference: MDPN, ECCV 2018 workshop: 0.6 for the boxes of several detectors.
    """
    boxes, scores = _checked(boxes, scores, threshold)
    order = np.argsort(-scores, kind="stable")
    apart = iou_matrix(boxes[order], boxes[order]) <= threshold
    alive = np.ones(len(order), bool)
    for place in range(len(order)):
        if alive[place]:
            alive[place + 1 :] &= apart[place, place + 1 :]
    return order[alive]


def soft_nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    threshold: float = 0.5,
    method: Literal["gaussian", "linear"] = "gaussian",
) -> tuple[np.ndarray, np.ndarray]:
    """Lowers the scores of boxes for every better one that they overlap; drops none.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,), at least 0.
        threshold: "gaussian": sigma, of a factor exp(-overlap² / sigma); "linear": least overlap
            that lowers a score, by the factor 1 - overlap.
        method: one of these.

    Returns:
        indices: (N,) int64 of all boxes, best first by lowered score.
        scores: (N,) float64 their lowered scores.

    Raises:
        DetectionsError: as `nms`; negative scores (they would rise), another method.

    Reference: Bodla et al. 2017 (arXiv:1704.04503), section 3: sigma 0.5, overlap 0.3.
    """
    if method not in ("gaussian", "linear"):
        raise DetectionsError(f"expected method 'gaussian' or 'linear', received {method!r}")
    boxes, scores = _checked(boxes, scores, threshold, np.inf if method == "gaussian" else 1, 0)
    overlaps = iou_matrix(boxes, boxes)
    if method == "gaussian":
        decay = np.exp(-(overlaps**2) / threshold)
    else:
        decay = np.where(overlaps >= threshold, 1 - overlaps, 1)
    kept, lowered = np.zeros(len(boxes), np.int64), scores.copy()
    waiting = np.ones(len(boxes), bool)
    for place in range(len(boxes)):
        kept[place] = best = np.argmax(np.where(waiting, lowered, -np.inf))
        waiting[best] = False
        lowered[waiting] *= decay[best, waiting]
    return kept, lowered[kept]


def weighted_box_fusion(
    boxes: np.ndarray,
    scores: np.ndarray,
    sources: np.ndarray,
    weights: Sequence[float],
    threshold: float = 0.55,
) -> tuple[np.ndarray, np.ndarray]:
    """Replaces the boxes that mean the same person by their mean, weighted by score.

    In the order of their scores, each box joins the cluster whose mean box it overlaps most, if by
    more than the threshold, or else begins a new one. A cluster's score is the mean of its boxes'
    scores, times its number of boxes over that of the detectors where that is below 1.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,), at least 0.
        sources: (N,) whole numbers, which detector each box is from.
        weights: (D,) of the detectors, above 0; a weight of 2 counts as two detectors that agree.
            All 1: the paper.
        threshold: least overlap.

    Returns:
        boxes: (n, 4) float64, best first.
        scores: (n,) float64.

    Raises:
        DetectionsError: as `nms`; negative scores, weights of at most 0, sources without weight.

    Reference: Solovyev et al. 2019 (arXiv:1910.13302), section 2, the rescaling by min(T, N) / N.
    """
    boxes, scores = _checked(boxes, scores, threshold, lowest=0)
    trust = _trust(sources, weights, len(boxes))
    pull = trust * np.maximum(scores, _LEAST_PULL)
    added = np.column_stack([boxes * pull[:, None], pull, trust])
    sums, means = np.zeros((len(boxes), 6)), np.zeros((len(boxes), 4))
    count = 0
    for row in np.argsort(-pull, kind="stable"):
        overlaps = iou_matrix(boxes[row, None], means[:count])[0]
        place = overlaps.argmax() if count else 0
        if not count or overlaps[place] <= threshold:
            place, count = count, count + 1
        sums[place] += added[row]
        means[place] = sums[place, :4] / sums[place, 4]
    pulls, trusts = sums[:count, 4:].T
    fused = pulls / trusts * np.minimum(trusts / sum(weights), 1)
    order = np.argsort(-fused, kind="stable")
    return means[order], fused[order]


def merge(
    parts: Sequence[Detections],
    method: Method = "nms",
    threshold: float | None = None,
    minimum: float = 0.0,
    weights: Sequence[float] | None = None,
) -> Detections:
    """Merges the boxes of several detectors, image by image; scores are taken as they are.

    Args:
        parts: one for each detector.
        method: see `Method`.
        threshold: of the method; None: that of `THRESHOLDS`.
        minimum: boxes of a lower score are left out, before merging and after: only NMS keeps
            scores.
        weights: (D,) of the detectors, for "wbf" only; None: all 1.

    Returns:
        Boxes by image id, in each image the best first.

    Raises:
        DetectionsError: as the methods; no parts, another method, weights that it does not use.
    """
    if not parts or method not in THRESHOLDS or (weights and method != "wbf"):
        raise DetectionsError(
            f"expected detections, one of the methods {', '.join(THRESHOLDS)}, and weights for wbf "
            f"only, received {len(parts)} parts, {method!r} and weights {weights}"
        )
    threshold = THRESHOLDS[method] if threshold is None else threshold
    weights = weights or [1.0] * len(parts)
    together = union(parts)
    sources = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    good = together.scores >= minimum
    together, sources = together.select(good), sources[good]
    ids, boxes, scores = [np.zeros(0, np.int64)], [np.zeros((0, 4))], [np.zeros(0)]
    for image_id in together.images:
        rows = together.rows_of_image(image_id)
        columns = together.boxes[rows], together.scores[rows], sources[rows]
        found, lowered = _merged(*columns, method, threshold, weights)
        kept = lowered >= minimum
        ids.append(np.full(kept.sum(), image_id))
        boxes.append(found[kept])
        scores.append(lowered[kept])
    return Detections(*map(np.concatenate, (ids, boxes, scores)))


def _merged(
    boxes: np.ndarray,
    scores: np.ndarray,
    sources: np.ndarray,
    method: Method,
    threshold: float,
    weights: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """Merges the boxes of one image; returns boxes and scores, best first."""
    if method == "wbf":
        return weighted_box_fusion(boxes, scores, sources, weights, threshold)
    if method == "nms":
        kept = nms(boxes, scores, threshold)
        return boxes[kept], scores[kept]
    kind = "linear" if method == "soft-nms-linear" else "gaussian"
    kept, lowered = soft_nms(boxes, scores, threshold, kind)
    return boxes[kept], lowered


def _checked(
    boxes: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    highest: float = 1,
    lowest: float = -np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    boxes, scores = np.asarray(boxes), np.asarray(scores, np.float64)
    if boxes.shape != (len(boxes), 4) or scores.shape != (len(boxes),):
        raise DetectionsError(
            f"expected boxes (N, 4) and scores (N,), received {boxes.shape} and {scores.shape}"
        )
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()) or (scores < lowest).any():
        raise DetectionsError(
            f"expected finite boxes, and finite scores of at least {lowest}, received others; a "
            "diverged network gives such"
        )
    if not 0 < threshold <= highest:
        raise DetectionsError(
            f"expected a threshold above 0 and at most {highest}, received {threshold}"
        )
    return boxes.astype(np.float64), scores


def _trust(sources: np.ndarray, weights: Sequence[float], count: int) -> np.ndarray:
    """Returns the weight of each box's detector (N,)."""
    sources, weights = np.asarray(sources), np.asarray(weights, np.float64)
    if weights.ndim != 1 or not ((weights > 0) & np.isfinite(weights)).all():
        raise DetectionsError(f"expected weights above 0, one a detector, received {weights}")
    numbers = np.arange(len(weights))
    if sources.shape != (count,) or not np.isin(sources, numbers).all():
        raise DetectionsError(
            f"expected sources ({count},), numbers from 0 to {len(weights) - 1}, one a box: every "
            f"detector needs a weight, received {sources.shape} and {len(weights)} weights"
        )
    return weights[sources.astype(np.int64)]
