import itertools

import numpy as np
import pytest
from four_corners import CORNERS, SIZE, people, shift, track
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.poses import Poses
from posekit.skeletons import COCO, POSETRACK
from tracking.flow_field import Flow
from tracking.settings import TrackerSettings
from tracking.tracker import Tracker

EVERY = [
    dict(similarity=similarity, matching=matching, queue=queue)
    for similarity, matching, queue in itertools.product(
        ("box", "pose", "flow"), ("greedy", "hungarian"), (1, 8)
    )
]


@pytest.mark.parametrize("changes", EVERY)
def test_people_who_stand_keep_their_ids_in_any_order(changes):
    frames = [
        people((0, 0), (200, 0)),
        people((203, 0), (1, 0)),
        people((0, 1), (99, 90), (202, 0)),
    ]
    assert track(frames, shift(0), **changes) == [[0, 1], [1, 0], [0, 2, 1]]


def test_the_people_come_back_as_they_were():
    given_poses = people((0, 0), (200, 0))
    found = Tracker(TrackerSettings()).update(given_poses, None)
    for field in ("keypoints", "scores", "boxes"):
        np.testing.assert_array_equal(getattr(found, field), getattr(given_poses, field))
    assert found.track_ids.dtype == np.int64 and given_poses.track_ids is None


def test_two_who_change_places_are_told_apart_by_the_flow_alone():
    # One runs right, one left, 100 px each: each stands where the other one was.
    frames = [people((100, 0), (200, 0)), people((200, 0), (100, 0))]
    vectors = np.zeros((*SIZE, 2), np.float32)
    vectors[:, :170, 0], vectors[:, 170:, 0] = 100, -100
    assert track(frames, [Flow(vectors)], similarity="flow") == [[0, 1], [0, 1]]
    assert track(frames, [Flow(vectors)], similarity="pose") == [[0, 1], [1, 0]]
    assert track(frames, [Flow(vectors)], similarity="box") == [[0, 1], [1, 0]]


def test_overlap_of_boxes_loses_fast_people():
    frames = [people((60 * t, 0)) for t in range(4)]
    assert track(frames, shift(60), similarity="box") == [[0], [1], [2], [3]]
    assert track(frames, shift(60), similarity="pose") == [[0], [1], [2], [3]]
    assert track(frames, shift(60), similarity="flow") == [[0]] * 4
    assert track(frames, None, similarity="flow") == [[0], [1], [2], [3]]  # points stay


def test_with_gate_0_everybody_is_linked_with_somebody():
    frames = [people((0, 0)), people((600, 0)), people((0, 300), (0, 0))]
    assert track(frames, shift(0), gate=0.0, queue=1) == [[0], [0], [0, 1]]


def test_of_equal_similarities_the_one_seen_last_counts():
    for matching in ("greedy", "hungarian"):
        tracker = Tracker(TrackerSettings(matching=matching))
        tracker.update(people((0, 0)))
        tracker.update(people((200, 0)))
        state = tracker.state()
        state["keypoints"] = np.repeat(state["keypoints"][:1], 2, axis=0)  # 0 and 1 in one place
        assert state["ids"].tolist() == [1, 0] and state["ages"].tolist() == [1, 2]
        tracker.restore(state)
        assert tracker.update(people((200, 0))).track_ids.tolist() == [1]


@pytest.mark.parametrize("matching", ["greedy", "hungarian"])
def test_of_an_id_with_several_poses_the_last_one_says_when_it_was_seen(matching):
    tracker = Tracker(TrackerSettings(matching=matching))
    for poses in (people((0, 0)), people((200, 0)), people((0, 0))):
        tracker.update(poses)
    state = tracker.state()
    assert state["ids"].tolist() == [0, 1, 0] and state["ages"].tolist() == [1, 2, 3]
    state["keypoints"] = np.repeat(state["keypoints"][:1], 3, axis=0)  # 0 and 1 in one place
    tracker.restore(state)
    assert tracker.update(people((0, 0))).track_ids.tolist() == [0]


def test_weak_keypoints_neither_count_nor_lead():
    weak = people((0, 0)).keypoints * [1, 1, 0.3]
    weak[:, :2, 2] = 1

    def update(tracker, keypoints, flow=None):
        poses = Poses(keypoints, np.ones(1), np.zeros((1, 4)), CORNERS)
        return tracker.update(poses, flow).track_ids.tolist()

    moved = weak.copy()
    moved[:, 2:, :2] += 70
    tracker = Tracker(TrackerSettings())
    assert [update(tracker, weak), update(tracker, moved)] == [[0], [0]]
    # Not reliable at the left: the two strong keypoints; reliable below, where it is 50.
    vectors, reliable = np.zeros((*SIZE, 2), np.float32), np.ones(SIZE, bool)
    vectors[60:], reliable[:30, :30] = 50, False
    for flow in (Flow(vectors, reliable), [Flow(vectors, reliable)] * 3):
        composition = "composed" if isinstance(flow, Flow) else "direct"
        tracker = Tracker(TrackerSettings(composition=composition, gate=0.9))
        assert [update(tracker, weak), update(tracker, weak, flow)] == [[0], [0]]


