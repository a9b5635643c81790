import dataclasses

import numpy as np
import pytest

from posekit.frames import Frame
from posekit.poses import Poses
from posekit.skeletons import POSETRACK
from tracking.flow_field import Flow
from tracking.pipeline import PipelineError, PoseTracker
from tracking.settings import TrackerSettings

SETTINGS = TrackerSettings(oks_nms=None, gate=0.1)
SIZE = (120, 200)
BODY = np.stack(np.meshgrid([0.0, 10, 20], [0.0, 12, 24, 36, 48]), axis=-1).reshape(15, 2)


class Walkers:
    """People with a body of 20 x 48 px at places (frame, person) -> x, who are not always seen."""

    skeleton = POSETRACK

    def __init__(self, places, unseen=(), propagates=True, score=0.9):
        self.places, self.unseen, self.propagates = np.asarray(places, float), unseen, propagates
        self.score, self.asked = score, []

    def bodies(self, index):
        xs = self.places[index]
        shift = np.stack([xs, np.full(len(xs), 30.0)], axis=-1)
        return BODY + shift[:, None]

    def detect(self, frame):
        points = self.bodies(frame.index)
        boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1) + 0.5
        seen = [(frame.index, n) not in self.unseen for n in range(len(boxes))]
        return boxes[seen], np.full(sum(seen), self.score)

    def poses(self, frame, boxes, scores):
        self.asked.append(boxes)
        points = self.bodies(frame.index)
        near = np.abs(boxes[:, None, 0] - points[None, :, 0, 0] - 0.5).argmin(axis=1)
        keypoints = np.concatenate([points[near], np.full((len(boxes), 15, 1), 0.8)], axis=-1)
        return Poses(keypoints, np.asarray(scores) * 0.8, boxes, POSETRACK)


def run(walkers, settings=SETTINGS, flow=5.0, frames=None):
    source = None if flow is None else lambda a, b: Flow(np.full((*a.size, 2), (flow, 0.0)))
    tracker = PoseTracker(walkers, settings, source)
    out = []
    for index in range(len(walkers.places)) if frames is None else frames:
        out += tracker.update(Frame(np.zeros((*SIZE, 3), np.uint8), index))
    return [poses for _, poses in out + tracker.finish()]


def test_people_keep_their_ids():
    found = run(Walkers([[10 + 5 * t, 120 + 5 * t] for t in range(5)]))
    assert [poses.track_ids.tolist() for poses in found] == [[0, 1]] * 5


def test_propagation_finds_who_was_not_detected():
    places = [[10 + 5 * t] for t in range(4)]
    missed = {(2, 0)}
    walkers = Walkers(places, missed)
    assert [len(poses) for poses in run(walkers)] == [1, 1, 1, 1]
    # 48 x 20 px of frame 1, 5 px further, grown by 15 %: 1.5 and 3.6 px on the sides.
    moved = np.array([[20 - 1.5, 30 - 3.6, 40 + 1.5, 78 + 3.6]]) + 0.5
    np.testing.assert_allclose(walkers.asked[2], moved, atol=1e-4)
    alone = dataclasses.replace(SETTINGS, propagation=False)
    assert [len(poses) for poses in run(Walkers(places, missed), alone)] == [1, 1, 0, 1]
    unable = Walkers(places, missed, propagates=False)
    assert [len(poses) for poses in run(unable)] == [1, 1, 0, 1]


def test_without_flow_nothing_is_propagated_and_poses_stay():
    found = run(Walkers([[10], [10], [10]], {(1, 0)}), flow=None)
    assert [poses.track_ids.tolist() for poses in found] == [[0], [], [0]]


def test_thresholds():
    places = [[10], [15]]
    assert all(len(poses) == 0 for poses in run(Walkers(places, score=0.4)))
    assert all(len(poses) == 1 for poses in run(Walkers(places, score=0.5)))  # 0.5 itself counts
    weak = dataclasses.replace(SETTINGS, keypoint_threshold=0.85)
    assert all(len(poses) == 0 for poses in run(Walkers(places), weak))
    short = run(Walkers([[10], [15], [150]]), flow=0.0)
    assert [len(poses) for poses in short] == [1, 1, 0]  # who is seen once is pruned


