"""The tracker: gives the people of each frame the identities of those before."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from posekit.poses import Poses
from tracking.flow_field import Flow
from tracking.matching import greedy, hungarian
from tracking.propagation import is_new_shot, move_keypoints, propagated_boxes
from tracking.queue_rows import QueueRows
from tracking.settings import TrackerSettings
from tracking.similarity import box_similarity, pose_similarity

_MATCHING = {"greedy": greedy, "hungarian": hungarian}


class Tracker:
    """Links people from frame to frame, by what resembles them most in the last frames.

    A person is compared with every earlier pose of an identity in the queue; the best of them
    counts. Who is linked to nobody gets a new id: 0, 1, 2, ..., none ever used twice. A frame
    without people takes a place in the queue like any other: who was hidden for fewer frames than
    it holds can be linked again.

    Args:
        settings: `similarity`, `queue`, `composition`, `matching`, `gate`, `keypoint_threshold`
            and `shot_threshold` decide about links; `margin`, `decay` and `propagated_threshold`
            about propagated boxes.

    Reference: Xiao et al. 2018, section 3.3 (Algorithm 1).
    """

    def __init__(self, settings: TrackerSettings):
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forgets everything: the next frame is the first of a video, ids start from 0."""
        self._names: tuple[str, ...] = ()
        self._next_id = 0
        self._queue = QueueRows.empty(0)

    def new_shot(self) -> None:
        """Forgets the people, not the ids: the next frame's people all have new ones."""
        self._queue = QueueRows.empty(len(self._names))

    def propagated(self, flow: Flow | None) -> tuple[np.ndarray, np.ndarray]:
        """Returns the boxes in which to look for the people of the previous frame in this one.

        Args:
            flow: from the previous frame to this one; None: nothing is propagated.

        Returns:
            As `tracking.propagation.propagated_boxes`; none where a new shot starts.
        """
        if flow is None or self._starts_shot(flow):
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        last = self._queue.ages == 1
        people = self._queue.keypoints[last], self._queue.scores[last]
        return propagated_boxes(*people, flow, self.settings)

    def update(self, poses: Poses, flow: Flow | Sequence[Flow] | None = None) -> Poses:
        """Links the people of the next frame.

        Args:
            poses: of the frame; track ids they may have do not count.
            flow: from the previous frame to this one. For composition "direct" a sequence: from
                every frame of the queue to this one, the last frame first. None: the keypoints of
                the queue stay where they are.

        Returns:
            The same people in the same order, with track ids.

        Raises:
            ValueError: when the skeleton changes, or a flow is missing.
        """
        self._check_skeleton(poses)
        flows = [] if flow is None else [flow] if isinstance(flow, Flow) else list(flow)
        if flows and self._starts_shot(flows[0]):
            self.new_shot()
        keypoints = self._moved(flows)
        tracked = dataclasses.replace(poses, track_ids=self._linked(keypoints, poses))
        if self.settings.composition == "composed":
            self._queue = dataclasses.replace(self._queue, keypoints=keypoints)
        self._queue = self._queue.after(tracked, self.settings.queue)
        return tracked

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` needs to go on exactly here; `np.savez` takes it."""
        names = np.array(self._names, np.str_)
        rows = {field: array.copy() for field, array in vars(self._queue).items()}
        return {**rows, "next_id": np.array(self._next_id, np.int64), "names": names}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on where the tracker was when its `state()` was taken, with the same settings.

        Raises:
            ValueError: for states that lack something, or of a longer queue.
        """
        missing = sorted(self.state().keys() - set(state))
        if missing:
            raise ValueError(f"expected a state of a tracker, received one without {missing}")
        names = tuple(np.asarray(state["names"]).tolist())
        fields = [field.name for field in dataclasses.fields(QueueRows)]
        queue = QueueRows(**{field: np.array(state[field]) for field in fields})
        queue.check(len(names), self.settings.queue)
        next_id = int(state["next_id"])
        if next_id <= queue.ids.max(initial=-1):
            raise ValueError(
                f"next_id: expected more than the ids in the state, received {next_id}"
            )
        self._names, self._queue, self._next_id = names, queue, next_id

    def _check_skeleton(self, poses: Poses) -> None:
        names = poses.skeleton.names
        if self._names and names != self._names:
            raise ValueError(
                f"expected the skeleton of the frames before ({len(self._names)} keypoints: "
                f"{', '.join(self._names)}), received {poses.skeleton.name!r} with {len(names)}; "
                "call reset() before another video"
            )
        if not self._names:
            self._names = names
            self.new_shot()

    def _starts_shot(self, flow: Flow) -> bool:
        threshold = self.settings.shot_threshold
        return threshold is not None and is_new_shot(flow, threshold)

    def _moved(self, flows: Sequence[Flow]) -> np.ndarray:
        """(P, K, 3) keypoints of the queue, as they are expected in this frame."""
        keypoints, ages = self._queue.keypoints, self._queue.ages
        least = self.settings.keypoint_threshold
        if not flows or self.settings.similarity != "flow":
            return keypoints
        if self.settings.composition == "composed":
            return move_keypoints(keypoints, flows[0], least)
        oldest = ages.max(initial=0)
        if oldest > len(flows):
            raise ValueError(
                f"expected flow from each of the last {oldest} frames to this one, the last frame "
                f'first, received {len(flows)}; composition "composed" needs only the first'
            )
        moved = np.empty_like(keypoints)
        for age, flow in enumerate(flows, 1):
            moved[ages == age] = move_keypoints(keypoints[ages == age], flow, least)
        return moved

    def _linked(self, keypoints: np.ndarray, poses: Poses) -> np.ndarray:
        """(M,) ids of the people, of whom those in the queue are expected at the keypoints."""
        settings, queue = self.settings, self._queue
        if settings.similarity == "box":
            similarity = box_similarity(queue.boxes, poses.boxes)
        else:
            people = keypoints, poses.keypoints, poses.skeleton.sigmas
            similarity = pose_similarity(*people, settings.keypoint_threshold)
        # Rows of one identity side by side: of its poses the best counts, of its ages the last.
        order = np.argsort(queue.ids, kind="stable")
        known, first = np.unique(queue.ids[order], return_index=True)
        best = np.maximum.reduceat(similarity[order], first, axis=0)
        ages = np.minimum.reduceat(queue.ages[order], first)
        gate = float(np.float32(settings.gate))  # as exact as the similarities
        rows, columns = _MATCHING[settings.matching](best, gate, ages)
        ids = np.full(len(poses), -1, np.int64)
        ids[columns] = known[rows]
        new = ids < 0
        ids[new] = self._next_id + np.arange(new.sum())
        self._next_id += int(new.sum())
        return ids
