"""From heatmaps of crops to scored people: decoding, back to the image, scores, OKS-NMS."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from posekit.decoding import decode_heatmaps
from posekit.oks import oks_nms
from posekit.poses import Poses
from topdown.combination import Combination, CombinationError, HeadCombiner
from topdown.crops import to_image
from topdown.settings import Reading, Settings


@dataclasses.dataclass(frozen=True, eq=False)
class BoxedPoses:
    """The people of one image.

    Args:
        poses: N people, best first; their `boxes` are those that were read.
        box_scores: (N,) float32 of these boxes.
    """

    poses: Poses
    box_scores: np.ndarray


class PoseReader:
    """Reads the maps of one head, or of several together.

    Args:
        settings: of the network.
        domain: head that is read; None: the first.
        reading: how maps are read; None: as the settings say.
        combination: of heads, in place of one.

    `skeleton` is that of the poses.

    Raises:
        CombinationError: no such head, or heads that cannot be combined.
    """

    def __init__(
        self,
        settings: Settings,
        domain: str | None = None,
        reading: Reading | None = None,
        combination: Combination | None = None,
    ):
        if combination is None:
            domain = domain or next(iter(settings.domains))
            if domain not in settings.domains:
                raise CombinationError(
                    f"expected a head out of {', '.join(settings.domains)}, received {domain}"
                )
            combination = Combination("first", (domain,), settings.domains[domain])
        elif domain is not None:
            raise CombinationError(f"expected a domain or a combination, received both: {domain!r}")
        self.settings = settings
        self.reading = reading or settings.reading
        self.combination = combination
        self.skeleton = combination.skeleton
        self._combiner = HeadCombiner(combination, settings.domains)

    @property
    def found_names(self) -> tuple[str, ...]:
        """The keypoints of `skeleton` that poses can have, read or interpolated."""
        everything = np.ones((1, len(self._combiner.present), 3))
        found = self._combiner.keypoints(everything)[0, :, 2] > 0
        return tuple(np.array(self.skeleton.names)[found].tolist())

    def decode(self, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Reads one keypoint of each map.

        Args:
            maps: domain -> (N, h, w, K of the domain).

        Returns:
            (N, K, 3) float32 x, y in crop pixels, score; the highest value of the (mean) map.
        """
        reading, stride = self.reading, self.settings.stride
        found = self._combiner.maps(maps)
        decoded = decode_heatmaps(found, stride, reading.offset, reading.blur_sigma)
        return self._combiner.keypoints(decoded)

    def people(
        self,
        keypoints: np.ndarray,
        transforms: np.ndarray,
        boxes: np.ndarray,
        scores: np.ndarray,
    ) -> BoxedPoses:
        """Scores the people of an image and drops doubles.

        Keypoints that no head has, or that are interpolated, count neither for scores nor for OKS.

        Args:
            keypoints: (N, K, 3) x, y in crop pixels, score.
            transforms: (N, 2, 3), image pixels -> crop pixels.
            boxes: (N, 4) xyxy that were cropped, image pixels.
            scores: (N,) of the boxes.
        """
        keypoints = to_image(keypoints, transforms)
        read = keypoints[:, self._combiner.present]
        pose_scores = rescore(read, scores, self.reading.keypoint_threshold)
        areas = crop_areas(transforms, self.settings.size)
        sigmas = np.array(self.skeleton.sigmas)[self._combiner.present]
        kept = oks_nms(read, pose_scores, areas, sigmas, self.reading.oks_threshold)
        poses = Poses(keypoints[kept], pose_scores[kept], boxes[kept], self.skeleton)
        return BoxedPoses(poses, scores[kept])


def rescore(keypoints: np.ndarray, box_scores: np.ndarray, threshold: float) -> np.ndarray:
    """Scores people: the box's score times the mean of the keypoint scores above a threshold.

    Args:
        keypoints: (N, K, 3) x, y, score.
        box_scores: (N,).
        threshold: of the keypoints; a person with none above it gets 0.

    Returns:
        (N,) float32.

    Reference: Xiao et al. 2018's code with 0.2; MDPN, section 2.2, takes all keypoints.
    """
    values = keypoints[..., 2]
    counted = values > threshold
    means = (values * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    return (means * box_scores).astype(np.float32)


def crop_areas(transforms: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Areas (N,) in image px² that crops of a (height, width) show, by transforms (N, 2, 3)."""
    return size[0] * size[1] / np.abs(np.linalg.det(transforms[:, :, :2].astype(np.float64)))
