"""Detector and pose network that know the truth and make the mistakes of real ones.

They stand in for networks where the tracking is what is looked at: the laboratory's figures on
drawn videos, and on annotations without pictures.
"""

import dataclasses
import zlib

import numpy as np

from posekit.boxes import box_areas, box_of_keypoints, clip_boxes, iou_matrix
from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.frames import Frame
from posekit.poses import Poses
from posekit.skeletons import POSETRACK


@dataclasses.dataclass(frozen=True)
class SimulatedDetector:
    """How often and how far a simulated detector is wrong."""

    detectors: int = 1
    """Detectors whose boxes are pooled; they miss people independently."""
    miss: float = 0.15
    """Share of the people's frames in which a detector does not see them."""
    burst: float = 2.0
    """Mean number of frames in a row of such a miss."""
    jitter: float = 0.05
    """Standard deviation of a box's sides, as a share of its width and height."""
    half: float = 0.0
    """Share of boxes that hold the upper 60 % of a person only."""
    false_boxes: float = 0.5
    """Mean number of boxes without a person in a frame, per detector."""


@dataclasses.dataclass(frozen=True)
class SimulatedNetwork:
    """How often and how far a simulated pose network is wrong."""

    error: float = 0.025
    """Standard deviation of a keypoint, as a share of the root of the box's area."""
    gross: float = 0.06
    """Share of keypoints that lie anywhere in the box, with lower scores."""


DETECTORS = {
    "R-FCN": SimulatedDetector(miss=0.25, jitter=0.07, false_boxes=0.8),
    "FPN-DCN": SimulatedDetector(miss=0.15),
    "four detectors, merged": SimulatedDetector(4, miss=0.25, jitter=0.08, half=0.25),
}
"""Stand-ins of the detectors that recipes name."""
NETWORKS = {
    "simple-baselines-r50-posetrack": SimulatedNetwork(),
    "simple-baselines-r152-384x288-posetrack": SimulatedNetwork(error=0.02, gross=0.045),
    "mdpn-r50": SimulatedNetwork(),
}
"""Stand-ins of the networks that recipes name."""


