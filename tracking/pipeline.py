"""From a video's frames to tracked people: boxes, propagation, poses, linking, pruning."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from posekit.box_merging import nms
from posekit.boxes import box_areas
from posekit.frames import Frame
from posekit.oks import oks_nms
from posekit.poses import NotFiniteError, Poses
from posekit.skeletons import Skeleton
from tracking.flow import FlowSource
from tracking.flow_field import Flow
from tracking.pruning import Pruning
from tracking.settings import TrackerSettings
from tracking.stopwatch import Stopwatch
from tracking.thresholds import people_with_keypoints, without_weak_keypoints
from tracking.tracker import Tracker


class PoseEstimator(Protocol):
    """What finds the people of a frame; networks are one, files of poses can be another."""

    skeleton: Skeleton
    propagates: bool
    """Whether `poses` looks into boxes that `detect` did not give."""

    def detect(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Returns boxes (N, 4) xyxy in pixels of the frame and their scores (N,)."""

    def poses(self, frame: Frame, boxes: np.ndarray, scores: np.ndarray) -> Poses:
        """Returns one pose for each box (N, 4) with its score (N,), in their order."""


class PipelineError(ValueError):
    """Settings and parts that do not belong together."""

    exit_code = 2


class PoseTracker:
    """Runs Algorithm 1 of Simple Baselines, frame by frame.

    Args:
        estimator: finds people.
        settings: of the tracker.
        flow_source: None: without flow; the similarity is that of unmoved poses then, and nothing
            is propagated.
        stopwatch: counts the stages "flow", "detect", "pose" and "link".

    Raises:
        PipelineError: composition "direct" with a source that knows neighbours only.

    Reference: Xiao et al. 2018, section 3.3; what it leaves open is in `TrackerSettings`.
    """

    def __init__(
        self,
        estimator: PoseEstimator,
        settings: TrackerSettings,
        flow_source: FlowSource | None = None,
        stopwatch: Stopwatch | None = None,
    ):
        self.estimator = estimator
        self.settings = settings
        self.stopwatch = stopwatch or Stopwatch()
        self._flow_source = flow_source
        self._check_source()
        self._tracker = Tracker(settings)
        self._pruning = Pruning(settings.shortest, settings.queue)
        direct = settings.composition == "direct"
        self._frames: deque[Frame] = deque(maxlen=settings.queue if direct else 1)

    def update(self, frame: Frame) -> list[tuple[Frame, Poses]]:
        """Finds and links the people of the next frame.

        Returns:
            The frames that are finished by now, in order, at most `settings.queue` behind: people
            with track ids; keypoints below the threshold are (0, 0, 0), people without any left
            out.
        """
        with self.stopwatch.stage("flow"):
            flows = self._flows(frame)
        poses = self._find(frame, flows[0] if flows else None)
        with self.stopwatch.stage("link"):
            tracked = self._tracker.update(poses, self._flow_given(flows))
            tracked = without_weak_keypoints(tracked, self.settings.keypoint_threshold)
            released = self._pruning.update(frame, tracked)
        self._frames.appendleft(frame)
        return released

    def finish(self) -> list[tuple[Frame, Poses]]:
        """Returns the frames that `update` still held back; the video is over."""
        return self._pruning.finish()

    def _check_source(self) -> None:
        direct = self.settings.composition == "direct" and self.settings.queue > 1
        if direct and getattr(self._flow_source, "neighbours_only", False):
            raise PipelineError(
                'composition "direct" wants the flow between any two frames of the queue; expected '
                "a source that computes it (dis, or a network), received a folder of .flo files, "
                'which holds that of neighbours; or take composition "composed"'
            )

    def _flows(self, frame: Frame) -> list[Flow]:
        """Flow to this frame from those before, the last one first; none where none is used."""
        if self._frames and self._frames[0].size != frame.size:
            self._frames.clear()  # another size is another shot
            self._tracker.new_shot()
        if self._flow_source is None or not self._uses_flow or self._is_gap(frame):
            return []
        return [self._flow_source(before, frame) for before in self._frames]

    def _is_gap(self, frame: Frame) -> bool:
        """Whether frames were lost before this one, and the source knows neighbours only."""
        last = self._frames[0].index if self._frames else frame.index - 1
        return frame.index > last + 1 and getattr(self._flow_source, "neighbours_only", False)

    @property
    def _uses_flow(self) -> bool:
        settings = self.settings
        propagates = settings.propagation and self.estimator.propagates
        return propagates or settings.similarity == "flow" or settings.shot_threshold is not None

    def _flow_given(self, flows: list[Flow]) -> Flow | list[Flow] | None:
        """As the tracker wants it."""
        if not flows:
            return None
        return flows if self.settings.composition == "direct" else flows[0]

    def _find(self, frame: Frame, flow: Flow | None) -> Poses:
        with self.stopwatch.stage("detect"):
            boxes, scores = self.estimator.detect(frame)
            boxes, scores = self._unify(boxes, scores, flow)
        with self.stopwatch.stage("pose"):
            poses = self.estimator.poses(frame, boxes, scores)
        return self._distinct(people_with_keypoints(poses, self.settings.keypoint_threshold))

    def _unify(
        self, boxes: np.ndarray, scores: np.ndarray, flow: Flow | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of the detector above the threshold and those of the flow, without doubles."""
        settings = self.settings
        boxes, scores = np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(scores, np.float32)
        # NaN would be below the threshold, so that nobody is found.
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise NotFiniteError(
                "expected finite boxes and scores of the detector, received others; a diverged "
                "network gives such"
            )
        kept = (scores >= settings.box_threshold) & (box_areas(boxes) > 0)
        boxes, scores = boxes[kept], scores[kept]
        if self.estimator.propagates and settings.propagation and flow is not None:
            moved, beliefs = self._tracker.propagated(flow)
            boxes, scores = np.concatenate([boxes, moved]), np.concatenate([scores, beliefs])
        best = nms(boxes, scores, settings.box_nms)
        return boxes[best], scores[best]

    def _distinct(self, poses: Poses) -> Poses:
        """OKS-NMS over all keypoints, at the areas of the boxes."""
        if self.settings.oks_nms is None:
            return poses
        areas = box_areas(poses.boxes)
        arguments = poses.keypoints, poses.scores, areas, poses.skeleton.sigmas
        return poses.select(oks_nms(*arguments, self.settings.oks_nms))

    @property
    def frames_needed(self) -> int:
        """How many of the frames so far `restore` wants: those compared with, and held back."""
        return max(len(self._frames), len(self._pruning.state()["people"]))

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` needs to go on after the last frame, arrays only."""
        parts = {"tracker": self._tracker.state(), "pruning": self._pruning.state()}
        state = {f"{part}/{key}": value for part, s in parts.items() for key, value in s.items()}
        return state | {"compared": np.array(len(self._frames), np.int64)}

    def restore(self, state: Mapping[str, np.ndarray], frames: Sequence[Frame]) -> None:
        """Goes on exactly where `state()` was taken.

        Args:
            state: of a pipeline with the same settings.
            frames: the last `frames_needed` frames before, in their order.

        Raises:
            ValueError: the state lacks something, or there are too few frames.
        """
        try:
            compared, waiting = int(state["compared"]), len(state["pruning/people"])
        except KeyError as error:
            raise ValueError(
                f"expected a state of this program, received one without {error}"
            ) from None
        if len(frames) < max(compared, waiting):
            raise ValueError(
                f"expected the last {max(compared, waiting)} frames, received {len(frames)}"
            )
        last_first = list(frames)[::-1]
        held_back = last_first[:waiting][::-1]
        self._tracker.restore(_part(state, "tracker"))
        self._pruning.restore(_part(state, "pruning"), held_back, self.estimator.skeleton)
        self._frames = deque(last_first[:compared], maxlen=self._frames.maxlen)


def _part(state: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {
        key.removeprefix(f"{name}/"): value
        for key, value in state.items()
        if key.startswith(f"{name}/")
    }
