"""The queue of tracked people, as rows of arrays."""

import dataclasses

import numpy as np

from posekit.poses import Poses


@dataclasses.dataclass(frozen=True, eq=False)
class QueueRows:
    """The people of the last frames: one row each, so that one operation serves all frames.

    Args:
        keypoints: (P, K, 3) float32 x, y, score; with composed flow where they would be in the
            last frame, else where they were found.
        boxes: (P, 4) float32 xyxy, where they were found.
        scores: (P,) float32.
        ids: (P,) int64.
        ages: (P,) int64, how many frames before the coming one, from 1; ascending.
    """

    keypoints: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    ids: np.ndarray
    ages: np.ndarray

    @classmethod
    def empty(cls, num_keypoints: int) -> "QueueRows":
        """Returns the queue in which nobody is."""
        shapes = (0, num_keypoints, 3), (0, 4), 0
        whole = np.zeros(0, np.int64)
        return cls(*(np.zeros(shape, np.float32) for shape in shapes), whole, whole)

    def after(self, tracked: Poses, frames: int) -> "QueueRows":
        """Returns the queue with the people of one more frame, and no more frames than given."""
        stays = self.ages < frames
        new = tracked.keypoints, tracked.boxes, tracked.scores, tracked.track_ids
        old = self.keypoints[stays], self.boxes[stays], self.scores[stays], self.ids[stays]
        ages = np.concatenate([np.ones(len(tracked), np.int64), self.ages[stays] + 1])
        return QueueRows(*map(np.concatenate, zip(new, old, strict=True)), ages)

    def check(self, num_keypoints: int, frames: int) -> None:
        """Raises ValueError unless the rows belong together and to a queue of so many frames."""
        count = self.ids.size
        shapes = {
            "keypoints": (count, num_keypoints, 3),
            "boxes": (count, 4),
            "scores": (count,),
            "ids": (count,),
            "ages": (count,),
        }
        for field, shape in shapes.items():
            array = getattr(self, field)
            kind = np.int64 if field in ("ids", "ages") else np.float32
            if array.shape != shape or array.dtype != kind or not np.isfinite(array).all():
                raise ValueError(
                    f"{field}: expected finite {np.dtype(kind).name} {shape}, received "
                    f"{array.dtype} {array.shape}; restore what state() gave"
                )
        if count and not 1 <= self.ages.min() <= self.ages.max() <= frames:
            raise ValueError(
                f"expected a queue of at most {frames} frames, received people {self.ages.max()} "
                "frames old; restore with the settings of the state"
            )
