"""Drops the people of short tracks, while the video goes on."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posekit.poses import Poses
from posekit.skeletons import Skeleton


class Pruning:
    """Holds frames back until it is certain which of their tracks are long enough.

    A track is short when the whole video has fewer poses of it than asked for. So a frame waits
    until each of its tracks has enough or can get no more, as its id has left the tracker's queue:
    at most (shortest - 1) horizon frames. Memory is bounded by that.

    Args:
        shortest: least number of poses of a track; 1: all are long enough, nothing waits.
        horizon: frames after which the tracker does not use an id again: the length of its queue.

    Reference: Guo et al. 2018 (MDPN), section 2.2: tracks of fewer than 2 frames are dropped.
    """

    def __init__(self, shortest: int, horizon: int):
        if shortest < 1 or horizon < 1:
            raise ValueError(f"expected numbers from 1, received {shortest} and {horizon}")
        self.shortest = shortest
        self.horizon = horizon
        self._waiting: deque[tuple[Any, Poses]] = deque()
        self._frame = 0
        self._ids, self._counts, self._last = (np.zeros(0, np.int64) for _ in range(3))

    def update(self, item: Any, poses: Poses) -> list[tuple[Any, Poses]]:
        """Takes the next frame and returns those that are settled.

        Args:
            item: what is to come back with the poses, such as the frame.
            poses: of the frame, with track ids.

        Returns:
            Items with the poses of long tracks, in the order of the frames; often none.

        Raises:
            ValueError: for poses without track ids.
        """
        if poses.track_ids is None:
            raise ValueError("expected poses with track ids, received some without; track them")
        self._count(poses.track_ids)
        self._waiting.append((item, poses))
        unsettled = self._ids[(self._counts < self.shortest) & self._may_return()]
        released = []
        while self._waiting and not np.isin(self._waiting[0][1].track_ids, unsettled).any():
            released.append(self._release())
        self._forget()
        return released

    def finish(self) -> list[tuple[Any, Poses]]:
        """Returns all that still waits, without short tracks: the video is over."""
        return [self._release() for _ in range(len(self._waiting))]

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` needs, without the items; `np.savez` takes it."""
        waiting = [poses for _, poses in self._waiting]
        state = {
            "frame": np.array(self._frame, np.int64),
            "ids": self._ids.copy(),
            "counts": self._counts.copy(),
            "last": self._last.copy(),
            "people": np.array([len(poses) for poses in waiting], np.int64),
        }
        for field in ("keypoints", "scores", "boxes", "track_ids"):
            arrays = [getattr(poses, field) for poses in waiting]
            state[f"waiting_{field}"] = np.concatenate(arrays) if arrays else np.zeros(0)
        return state

    def restore(
        self, state: Mapping[str, np.ndarray], items: Sequence[Any], skeleton: Skeleton
    ) -> None:
        """Goes on where the pruning was when its `state()` was taken.

        Args:
            state: of a pruning with the same two numbers.
            items: of the frames that wait, in order: the last ones given to `update`.
            skeleton: of the poses.

        Raises:
            ValueError: for states that lack something, and another number of items.
        """
        missing = sorted(self.state().keys() - set(state))
        if missing:
            raise ValueError(f"expected a state of a pruning, received one without {missing}")
        people = np.asarray(state["people"])
        if len(items) != len(people):
            raise ValueError(
                f"expected the items of the {len(people)} frames that wait, received {len(items)}"
            )
        fields = ("keypoints", "scores", "boxes", "track_ids")
        ends = np.cumsum(people)
        parts = [np.split(np.asarray(state[f"waiting_{field}"]), ends)[:-1] for field in fields]
        waiting = [
            Poses(keypoints, scores, boxes, skeleton, ids)
            for keypoints, scores, boxes, ids in zip(*parts, strict=True)
        ]
        self._waiting = deque(zip(items, waiting, strict=True))
        self._frame = int(state["frame"])
        self._ids, self._counts, self._last = (
            np.array(state[key], np.int64) for key in ("ids", "counts", "last")
        )

    def _count(self, ids: np.ndarray) -> None:
        self._frame += 1
        new = ids[~np.isin(ids, self._ids)]
        self._ids = np.concatenate([self._ids, new])
        self._counts, self._last = (
            np.concatenate([known, np.zeros_like(new)]) for known in (self._counts, self._last)
        )
        present = np.isin(self._ids, ids)
        self._counts[present] += 1
        self._last[present] = self._frame

    def _may_return(self) -> np.ndarray:
        """(n,) bool: ids that the tracker can still give to somebody of a later frame."""
        return self._frame - self._last < self.horizon

    def _release(self) -> tuple[Any, Poses]:
        item, poses = self._waiting.popleft()
        long = self._ids[self._counts >= self.shortest]
        return item, poses.select(np.isin(poses.track_ids, long))

    def _forget(self) -> None:
        """Keeps only the ids that may return or wait, however long the video is."""
        waiting = [poses.track_ids for _, poses in self._waiting]
        stays = self._may_return() | np.isin(self._ids, np.concatenate([[], *waiting]))
        self._ids, self._counts, self._last = (
            array[stays] for array in (self._ids, self._counts, self._last)
        )
