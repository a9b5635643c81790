"""Who finds people in the laboratory: simulated networks, or a real one in given boxes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.detections import Detections
from posekit.frames import Frame
from posekit.poses import Poses
from tracking.laboratory.cached_estimator import CachedEstimator
from tracking.laboratory.rows import Estimators
from tracking.laboratory.sequences import LaboratoryError, LabSequence
from tracking.laboratory.simulation import (
    DETECTORS,
    NETWORKS,
    SimulatedDetector,
    SimulatedEstimator,
    SimulatedNetwork,
)
from tracking.pipeline import PoseEstimator
from tracking.recipes import TrackRecipe


def simulated(seed: int) -> Estimators:
    """Returns the stand-ins of a row's detector and network."""

    def estimator(sequence: LabSequence, recipe: TrackRecipe) -> SimulatedEstimator:
        detector = DETECTORS.get(recipe.detector, SimulatedDetector())
        network = NETWORKS.get(recipe.network, SimulatedNetwork())
        parts = detector, network, sequence.size
        return SimulatedEstimator(sequence.truth, *parts, seed, recipe.rescored)

    return estimator


class GivenBoxes:
    """An estimator whose boxes come from a file.

    Args:
        estimator: of the poses.
        image_ids: (F,) of the sequence's frames.
        detections: of all sequences.
    """

    def __init__(self, estimator: PoseEstimator, image_ids: np.ndarray, detections: Detections):
        self.estimator, self.skeleton = estimator, estimator.skeleton
        self.propagates = estimator.propagates
        self._image_ids, self._detections = image_ids, detections

    def detect(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Returns the file's boxes (N, 4) xyxy and scores (N,)."""
        found = self._detections
        mine = found.image_ids == self._image_ids[frame.index]
        return found.boxes[mine], found.scores[mine]

    def poses(self, frame: Frame, boxes: np.ndarray, scores: np.ndarray) -> Poses:
        """Returns the estimator's."""
        return self.estimator.poses(frame, boxes, scores)


def of_network(
    file: Path,
    network: Callable[[TrackRecipe], PoseEstimator],
    detections: Detections,
    cache: Path,
    read: Any = None,
) -> Estimators:
    """Returns a network in given boxes, whose poses are kept on disk.

    Args:
        file: of the network; what it says about a box is known by its content.
        network: what reads it as a row does.
        detections: with the image ids of the annotations.
        cache: folder of what was found.
        read: what else decides how the network is read, in JSON's types.
    """
    weights = hashlib.blake2b(file.read_bytes(), digest_size=12).hexdigest()
    boxes = _digest(detections.image_ids, detections.boxes, detections.scores)

    def estimator(sequence: LabSequence, recipe: TrackRecipe) -> CachedEstimator:
        truth = sequence.truth
        _check_boxes(truth, detections)
        reading = [
            recipe.heads,
            recipe.offset,
            recipe.blur_sigma,
            recipe.flip,
            read,
            truth.file_names,
        ]
        words = f"{weights} {boxes} {json.dumps(reading)}"
        words = hashlib.blake2b(words.encode(), digest_size=12).hexdigest()
        given = GivenBoxes(network(recipe), truth.image_ids, detections)
        name = cache / "poses" / f"{truth.file.stem}-{words}.npz"
        return CachedEstimator(given, name, recipe.rescored)

    return estimator


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _check_boxes(truth: PoseTrackSequence, detections: Detections) -> None:
    """Refuses boxes of other images, which would give an AP of 0 without a word."""
    if not np.isin(truth.image_ids, detections.image_ids).any():
        raise LaboratoryError(
            f"expected boxes on frames of {truth.file.name} (image ids such as "
            f"{truth.image_ids[:1].tolist()}), received none there, but of image ids such as "
            f"{detections.image_ids[:1].tolist()}; make them with detect.py --kind posetrack on "
            "the same annotations"
        )