def test_the_best_of_the_queued_poses_of_a_person_counts():
    # Without flow: the last pose is far away, the one before is near.
    tracker = Tracker(TrackerSettings(similarity="pose", gate=0.0))
    tracker.update(people((0, 0)))
    assert tracker.update(people((300, 0))).track_ids.tolist() == [0]
    assert tracker.update(people((0, 0), (150, 0))).track_ids.tolist() == [0, 1]


def test_nobody_is_followed_into_a_new_shot():
    frames = [people((0, 0), (200, 0))] * 3
    flows = [shift(0), shift(7)]
    assert track(frames, flows, shot_threshold=6.0)[2] == [2, 3]
    assert track(frames, flows, shot_threshold=8.0)[2] == [0, 1]
    tracker = Tracker(TrackerSettings(shot_threshold=6.0))
    tracker.update(frames[0])
    assert len(tracker.propagated(shift(5))[0]) == 2
    assert [part.shape for part in tracker.propagated(shift(7))] == [(0, 4), (0,)]


def test_new_shot_goes_on_with_the_ids_and_reset_starts_again():
    tracker = Tracker(TrackerSettings())
    tracker.update(people((0, 0)))
    tracker.new_shot()
    assert tracker.update(people((0, 0))).track_ids.tolist() == [1]
    tracker.reset()
    assert tracker.update(people((0, 0))).track_ids.tolist() == [0]
    tracker.reset()
    assert tracker.update(Poses.empty(COCO)).track_ids.tolist() == []


def test_boxes_come_from_the_people_of_the_previous_frame_and_change_nothing():
    tracker = Tracker(TrackerSettings(margin=0.0))
    assert [len(part) for part in tracker.propagated(shift(1))] == [0, 0]
    tracker.update(people((0, 0)))
    tracker.update(people((300, 10)), shift(0))
    before = tracker.state()
    boxes, scores = tracker.propagated(shift(5, -2))
    np.testing.assert_allclose(boxes, [[305.5, 8.5, 345.5, 88.5]])
    np.testing.assert_allclose(scores, [0.9])
    assert [len(part) for part in tracker.propagated(None)] == [0, 0]
    for key, value in tracker.state().items():
        np.testing.assert_array_equal(value, before[key])
    tracker.update(people(), shift(0))
    assert len(tracker.propagated(shift(0))[0]) == 0


def test_the_skeleton_must_stay():
    tracker = Tracker(TrackerSettings())
    tracker.update(Poses.empty(COCO))
    with pytest.raises(ValueError, match=r"skeleton of the frames before \(17 keypoints: nose"):
        tracker.update(Poses.empty(POSETRACK))
    tracker.reset()
    tracker.update(Poses.empty(POSETRACK))


def random_video(seed, count=10, people_at_most=6):
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 300, (people_at_most, 2))
    frames = []
    for _ in range(count):
        places = places + rng.normal(0, 15, places.shape)
        frames.append(people(*places[rng.random(len(places)) < 0.7]))
    return frames, [shift(*rng.normal(0, 5, 2)) for _ in range(count - 1)]


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from(EVERY), st.sampled_from([0.0, 0.1, 0.5]))
def test_ids_are_unique_in_a_frame_and_never_used_again(seed, changes, gate):
    frames, flows = random_video(seed)
    ids = track(frames, flows, gate=gate, **changes)
    assert all(len(set(frame)) == len(frame) for frame in ids)
    firsts = list(dict.fromkeys(itertools.chain(*ids)))
    assert sorted(firsts) == list(range(len(firsts)))  # counted up without gaps
    last = {}
    for t, frame in enumerate(ids):
        assert all(t - last.get(i, t) <= changes["queue"] for i in frame)
        last.update(dict.fromkeys(frame, t))


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from(EVERY))
def test_the_order_of_the_people_does_not_matter(seed, changes):
    frames, flows = random_video(seed)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(frame)) for frame in frames]
    plain = track(frames, flows, **changes)
    mixed = track(
        [frame.select(order) for frame, order in zip(frames, orders, strict=True)], flows, **changes
    )
    names = {}
    for a, b, order in zip(plain, mixed, orders, strict=True):
        for place, index in enumerate(order):
            assert names.setdefault(a[index], b[place]) == b[place]
    assert len(set(names.values())) == len(names)