def test_doubles_are_dropped():
    both = Walkers([[10, 12]] * 2)
    kept = dataclasses.replace(SETTINGS, box_nms=1.0)
    assert [len(poses) for poses in run(both, kept)] == [2, 2]
    assert [len(poses) for poses in run(both, dataclasses.replace(kept, oks_nms=0.4))] == [1, 1]
    assert [len(poses) for poses in run(both, SETTINGS)] == [1, 1]


def test_boxes_without_area_are_left_out():
    walkers = Walkers([[10]] * 2)
    walkers.detect = lambda frame: (np.array([[5.0, 5, 5, 50], [9, 9, 30, 80]]), np.ones(2))
    run(walkers, dataclasses.replace(SETTINGS, propagation=False))
    assert [len(boxes) for boxes in walkers.asked] == [1, 1]


def test_direct_flow_wants_a_source_that_computes_it():
    class Neighbours:
        neighbours_only = True

    settings = dataclasses.replace(SETTINGS, composition="direct")
    with pytest.raises(PipelineError, match="composed"):
        PoseTracker(Walkers([[10]]), settings, Neighbours())
    PoseTracker(Walkers([[10]]), dataclasses.replace(settings, queue=1), Neighbours())


def test_a_gap_has_no_flow_in_a_source_of_neighbours():
    class Neighbours:
        neighbours_only = True

        def __call__(self, first, second):
            assert second.index == first.index + 1
            return Flow(np.zeros((*first.size, 2)))

    tracker = PoseTracker(Walkers([[10]] * 5), SETTINGS, Neighbours())
    frames = [Frame(np.zeros((*SIZE, 3), np.uint8), i) for i in (0, 1, 3, 4)]
    out = [pair for frame in frames for pair in tracker.update(frame)] + tracker.finish()
    assert [poses.track_ids.tolist() for _, poses in out] == [[0]] * 4


def test_another_size_is_another_shot():
    walkers = Walkers([[10]] * 4)
    tracker = PoseTracker(walkers, SETTINGS, lambda a, b: Flow(np.zeros((*a.size, 2))))
    sizes = [SIZE, SIZE, (121, 200), (121, 200)]
    frames = [Frame(np.zeros((*size, 3), np.uint8), i) for i, size in enumerate(sizes)]
    out = [pair for frame in frames for pair in tracker.update(frame)] + tracker.finish()
    assert [poses.track_ids.tolist() for _, poses in out] == [[0], [0], [1], [1]]
    assert [frame.index for frame, _ in out] == [0, 1, 2, 3]


@pytest.mark.parametrize("composition", ["composed", "direct"])
def test_restored_it_goes_on_as_if_unbroken(composition):
    rng = np.random.default_rng(0)
    places = np.cumsum(rng.normal(0, 6, (30, 4)), axis=0) + [20, 60, 100, 140]
    unseen = {(t, n) for t in range(30) for n in range(4) if rng.random() < 0.4}
    settings = dataclasses.replace(SETTINGS, composition=composition, queue=4, shortest=3)
    source = lambda a, b: Flow(np.full((*a.size, 2), float(b.index - a.index)))  # noqa: E731
    frames = [Frame(np.zeros((*SIZE, 3), np.uint8), i) for i in range(30)]

    def ids(pairs):
        return [(frame.index, poses.track_ids.tolist()) for frame, poses in pairs]

    whole = PoseTracker(Walkers(places, unseen), settings, source)
    expected = [pair for frame in frames for pair in whole.update(frame)] + whole.finish()
    first = PoseTracker(Walkers(places, unseen), settings, source)
    found = [pair for frame in frames[:13] for pair in first.update(frame)]
    state, needed = first.state(), first.frames_needed
    second = PoseTracker(Walkers(places, unseen), settings, source)
    with pytest.raises(ValueError, match="frames, received 0"):
        second.restore(state, [])
    second.restore(state, frames[13 - needed : 13])
    found += [pair for frame in frames[13:] for pair in second.update(frame)] + second.finish()
    assert ids(found) == ids(expected)
    assert any(len(i) for _, i in ids(found))
