"""Quality of keypoint peaks and masks before any grouping into people."""

import numpy as np

from posekit.oks import keypoint_similarity


def match_peaks(
    peaks: np.ndarray,
    keypoints: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.5,
) -> np.ndarray:
    """Matches the peaks of each keypoint type to people, best score first.

    Args:
        peaks: (K, P, 3) float32; x, y in pixels, score; rows of score 0 are padding.
        keypoints: (N, K, 3) float32; x, y in the same pixels, v; v = 0 is not labelled.
        areas: (N,) float32, px².
        sigmas: (K,) OKS constants.
        threshold: least similarity exp(-d² / (2 area (2 sigma)²)) of a match; a labelled keypoint
            is matched once, by the most similar peak that still finds it free.

    Returns:
        (K, P) bool: True where the peak found a keypoint.
    """
    num_types, num_peaks = peaks.shape[:2]
    matched = np.zeros((num_types, num_peaks), bool)
    if not len(keypoints) or not num_peaks:
        return matched
    # (P, N, K): every peak rank is laid out as one "pose", so that one call compares all types.
    similarity = keypoint_similarity(peaks.transpose(1, 0, 2), keypoints, areas, sigmas)
    similarity = np.where(keypoints[None, :, :, 2] > 0, similarity, -1.0)
    similarity = np.where(peaks[:, :, 2].T[:, None, :] > 0, similarity, -1.0)
    types = np.arange(num_types)
    order = np.argsort(-peaks[:, :, 2], axis=1, kind="stable")
    for rank in range(num_peaks):
        peak = order[:, rank]
        candidates = similarity[peak, :, types]  # (K, N)
        best = candidates.argmax(axis=1)
        hit = candidates[types, best] >= threshold
        matched[types[hit], peak[hit]] = True
        similarity[:, best[hit], types[hit]] = -1.0
    return matched


class PeakMetric:
    """Keypoint precision and recall, and mask IoU, over a set of images.

    Every score of every peak is kept (a few floats an image), so that the curve is exact.

    Args:
        sigmas: (K,) OKS constants.
        threshold: least keypoint similarity of a match.
    """

    def __init__(self, sigmas: np.ndarray, threshold: float = 0.5):
        self.sigmas = np.asarray(sigmas, np.float32)
        self.threshold = threshold
        self._scores, self._matched = [], []
        self._num_labelled = 0
        self._intersection = self._union = 0

    def update_peaks(self, peaks, keypoints, areas, ignore_mask=None, stride: int = 1) -> None:
        """Adds one image.

        Args:
            peaks: (K, P, 3), padded with score 0.
            keypoints: (N, K, 3), v = 0 not labelled.
            areas: (N,), px².
            ignore_mask: (h, w) bool or None; an unmatched peak inside is not counted as false.
            stride: pixels per cell of `ignore_mask`.
        """
        matched = match_peaks(peaks, keypoints, areas, self.sigmas, self.threshold)
        counted = peaks[:, :, 2] > 0
        if ignore_mask is not None:
            size = np.array(ignore_mask.shape)[::-1]
            cell = np.clip(np.rint(peaks[:, :, :2] / stride).astype(int), 0, size - 1)
            counted &= matched | ~ignore_mask[cell[..., 1], cell[..., 0]]
        self._scores.append(peaks[:, :, 2][counted])
        self._matched.append(matched[counted])
        self._num_labelled += int((keypoints[:, :, 2] > 0).sum())

    def update_mask(self, predicted, truth, known=None) -> None:
        """Adds one image's mask: (h, w) bool each; cells that are not `known` are left out."""
        known = np.ones(truth.shape, bool) if known is None else known
        self._intersection += int((predicted & truth & known).sum())
        self._union += int(((predicted | truth) & known).sum())

    def curve(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns precision, recall and score, (P,) each, from the best score down."""
        scores = np.concatenate(self._scores or [np.zeros(0)])
        matched = np.concatenate(self._matched or [np.zeros(0, bool)])
        order = np.argsort(-scores, kind="stable")
        true = np.cumsum(matched[order])
        precision = true / np.arange(1, len(true) + 1)
        return precision, true / max(self._num_labelled, 1), scores[order]

    def result(self, precision_at: float = 0.5) -> dict[str, float]:
        """Returns the figures of all images so far.

        Returns:
            recall: greatest recall at a precision of at least `precision_at`.
            peak_ap: area under the precision envelope over recall, all keypoint types pooled.
            score_at: score threshold of that recall (1 where it is never reached).
            mask_iou: intersection over union of the masks, all images pooled.
        """
        precision, recall, scores = self.curve()
        reached = np.flatnonzero(precision >= precision_at)
        last = reached[-1] if len(reached) else None
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return {
            "recall": float(recall[last]) if last is not None else 0.0,
            "peak_ap": float(np.sum(np.diff(recall, prepend=0.0) * envelope)),
            "score_at": float(scores[last]) if last is not None else 1.0,
            "mask_iou": self._intersection / max(self._union, 1),
        }
