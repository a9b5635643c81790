import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from multiposenet.assignment import (
    assign,
    fill_unseen,
    group,
    max_maps,
    pose_scores,
    softmax_maps,
    take_keypoints,
    ucr_maps,
    window_scores,
)
from multiposenet.prn_inputs import draw_inputs


def choose(scores, rule, member=None):
    """Scores people x candidates of one keypoint type -> candidate per person."""
    scores = np.array(scores, np.float32)[:, :, None]
    member = scores > 0 if member is None else np.array(member)[:, :, None]
    return assign(scores, member, rule)[:, 0].tolist()


@pytest.mark.parametrize(
    ("scores", "clean", "published"),
    [
        ([[0.9, 0.1], [0.8, 0.3]], [0, 1], [0, 1]),
        # Person 1 loses candidate 0 and takes 1, though person 0 scores it higher: it is the
        # lowest of person 0's.
        ([[0.9, 0.4], [0.7, 0.3]], [0, 1], [0, 1]),
        # A lone candidate is also the lowest: by the published rule both people take it.
        ([[0.9], [0.8]], [0, -1], [0, 0]),
        # Candidate 1 is the second best of person 0, but not the lowest: the published rule passes
        # it over.
        ([[0.9, 0.5, 0.3], [0.7, 0.4, 0.2]], [0, 1], [0, 2]),
        # No candidate inside the box of person 1.
        ([[0.2, 0.7], [0, 0]], [1, -1], [1, -1]),
        # The greatest sum, not the greatest single score.
        ([[0.9, 0.8], [0.8, 0.1]], [1, 0], [0, 1]),
    ],
)
def test_rules_by_hand(scores, clean, published):
    assert choose(scores, "clean") == clean
    assert choose(scores, "published") == published


def test_likelihood_takes_the_greatest_product():
    scores = [[0.9, 0.5], [0.5, 0.2]]  # sums 1.1 and 1.0, products 0.18 and 0.25
    assert choose(scores, "clean") == [0, 1]
    assert choose(scores, "likelihood") == [1, 0]


def test_only_members_are_chosen():
    scores = [[0.9, 0.1], [0.8, 0.0]]
    member = [[False, True], [False, False]]
    for rule in ("clean", "likelihood", "published"):
        assert choose(scores, rule, member) == [1, -1]


def test_a_member_is_taken_at_score_0():
    for rule in ("clean", "likelihood"):
        assert choose([[0.0, 0.0]], rule, [[False, True]]) == [1]


def test_nobody_and_nothing():
    assert assign(np.zeros((0, 2, 3)), np.zeros((0, 2, 3), bool)).shape == (0, 3)
    assert (assign(np.zeros((2, 0, 3)), np.zeros((2, 0, 3), bool)) == -1).all()
    with pytest.raises(ValueError, match="clean"):
        assign(np.zeros((1, 1, 1)), np.ones((1, 1, 1), bool), "best")


@settings(max_examples=40)
@given(arrays(np.float32, (3, 3, 2), elements=st.floats(0, 1, width=16)))
def test_clean_is_one_to_one_and_the_best_of_all(scores):
    member = scores > 0.2
    chosen = assign(scores, member, "clean")
    for kind in range(2):
        picks = [c for c in chosen[:, kind] if c >= 0]
        assert len(set(picks)) == len(picks)
        worth = np.where(member, scores, 0)[:, :, kind]
        best = max(worth[range(3), list(p)].sum() for p in itertools.permutations(range(3)))
        got = sum(worth[n, c] for n, c in enumerate(chosen[:, kind]) if c >= 0)
        assert got == pytest.approx(best, abs=1e-6)


@settings(max_examples=40)
@given(arrays(np.float32, (4, 3, 2), elements=st.floats(0, 1, width=16)))
def test_published_equals_walking_through_the_candidates(scores):
    member = scores > 0.2

    def walk(person, kind):
        column = np.where(member, scores, -1.0)[:, :, kind]
        for c in sorted(range(3), key=lambda c: -column[person, c]):
            winner = column[:, c].argmax()
            lowest = min(np.flatnonzero(member[winner, :, kind]), key=lambda m: column[winner, m])
            if member[person, c, kind] and (person == winner or c == lowest):
                return c
        return -1

    member[:, 0] |= ~member.any(axis=1)  # every person has a candidate, as `min` wants
    expected = [[walk(person, kind) for kind in range(2)] for person in range(4)]
    assert assign(scores, member, "published").tolist() == expected


