import itertools

import numpy as np
import pytest

from tracking.matching import greedy, hungarian

BOTH = pytest.mark.parametrize("match", [greedy, hungarian])


def pairs(match, similarity, *arguments):
    rows, columns = match(np.array(similarity), *arguments)
    assert rows.dtype == columns.dtype == np.int64
    return sorted(zip(rows.tolist(), columns.tolist(), strict=True))


def test_greedy_takes_the_best_pair_first_hungarian_the_best_sum():
    similarity = [[0.9, 0.8], [0.8, 0.1]]
    assert pairs(greedy, similarity) == [(0, 0), (1, 1)]
    assert pairs(hungarian, similarity) == [(0, 1), (1, 0)]


def test_greedy_in_the_order_of_linking():
    rows, columns = greedy(np.array([[0.1, 0.7, 0.2], [0.3, 0.8, 0.9]]))
    assert rows.tolist() == [1, 0] and columns.tolist() == [2, 1]


@BOTH
def test_without_gate_everybody_is_linked_as_long_as_two_are_left(match):
    assert pairs(match, [[0.9, 0.0], [0.0, 0.0]]) == [(0, 0), (1, 1)]
    assert len(pairs(match, np.zeros((3, 5)))) == 3
    assert pairs(match, [[0.0], [0.0], [0.2]]) == [(2, 0)]


@BOTH
def test_the_gate_itself_is_enough(match):
    assert pairs(match, [[0.3, 0.0], [0.0, 0.29]], 0.3) == [(0, 0)]
    assert pairs(match, [[0.2, 0.1]], 0.3) == []


def test_hungarian_gives_up_nothing_for_pairs_below_the_gate():
    # Without a gate 0.8 + 0.15 is best; what is left of it above the gate is 0.8.
    similarity = [[0.9, 0.8], [0.15, 0.0]]
    assert pairs(hungarian, similarity) == [(0, 1), (1, 0)]
    assert pairs(hungarian, similarity, 0.2) == [(0, 0)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("gate", [0.0, 0.3, 0.6])
def test_hungarian_has_the_largest_sum_of_all_assignments(seed, gate):
    similarity = np.random.default_rng(seed).random((3, 4)) ** 2
    gain = np.where(similarity >= gate, similarity, 0)
    best = max(gain[range(3), list(p)].sum() for p in itertools.permutations(range(4), 3))
    rows, columns = hungarian(similarity, gate)
    assert (similarity[rows, columns] >= gate).all()
    np.testing.assert_allclose(similarity[rows, columns].sum(), best)


@BOTH
def test_of_equals_the_one_seen_last_is_linked(match):
    for similarity in (np.full((4, 1), 0.7), np.zeros((4, 1))):
        assert pairs(match, similarity, 0.0, np.array([3, 2, 1, 2])) == [(2, 0)]
        assert pairs(match, similarity, 0.0, np.array([3, 2, 2, 4])) == [(1, 0)]
    two = pairs(match, np.full((4, 2), 0.7), 0.1, np.array([3, 2, 1, 4]))
    assert sorted(row for row, _ in two) == [1, 2]
    assert pairs(match, np.full((1, 3), 0.7)) == [(0, 0)]


@BOTH
def test_age_decides_nothing_but_ties(match):
    assert pairs(match, [[0.5], [0.500001]], 0.0, np.array([1, 8])) == [(1, 0)]


@BOTH
def test_minus_infinity_is_never_linked(match):
    no = -np.inf
    assert pairs(match, [[no, no], [no, 0.0]]) == [(1, 1)]
    assert pairs(match, np.full((2, 2), no)) == []


@BOTH
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nobody(match, shape):
    assert pairs(match, np.zeros(shape)) == []


@BOTH
def test_what_is_refused(match):
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="received NaN or"):
            match(np.array([[0.3, bad]]))
    with pytest.raises(ValueError, match="expected similarities"):
        match(np.zeros(3))
    with pytest.raises(ValueError, match=r"expected ages \(2,\)"):
        match(np.zeros((2, 3)), 0.1, np.zeros(3))


@BOTH
def test_more_than_999_people(match):
    order = np.random.default_rng(0).permutation(1200)
    similarity = np.zeros((1200, 1200), np.float32)
    similarity[order, np.arange(1200)] = 0.5
    rows, columns = match(similarity, 0.1)
    assert (rows == order[columns]).all() and len(set(rows.tolist())) == 1200
