"""PCKh, the metric of MPII: keypoints found within a share of the head's size."""

import dataclasses

import numpy as np

from posekit.skeletons import MPII

GROUPS = {
    "Head": ("head_top",),
    "Shoulder": ("right_shoulder", "left_shoulder"),
    "Elbow": ("right_elbow", "left_elbow"),
    "Wrist": ("right_wrist", "left_wrist"),
    "Hip": ("right_hip", "left_hip"),
    "Knee": ("right_knee", "left_knee"),
    "Ankle": ("right_ankle", "left_ankle"),
}
"""Columns of the published tables; a column is the plain mean of its sides."""
NOT_IN_MEAN = ("pelvis", "thorax")
"""Keypoints that no mean counts; the neck is in the means, but in no column."""


@dataclasses.dataclass(frozen=True)
class Pckh:
    """PCKh at one threshold.

    Args:
        threshold: share of the head size, inclusive.
        hits: (16,) int64 keypoints found.
        counts: (16,) int64 keypoints with truth.
    """

    threshold: float
    hits: np.ndarray
    counts: np.ndarray

    @property
    def keypoints(self) -> np.ndarray:
        """(16,) float64 per cent; NaN for a keypoint that nobody has."""
        return 100 * np.divide(
            self.hits, self.counts, out=np.full(len(self.hits), np.nan), where=self.counts > 0
        )

    @property
    def groups(self) -> dict[str, float | None]:
        """The columns of the published tables, per cent; None where nobody has the keypoints."""
        values = self.keypoints
        return {
            group: _mean(values[[MPII.names.index(name) for name in names]])
            for group, names in GROUPS.items()
        }

    @property
    def mean(self) -> float | None:
        """Weighted by counts: found / annotated of all keypoints but pelvis and thorax, per cent.

        It is the "Mean" of Simple Baselines; 87.30 where the plain one is 86.76.
        """
        counted = _in_mean()
        total = self.counts[counted].sum()
        return float(100 * self.hits[counted].sum() / total) if total else None

    @property
    def plain_mean(self) -> float | None:
        """Of the fourteen keypoints' values alike, without those that nobody has, per cent."""
        return _mean(self.keypoints[_in_mean()])


def pckh(
    predictions: np.ndarray, keypoints: np.ndarray, head_sizes: np.ndarray, threshold: float = 0.5
) -> Pckh:
    """Counts the keypoints predicted within a share of the head size.

    Args:
        predictions: (N, 16, 2) x, y in the order of `skeletons.MPII`; what is not finite is wrong.
        keypoints: (N, 16, 3) truth x, y, v in the same pixels; v 0 does not count.
        head_sizes: (N,) pixels, 0.6 times the diagonal of the head box.
        threshold: share of the head size up to which, inclusive, a keypoint is found.

    Raises:
        ValueError: arrays of unlike shape.

    Reference: Andriluka et al. 2014, section 4 (PCKh).
    """
    distances = normalized_distances(predictions, keypoints, head_sizes)
    there = np.asarray(keypoints)[..., 2] > 0
    return Pckh(threshold, ((distances <= threshold) & there).sum(axis=0), there.sum(axis=0))


def normalized_distances(
    predictions: np.ndarray, keypoints: np.ndarray, head_sizes: np.ndarray
) -> np.ndarray:
    """Returns the distances (N, 16) in head sizes; infinite where the prediction is not finite."""
    predictions, keypoints = np.asarray(predictions), np.asarray(keypoints)
    n = len(head_sizes)
    if predictions.shape != (n, 16, 2) or keypoints.shape != (n, 16, 3):
        raise ValueError(
            f"expected predictions (N, 16, 2) and keypoints (N, 16, 3) of N = {n} people with head "
            f"sizes, received {predictions.shape} and {keypoints.shape}; predictions must be in "
            "the order of the ground truth, one for each of its people"
        )
    finite = np.isfinite(predictions).all(axis=2)
    offsets = np.where(finite[..., None], predictions, 0).astype(np.float64) - keypoints[..., :2]
    sizes = np.asarray(head_sizes, np.float64)[:, None]
    pixels = np.linalg.norm(offsets, axis=2)
    distances = np.divide(pixels, sizes, out=np.full_like(pixels, np.inf), where=sizes > 0)
    return np.where(finite, distances, np.inf)


def _in_mean() -> np.ndarray:
    return ~np.isin(MPII.names, NOT_IN_MEAN)


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None
