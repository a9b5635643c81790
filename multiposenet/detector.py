"""Person boxes of images of any size, from a joined model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from multiposenet.model import PRETRAINED, load_multiposenet
from multiposenet.video_estimator import VideoEstimator
from posekit.frames import Frame


class PersonDetector:
    """Finds people; keypoints are not given to them.

    Args:
        model_path: .keras file that `scripts/join.py` wrote; None: that of the weights that come
            along.

    Raises:
        ModelError: as `model.load_multiposenet`.
    """

    def __init__(self, model_path: str | Path | None = None):
        self.path = Path(model_path or PRETRAINED)
        self._estimator = VideoEstimator(load_multiposenet(self.path))

    def predict(self, images: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Finds the people of images, each of its own size.

        Args:
            images: (H, W, 3) uint8 RGB each.

        Returns:
            For each image: boxes (N, 4) float32 xyxy in its pixels, inside the image and with an
            area, edges as in `posekit.boxes`, best first; scores (N,) float32.
        """
        return [self._estimator.detect(Frame(image, index)) for index, image in enumerate(images)]