class SimulatedEstimator:
    """Finds the annotated people of one sequence, wrongly at times.

    The same seed makes the same mistakes with the same people and frames, whatever the settings of
    the tracker are; only what a box adds to the error is drawn anew for each list of boxes.

    Args:
        truth: the sequence.
        detector: how wrong boxes are.
        network: how wrong poses are.
        size: (height, width) of the frames, pixels.
        seed: of the mistakes.
        rescored: people's scores are box score times mean keypoint score; False: the box's.
    """

    skeleton = POSETRACK
    propagates = True

    def __init__(
        self,
        truth: PoseTrackSequence,
        detector: SimulatedDetector,
        network: SimulatedNetwork,
        size: tuple[int, int],
        seed: int = 0,
        rescored: bool = True,
    ):
        self.truth, self.detector, self.network = truth, detector, network
        self.size, self.rescored = size, rescored
        self._seed = seed, zlib.crc32(truth.file.stem.encode())
        self._missed = self._misses(len(truth.file_names))

    def detect(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Returns boxes (N, 4) xyxy and their scores (N,)."""
        people, keypoints = self._people(frame.index)
        boxes = box_of_keypoints(keypoints)
        parts = [
            self._detect_once(frame.index, number, boxes[~missed])
            for number, missed in enumerate(self._missed[:, people])
        ]
        found, scores = map(np.concatenate, zip(*parts, strict=True))
        found = clip_boxes(found, self.size)
        kept = box_areas(found) > 0
        return found[kept], scores[kept]

    def _detect_once(
        self, index: int, number: int, boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((*self._seed, index, number))
        sides = boxes[:, 2:] - boxes[:, :2]
        shift = rng.normal(0, self.detector.jitter, boxes.shape) * np.tile(sides, 2)
        boxes = boxes + shift
        half = rng.random(len(boxes)) < self.detector.half
        boxes[half, 3] -= 0.4 * sides[half, 1]
        wrong = self._anywhere(rng, rng.poisson(self.detector.false_boxes))
        scores = rng.normal(0.85, 0.12, len(boxes)), rng.normal(0.35, 0.15, len(wrong))
        return np.concatenate([boxes, wrong]), np.clip(np.concatenate(scores), 0.01, 1)

    def _anywhere(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Upright boxes of people's shape somewhere in the frame."""
        height, width = self.size
        tall = rng.uniform(0.2, 0.8, count) * height
        sides = np.stack([0.4 * tall, tall], axis=1)
        corner = rng.uniform(0, 1, (count, 2)) * np.maximum((width, height) - sides, 0)
        return np.concatenate([corner, corner + sides], axis=1)

    def poses(self, frame: Frame, boxes: np.ndarray, scores: np.ndarray) -> Poses:
        """Returns a pose for each box: that of the person who fills it best, or nonsense."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        _, truth = self._people(frame.index)
        rng = np.random.default_rng((*self._seed, frame.index, 1 << 20))
        people = self._seen_people(rng, truth)
        nonsense = self._nonsense(rng, boxes)
        if not len(people) or not len(boxes):
            return self._scored(nonsense, boxes, scores)
        overlaps = iou_matrix(boxes, box_of_keypoints(truth))
        whom, overlap = overlaps.argmax(axis=1), overlaps.max(axis=1)
        found = people[whom]
        spread = self.network.error * (1 - overlap) * np.sqrt(box_areas(boxes))
        found[..., :2] += spread[:, None, None] * rng.normal(0, 1, (*found.shape[:2], 2))
        found[..., 2] *= (0.6 + 0.4 * overlap)[:, None]
        keypoints = np.where((overlap > 0.25)[:, None, None], found, nonsense)
        return self._scored(keypoints, boxes, scores)

    def _seen_people(self, rng: np.random.Generator, truth: np.ndarray) -> np.ndarray:
        """The people (N, 15, 3) as a network sees them in a fitting box."""
        boxes = box_of_keypoints(truth)
        labelled = truth[..., 2] > 0
        size = np.sqrt(box_areas(boxes))[:, None]
        deviation = np.abs(rng.normal(0, 1, labelled.shape)) * self.network.error
        angle = rng.uniform(0, 2 * np.pi, labelled.shape)
        shift = (deviation * size)[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        guess = self._nonsense(rng, boxes)
        believed = np.clip(0.8 - 2 * deviation + rng.normal(0, 0.12, labelled.shape), 0.02, 1)
        seen = np.concatenate([truth[..., :2] + shift, believed[..., None]], axis=-1)
        wrong = ~labelled | (rng.random(labelled.shape) < self.network.gross)
        return np.where(wrong[..., None], guess, seen)

    def _nonsense(self, rng: np.random.Generator, boxes: np.ndarray) -> np.ndarray:
        """Keypoints (N, 15, 3) anywhere in the boxes, which the network believes little."""
        shape = len(boxes), POSETRACK.num_keypoints
        low, sides = boxes[:, None, :2], (boxes[:, 2:] - boxes[:, :2])[:, None]
        points = low + rng.uniform(0, 1, (*shape, 2)) * sides - 0.5  # edges to points
        scores = np.clip(rng.normal(0.25, 0.12, (*shape, 1)), 0.02, 1)
        return np.concatenate([points, scores], axis=-1)

    def _scored(self, keypoints: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> Poses:
        means = keypoints[..., 2].mean(axis=1) if self.rescored else 1.0
        return Poses(keypoints, scores * means, boxes, POSETRACK)

    def _people(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows (N,) of a frame's people with a keypoint, and these, (N, 15, 3)."""
        rows = np.flatnonzero(self.truth.frame == index)
        rows = rows[(self.truth.keypoints[rows, :, 2] > 0).any(axis=1)]
        return rows, self.truth.keypoints[rows].astype(np.float64)

    def _misses(self, frames: int) -> np.ndarray:
        """(detectors, A) bool; misses of a track follow one another."""
        ids, track = np.unique(self.truth.track_ids, return_inverse=True)
        rng = np.random.default_rng((*self._seed, 1 << 21))
        ends = 1 / self.detector.burst
        begins = ends * self.detector.miss / (1 - self.detector.miss)
        luck = rng.random((frames, self.detector.detectors, len(ids)))
        missed = np.zeros(luck.shape, bool)
        missed[0] = luck[0] < self.detector.miss
        for time in range(1, frames):
            missed[time] = np.where(missed[time - 1], luck[time] >= ends, luck[time] < begins)
        return missed[self.truth.frame, :, track.reshape(-1)].T
