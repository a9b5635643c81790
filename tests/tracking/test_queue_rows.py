import numpy as np
import pytest
from four_corners import SIZE, people, shift, track

from tracking.benchmark_tracker import simulated_people
from tracking.flow_field import Flow
from tracking.settings import TrackerSettings
from tracking.tracker import Tracker


def hidden(count):
    """One walks 9 px a frame and is not seen for so many frames; one stands all the time."""
    seen = [0, 1, *range(2 + count, 4 + count)]
    return [
        people((9 * t, 0), (700, 0)) if t in seen else people((700, 0)) for t in range(4 + count)
    ]


@pytest.mark.parametrize("composition", ["composed", "direct"])
def test_who_was_hidden_is_linked_again_by_a_queue(composition):
    def last_id(count, **changes):
        frames = hidden(count)
        flows = shift(9).vectors * (np.arange(1000) < 600)[:, None]  # who stands, stands
        one = Flow(flows)
        many = [[Flow(flows * age) for age in range(1, t + 1)] for t in range(1, len(frames))]
        flows = many if composition == "direct" else one
        return track(frames, flows, composition=composition, **changes)[-1]

    assert last_id(3) == [0, 1] and last_id(7) == [0, 1] and last_id(8) == [2, 1]
    assert last_id(3, queue=1) == [2, 1]
    assert last_id(3, queue=4) == [0, 1] and last_id(3, queue=3) == [2, 1]
    if composition == "composed":
        assert last_id(3, similarity="box") == last_id(3, similarity="pose") == [2, 1]


def passing_by():
    """One walks right at 4 px a frame; another passes in front, to the left, at 6 px.

    Returns:
        Frames, the flow between neighbours, and the flows from the 8 frames before each.
    """
    places = [(200 + 4 * t, 300 - 6 * t) for t in range(18)]

    def flow(t, frames):
        vectors, x = np.zeros((*SIZE, 2), np.float32), np.arange(SIZE[1])
        for left, speed in zip(places[t], (4, -6), strict=True):  # the one in front last
            vectors[:85, abs(x - left - 20) <= 23, 0] = speed * frames
        return Flow(vectors)

    seen = [abs(back - front) >= 24 for back, front in places]
    frames = [
        people((front, 0), (back, 0)) if both else people((front, 0))
        for (back, front), both in zip(places, seen, strict=True)
    ]
    assert seen.count(False) == 5
    composed = [flow(t - 1, 1) for t in range(1, 18)]
    direct = [[flow(t - n, n) for n in range(1, min(t, 8) + 1)] for t in range(1, 18)]
    return frames, composed, direct


def test_composed_flow_carries_the_hidden_away_with_those_who_hide_them():
    frames, composed, direct = passing_by()
    assert track(frames, direct, composition="direct")[-1] == [0, 1]
    assert track(frames, composed)[-1] == [0, 2]  # what direct flow is worth its price for
    assert track(frames, None, similarity="pose")[-1] == [1, 0]


def test_direct_equals_composed_where_the_flow_is_a_shift():
    rng = np.random.default_rng(0)
    starts, flows = rng.uniform(50, 300, (6, 2)), rng.integers(-6, 7, (14, 2))
    frames = [
        people(*(starts + flows[:t].sum(0) + rng.normal(0, 3, (6, 2)))[rng.random(6) < 0.6])
        for t in range(15)
    ]
    composed = [shift(*flow) for flow in flows]
    direct = [
        [shift(*flows[t - age : t].sum(axis=0)) for age in range(1, min(t, 8) + 1)]
        for t in range(1, 15)
    ]
    ids = track(frames, composed)
    assert track(frames, direct, composition="direct") == ids
    assert max(map(max, filter(None, ids))) < 12  # most are linked again
    assert track(frames, composed, queue=1) != ids


def test_direct_wants_a_flow_from_every_frame_of_the_queue():
    tracker = Tracker(TrackerSettings(composition="direct"))
    tracker.update(people((0, 0)))
    tracker.update(people((0, 0)), shift(0))
    with pytest.raises(ValueError, match="each of the last 2 frames to this one.*received 1"):
        tracker.update(people((0, 0)), [shift(0)])
    assert tracker.update(people((0, 0)), [shift(0)] * 2).track_ids.tolist() == [0]


@pytest.mark.parametrize("composition", ["composed", "direct"])
def test_a_saved_tracker_goes_on_bit_for_bit(tmp_path, composition):
    frames, flows = simulated_people(12, 24)
    rng = np.random.default_rng(0)
    frames = [frame.select(rng.random(12) < 0.7) for frame in frames]
    changes = TrackerSettings(composition=composition, matching="hungarian")
    flows = [[flow] * 8 if composition == "direct" else flow for flow in flows]
    whole, first = Tracker(changes), Tracker(changes)
    for t in range(12):
        whole.update(frames[t], flows[t % 8] if t else None)
        first.update(frames[t], flows[t % 8] if t else None)
    np.savez(tmp_path / "state.npz", **first.state())
    second = Tracker(changes)
    second.restore(np.load(tmp_path / "state.npz", allow_pickle=False))
    for t in range(12, 24):
        tracked = [tracker.update(frames[t], flows[t % 8]) for tracker in (whole, second)]
        np.testing.assert_array_equal(tracked[0].track_ids, tracked[1].track_ids)
    for key, value in whole.state().items():
        np.testing.assert_array_equal(value, second.state()[key])
        assert value.dtype == second.state()[key].dtype


def test_a_state_is_not_tied_to_its_tracker():
    tracker = Tracker(TrackerSettings())
    tracker.update(people((0, 0)))
    state = tracker.state()
    state["ids"][:] = 7
    assert tracker.update(people((0, 0))).track_ids.tolist() == [0]


def test_states_that_are_refused():
    tracker = Tracker(TrackerSettings())
    for _ in range(3):
        tracker.update(people((0, 0)))
    state = tracker.state()
    for wrong, message in (
        ({key: value for key, value in state.items() if key != "ages"}, r"without \['ages'\]"),
        (state | {"boxes": np.zeros((2, 4), np.float32)}, r"boxes: expected finite float32 \(3, 4"),
        (state | {"scores": np.full(3, np.nan, np.float32)}, "scores: expected finite"),
        (state | {"next_id": np.array(0)}, "next_id: expected more than the ids"),
    ):
        with pytest.raises(ValueError, match=message):
            Tracker(TrackerSettings()).restore(wrong)
    with pytest.raises(ValueError, match="at most 2 frames"):
        Tracker(TrackerSettings(queue=2)).restore(state)


def test_more_than_999_ids():
    tracker = Tracker(TrackerSettings(queue=1))
    for t in range(60):
        tracker.update(people(*[(200 * (t % 2), 100 * i) for i in range(20)]))
    assert tracker.update(people((0, 0))).track_ids.tolist() == [1200]
    many = people(*[(60 * (i % 40), 100 * (i // 40)) for i in range(1100)])
    assert len(set(tracker.update(many).track_ids.tolist())) == 1100


def test_the_queue_is_bounded():
    tracker = Tracker(TrackerSettings())
    for _ in range(50):
        tracker.update(people((0, 0), (200, 0)))
    assert len(tracker.state()["ids"]) == 16


def test_hundreds_of_frames_without_people():
    tracker = Tracker(TrackerSettings())
    tracker.update(people((0, 0)))
    for _ in range(100):
        assert tracker.update(people(), shift(0)).track_ids.shape == (0,)
    assert tracker.update(people((0, 0)), shift(0)).track_ids.tolist() == [1]
