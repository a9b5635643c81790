"""The official COCO numbers as a value that travels."""

import dataclasses

import numpy as np

from posekit.metrics.coco_results import Kind

NAMES = {
    "keypoints": ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"),
    "bbox": tuple("AP AP50 AP75 APS APM APL AR1 AR10 AR100 ARS ARM ARL".split()),
}
"""What pycocotools' `stats` are, in its order."""


@dataclasses.dataclass(frozen=True)
class CocoScores:
    """The official numbers, and what they were computed from.

    Args:
        kind: "keypoints" or "bbox".
        stats: as `NAMES[kind]`, each 0 to 1; -1 where the ground truth has nobody of that size.
        images: counts: `ground_truth`, `predicted` (with results), `evaluated`, `skipped` (in the
            ground truth, not evaluated), `unknown` (with results, not in the ground truth).
        people: counts: `ground_truth` and `ignored` (crowds; for keypoints also people without
            labelled keypoints) of the evaluated images.
        results: counts: `read`, `evaluated`, `beyond_limit` (an image's results of lower score than
            the best 20 or 100), `unknown_image`, `other_category`.
        protocol: how it was evaluated.
        thresholds: (T,) float64 OKS or IoU.
        recalls: (R,) float64.
        precisions: size of people ("all", "medium", "large", for boxes "small") -> (T, R) float64
            precision at each threshold and recall; -1 where there is nobody of that size.
    """

    kind: Kind
    stats: tuple[float, ...]
    images: dict[str, int]
    people: dict[str, int]
    results: dict[str, int]
    protocol: dict[str, object]
    thresholds: np.ndarray
    recalls: np.ndarray
    precisions: dict[str, np.ndarray]

    @property
    def metrics(self) -> dict[str, float | None]:
        """The stats by name; None where the ground truth has nobody of that size."""
        values = (None if value < 0 else value for value in self.stats)
        return dict(zip(NAMES[self.kind], values, strict=True))
