"""Boxes and poses of a sequence kept in a file, so that a network looks at a box once."""

import zipfile
from pathlib import Path

import numpy as np

from posekit.atomic_files import replaced_file
from posekit.frames import Frame
from posekit.poses import Poses
from tracking.pipeline import PoseEstimator

_FIELDS = ("frame", "boxes", "keypoints", "scores", "detected_frame", "detected", "detected_scores")


class CachedEstimator:
    """An estimator that asks another one only for what its file does not hold.

    Args:
        estimator: asked for the rest; gives one pose for each box, whose score grows with that of
            the box.
        file: .npz of this sequence, this network and this way of reading it; `save` writes it.
        rescored: people's scores are those of the estimator; False: those of their boxes.

    Raises:
        ValueError: the file is none of this kind.
    """

    def __init__(self, estimator: PoseEstimator, file: Path | str, rescored: bool = True):
        self.estimator = estimator
        self.skeleton = estimator.skeleton
        self.propagates = estimator.propagates
        self.rescored = rescored
        self._file = Path(file)
        self._known: dict[tuple[int, bytes], tuple[np.ndarray, float]] = {}
        self._detected: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._changed = False
        if self._file.is_file():
            self._load()

    def detect(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Returns boxes (N, 4) xyxy and scores (N,)."""
        if frame.index not in self._detected:
            boxes, scores = self.estimator.detect(frame)
            boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
            self._detected[frame.index] = boxes, np.asarray(scores, np.float32)
            self._changed = True
        return self._detected[frame.index]

    def poses(self, frame: Frame, boxes: np.ndarray, scores: np.ndarray) -> Poses:
        """Returns one pose for each box."""
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        keys = [(frame.index, box.tobytes()) for box in boxes]
        new = [row for row, key in enumerate(keys) if key not in self._known]
        if new:
            found = self.estimator.poses(frame, boxes[new], np.ones(len(new), np.float32))
            values = zip(found.keypoints, found.scores, strict=True)
            self._known |= dict(zip([keys[row] for row in new], values, strict=True))
            self._changed = True
        if not keys:
            return Poses.empty(self.skeleton)
        keypoints, beliefs = map(np.array, zip(*(self._known[key] for key in keys), strict=True))
        scores = np.asarray(scores, np.float32)
        return Poses(keypoints, scores * beliefs if self.rescored else scores, boxes, self.skeleton)

    def save(self) -> None:
        """Writes what was added; a second process that does so too loses nothing but time."""
        if not self._changed:
            return
        count = self.skeleton.num_keypoints
        frames = [frame for frame, _ in self._known]
        boxes = b"".join(box for _, box in self._known)
        keypoints = [pose for pose, _ in self._known.values()]
        detected = list(self._detected.items())
        arrays = {
            "frame": np.array(frames, np.int64),
            "boxes": np.frombuffer(boxes, np.float32).reshape(-1, 4),
            "keypoints": np.array(keypoints, np.float32).reshape(-1, count, 3),
            "scores": np.array([score for _, score in self._known.values()], np.float32),
            "detected_frame": np.array(
                [frame for frame, (boxes, _) in detected for _ in range(max(len(boxes), 1))],
                np.int64,
            ),
        }
        arrays |= _padded(detected)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(self._file) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
        self._changed = False

    def _load(self) -> None:
        try:
            with np.load(self._file, allow_pickle=False) as stored:
                columns = [stored[name] for name in _FIELDS]
        except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{self._file}: expected boxes and poses as this program writes them, received: "
                f"{error}; remove the file"
            ) from error
        frame, boxes, keypoints, scores, detected_frame, detected, detected_scores = columns
        keys = zip(frame.tolist(), (box.tobytes() for box in boxes), strict=True)
        self._known = dict(zip(keys, zip(keypoints, scores, strict=True), strict=True))
        for index in np.unique(detected_frame):
            rows = (detected_frame == index) & (detected_scores >= 0)
            self._detected[int(index)] = detected[rows], detected_scores[rows]


def _padded(detected: list[tuple[int, tuple[np.ndarray, np.ndarray]]]) -> dict[str, np.ndarray]:
    """All boxes behind each other; a frame without any has one of score -1."""
    blank = np.zeros((1, 4), np.float32), np.array([-1], np.float32)
    parts = [part if len(part[0]) else blank for _, part in detected]
    boxes, scores = zip(*parts, strict=True) if parts else ([blank[0][:0]], [blank[1][:0]])
    return {"detected": np.concatenate(boxes), "detected_scores": np.concatenate(scores)}
