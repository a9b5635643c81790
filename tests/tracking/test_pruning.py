import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.poses import Poses
from posekit.skeletons import COCO
from tracking.pruning import Pruning


def frame(*ids):
    """People who can be told apart by their first coordinate, which is the id."""
    keypoints = np.zeros((len(ids), 17, 3))
    keypoints[:, 0, 0] = ids
    return Poses(keypoints, np.ones(len(ids)), np.zeros((len(ids), 4)), COCO, np.array(ids, int))


def run(frames, shortest, horizon):
    """What each update released, and at last finish(): lists of (index, ids)."""
    pruning = Pruning(shortest, horizon)
    steps = [pruning.update(t, frame(*ids)) for t, ids in enumerate(frames)]
    return [[(t, p.track_ids.tolist()) for t, p in step] for step in [*steps, pruning.finish()]]


def test_a_track_of_one_pose_is_dropped_when_its_id_can_not_come_back():
    frames = [[0], [0, 1], [0], [0], [0]]
    # 1 can come back in frames 2 and 3, as the horizon is 2; then frames 1 to 3 are settled.
    assert run(frames, 2, 2) == [[], [(0, [0])], [], [(1, [0]), (2, [0]), (3, [0])], [(4, [0])], []]


def test_a_track_with_enough_poses_is_kept_from_its_beginning():
    assert run([[0], [], [0]], 2, 2) == [[], [], [(0, [0]), (1, []), (2, [0])], []]
    assert run([[0], [0], [0]], 3, 2) == [[], [], [(0, [0]), (1, [0]), (2, [0])], []]


def test_an_id_last_seen_as_long_ago_as_the_queue_can_still_return():
    assert run([[5], [], [5]], 2, 2)[2] == [(0, [5]), (1, []), (2, [5])]
    assert run([[5], [], []], 2, 2)[2] == [(0, []), (1, []), (2, [])]


def test_at_the_end_short_tracks_go():
    assert run([[0], [0, 1]], 2, 8) == [[], [(0, [0])], [(1, [0])]]
    assert run([[3]], 2, 8) == [[], [(0, [])]]


def test_nothing_waits_where_one_pose_is_enough():
    assert run([[0], [], [1]], 1, 8) == [[(0, [0])], [(1, [])], [(2, [1])], []]


def random_tracks(rng, horizon, count=60):
    """Ids by frame; none returns after more than the horizon."""
    frames = [[] for _ in range(count)]
    for track in range(25):
        t = int(rng.integers(count))
        for _ in range(rng.integers(1, 6)):
            if t < count:
                frames[t].append(track)
            t += int(rng.integers(1, horizon + 1))
    return [list(rng.permutation(ids)) for ids in frames]


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 8))
def test_equals_pruning_after_the_fact(seed, shortest, horizon):
    frames = random_tracks(np.random.default_rng(seed), horizon)
    counts = np.bincount(np.concatenate(frames).astype(int), minlength=25)
    expected = [(t, [i for i in ids if counts[i] >= shortest]) for t, ids in enumerate(frames)]
    steps = run(frames, shortest, horizon)
    assert [entry for step in steps for entry in step] == expected
    for t, step in enumerate(steps[:-1]):
        assert all(t - released <= (shortest - 1) * horizon for released, _ in step)


def test_memory_is_bounded():
    pruning = Pruning(2, 8)
    for t in range(500):
        pruning.update(t, frame(2 * t, 2 * t + 1))
    assert len(pruning.state()["ids"]) <= 2 * 9 and len(pruning.state()["people"]) <= 8


@pytest.mark.parametrize("cut", [0, 1, 20, 33, 60])
def test_a_saved_pruning_goes_on(tmp_path, cut):
    frames = random_tracks(np.random.default_rng(1), 4)
    first, second = Pruning(3, 4), Pruning(3, 4)
    steps = [first.update(t, frame(*ids)) for t, ids in enumerate(frames[:cut])]
    np.savez(tmp_path / "state.npz", **first.state())
    state = np.load(tmp_path / "state.npz", allow_pickle=False)
    waiting = len(state["people"])
    second.restore(state, list(range(cut - waiting, cut)), COCO)
    steps += [second.update(t, frame(*ids)) for t, ids in enumerate(frames[cut:], cut)]
    steps.append(second.finish())
    found = [[(t, p.track_ids.tolist()) for t, p in step] for step in steps]
    assert found == run(frames, 3, 4)  # frame by frame
    assert all(p.keypoints[:, 0, 0].tolist() == p.track_ids.tolist() for s in steps for _, p in s)


def test_what_is_refused():
    pruning = Pruning(2, 8)
    with pytest.raises(ValueError, match="expected poses with track ids"):
        pruning.update(0, Poses.empty(COCO))
    pruning.update(0, frame(0))
    with pytest.raises(ValueError, match="items of the 1 frames that wait, received 2"):
        Pruning(2, 8).restore(pruning.state(), [0, 1], COCO)
    with pytest.raises(ValueError, match=r"without \['last'\]"):
        state = {key: value for key, value in pruning.state().items() if key != "last"}
        Pruning(2, 8).restore(state, [0], COCO)
    for numbers in ((0, 8), (2, 0)):
        with pytest.raises(ValueError, match="expected numbers from 1"):
            Pruning(*numbers)
