"""A person detector and a top-down network behind each other: images in, poses out."""

from collections.abc import Callable, Sequence

import numpy as np

from posekit.boxes import box_areas
from posekit.photos.prediction_files import Found
from topdown.prediction import TopDownPredictor

Detect = Callable[[Sequence[np.ndarray]], Sequence[tuple[np.ndarray, np.ndarray]]]
"""Images (H, W, 3) uint8 RGB -> boxes (N, 4) xyxy in their pixels and scores (N,) of each."""


class PhotoPredictor:
    """Finds people and then their poses; for `posekit.photos.predict_files`.

    Args:
        predictor: of the poses.
        detect: of the boxes; such without an area are left out.
    """

    def __init__(self, predictor: TopDownPredictor, detect: Detect):
        self.predictor = predictor
        self.skeleton = predictor.skeleton
        self._detect = detect

    def predict(self, images: Sequence[np.ndarray]) -> list[Found]:
        """Finds the people of images (H, W, 3) uint8 RGB; best poses first, without masks."""
        boxes, scores = [], []
        for found, values in self._detect(images):
            found = np.asarray(found, np.float32).reshape(-1, 4)
            kept = box_areas(found) > 0
            boxes.append(found[kept])
            scores.append(np.asarray(values, np.float32)[kept])
        found = self.predictor.predict_boxed(images, boxes, scores)
        return [Found(one.poses, one.box_scores) for one in found]