def test_window_scores_by_hand():
    maps = np.zeros((1, 56, 36, 1), np.float32)
    maps[0, 20, 10], maps[0, 27, 17], maps[0, 28, 10], maps[0, 0, 0] = 1, 10, 100, 1000
    cells = np.array([[[[20, 10]], [[7, 7]], [[8, 7]], [[20, 10]]]])
    member = np.array([[[True], [True], [True], [False]]])
    scores = window_scores(maps, cells, member, np.array([[[0.5], [1], [1], [1]]]))
    # 15 x 15 reaches 7 cells: (27, 17) counts for (20, 10), (28, 10) not; (0, 0) for (7, 7) only.
    assert scores.numpy()[0, :, 0].tolist() == [5.5, 1000, 0, 0]


def test_a_diverged_network_is_named():
    maps = np.full((1, 56, 36, 1), np.nan, np.float32)
    with pytest.raises(ValueError, match="finite"):
        group(lambda inputs: maps, np.ones((1, 1, 3)), np.array([[0, 0, 9, 9]]))


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 15)), min_size=1, max_size=4))
def test_window_scores_are_the_sums(places):
    maps = np.random.default_rng(0).random((1, 20, 16, 2), np.float32)
    cells = np.tile(np.array(places)[None, :, None], (1, 1, 2, 1))
    scores = window_scores(maps, cells, np.ones(cells.shape[:3], bool), window=5).numpy()
    expected = [
        maps[0, max(r - 2, 0) : r + 3, max(c - 2, 0) : c + 3].sum((0, 1)) for r, c in places
    ]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-5)


def test_poses_are_the_peaks_themselves():
    peaks = np.array([[[1, 2, 0.5], [3, 4, 1]], [[5, 6, 0.25], [0, 0, 0]]], np.float32)
    poses = take_keypoints(peaks, np.array([[1, 0], [0, -1]]))
    assert poses.tolist() == [[[5, 6, 0.25], [3, 4, 1]], [[1, 2, 0.5], [0, 0, 0]]]
    assert pose_scores(poses).tolist() == [0.625, 0.25]


def test_types_without_any_candidate_are_filled_from_the_map():
    maps = np.zeros((1, 56, 36, 2), np.float32)
    maps[0, 14, 9] = 1
    peaks = np.array([[[0, 0, 0], [40, 40, 1]]], np.float32)
    boxes = np.array([[100.0, 200, 136, 312]])  # 1 pixel wide, 2 high per cell
    filled = fill_unseen(np.full((1, 2, 3), 7, np.float32), peaks, maps, boxes)
    assert filled.tolist() == [[[109.5, 229, 0], [7, 7, 7]]]


def test_max_keeps_the_highest_peak_alone():
    cells, member = np.array([[[[20, 10]], [[40, 30]]]]), np.ones((1, 2, 1), bool)
    inputs = draw_inputs(cells, member) + draw_inputs(cells[:, :1], member[:, :1])
    maps = max_maps(inputs).numpy()
    assert maps[0, 20, 10, 0] == pytest.approx(0.159, abs=1e-3) and maps[0, 40, 30, 0] < 1e-6
    assert not max_maps(np.zeros_like(inputs)).numpy().any()


def test_ucr_and_softmax():
    inputs = np.array([0.0, 1, 2, 3]).reshape(1, 2, 2, 1)
    prior = np.array([1.0, 0.5, 0, 1]).reshape(2, 2, 1)
    assert ucr_maps(inputs, prior).ravel().tolist() == [0, 0.5, 0, 3]
    expected = np.exp([0, 1, 2, 3]) / np.exp([0, 1, 2, 3]).sum()
    np.testing.assert_allclose(softmax_maps(inputs).numpy().ravel(), expected)


def test_two_people_side_by_side_get_their_own():
    boxes = np.array([[0.0, 0, 36, 56], [30, 0, 66, 56]])
    peaks = np.array([[[50, 20, 0.9]], [[12, 20, 0.8]]], np.float32)
    for rule in ("clean", "published"):
        poses = group(softmax_maps, peaks, boxes, rule)
        np.testing.assert_allclose(poses[:, 0], [[12, 20, 0.8], [50, 20, 0.9]])
    assert group(softmax_maps, peaks, np.zeros((0, 4))).shape == (0, 1, 3)
