import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from multiposenet.assignment import assign
from multiposenet.graph_assignment import assign_in_graph

ANY_SIZE = [tf.TensorSpec([None] * 4), tf.TensorSpec([None] * 4, tf.bool)]
RULES = ("clean", "likelihood", "published")


@functools.cache
def in_graph(rule):
    """The function under test, its sizes unknown until it runs."""
    return tf.function(lambda scores, member: assign_in_graph(scores, member, rule), ANY_SIZE)


def one_by_one(scores, member, rule):
    """What NumPy and SciPy choose, (B, N, K)."""
    return np.stack([assign(*image, rule) for image in zip(scores, member, strict=True)])


def random_problems(shape, share, seed, steps=None):
    """Scores (B, N, M, K) and members, that share of all; `steps` for equal scores."""
    rng = np.random.default_rng(seed)
    scores = rng.random(shape, np.float32)
    scores = np.float32(np.round(scores * steps) / steps) if steps else scores
    member = rng.random(shape) < share
    return scores * member, member


def sums(scores, member, chosen, rule):
    """Sums what is chosen per image and type, (B, K), after a look at the rules."""
    worth = scores.astype(np.float64) + 1e-9
    worth = np.log(worth) + 30 if rule == "likelihood" else worth
    taken = chosen[:, :, None] == np.arange(scores.shape[2])[:, None]
    assert not (taken & ~member).any() and (taken.sum(axis=1) <= 1).all()
    assert (taken.any(axis=2) == (chosen >= 0)).all()
    return (worth * taken).sum(axis=(1, 2))


@pytest.mark.parametrize(
    ("scores", "clean", "published"),
    [
        ([[0.9, 0.1], [0.8, 0.3]], [0, 1], [0, 1]),
        ([[0.9], [0.8]], [0, -1], [0, 0]),
        ([[0.9, 0.5, 0.3], [0.7, 0.4, 0.2]], [0, 1], [0, 2]),
        ([[0.2, 0.7], [0, 0]], [1, -1], [1, -1]),
        ([[0.9, 0.8], [0.8, 0.1]], [1, 0], [0, 1]),
        # Person 2 comes last and moves two others on.
        ([[0.9, 0.8, 0.0], [0.0, 0.9, 0.8], [0.95, 0.0, 0.0]], [1, 2, 0], [0, 1, 0]),
    ],
)
def test_rules_by_hand(scores, clean, published):
    scores = np.float32(scores)[None, :, :, None]
    assert in_graph("clean")(scores, scores > 0)[0, :, 0].numpy().tolist() == clean
    assert in_graph("published")(scores, scores > 0)[0, :, 0].numpy().tolist() == published


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_equals_numpy_where_no_scores_are_equal(rule, share):
    for seed, people in enumerate((1, 3, 8, 20, 45)):
        scores, member = random_problems((2, people, 13, 5), share, seed)
        chosen = in_graph(rule)(scores, member).numpy()
        assert chosen.dtype == np.int32
        np.testing.assert_array_equal(chosen, one_by_one(scores, member, rule))


@given(st.tuples(*map(st.integers, (1, 1, 1, 1), (2, 9, 9, 3))), st.data())
@settings(max_examples=150)
def test_sums_are_the_largest(shape, data):
    share, seed = data.draw(st.floats(0, 1)), data.draw(st.integers(0, 999))
    scores, member = random_problems(shape, share, seed, steps=data.draw(st.integers(1, 5)))
    for rule in RULES[:2]:
        reached, largest = (
            sums(scores, member, np.asarray(choose(scores, member)), rule)
            for choose in (in_graph(rule), functools.partial(one_by_one, rule=rule))
        )
        np.testing.assert_allclose(reached, largest, rtol=0, atol=1e-12)


@pytest.mark.parametrize("people", [12, 24, 36])
def test_long_searches_reach_the_largest_sum(people):
    # Products of two factors: all like the same candidates best, and searches go through all.
    scores = np.float32(np.outer(np.arange(1, people + 1), np.arange(1, 25)) / 999)
    scores = np.repeat(scores[None, :, :, None], 2, axis=-1)
    member = np.ones_like(scores, bool)
    chosen = in_graph("clean")(scores, member).numpy()
    np.testing.assert_array_equal(chosen, one_by_one(scores, member, "clean"))


@pytest.mark.parametrize("rule", RULES)
def test_people_of_a_filled_up_batch_change_nothing(rule):
    scores, member = random_problems((1, 6, 5, 4), 0.6, 3)
    filled = [np.pad(values, [(0, 1), (0, 9), (0, 7), (0, 0)]) for values in (scores, member)]
    chosen = in_graph(rule)(*filled).numpy()
    np.testing.assert_array_equal(chosen[:1, :6], one_by_one(scores, member, rule))
    assert (chosen[1:] == -1).all() and (chosen[:, 6:] == -1).all()


@pytest.mark.parametrize("rule", RULES)
def test_nobody_and_nothing(rule):
    for shape in ((0, 3, 4, 2), (2, 0, 4, 2), (2, 3, 0, 2), (2, 3, 4, 0), (1, 0, 0, 0)):
        chosen = in_graph(rule)(np.zeros(shape, np.float32), np.ones(shape, bool)).numpy()
        np.testing.assert_array_equal(chosen, np.full((*shape[:2], shape[3]), -1))


def test_scores_of_zero_are_better_than_none_and_no_numbers_are_none():
    scores = np.float32([[[0], [np.nan]], [[0], [np.inf]]])[None]
    chosen = in_graph("clean")(scores, np.ones_like(scores, bool)).numpy()
    assert sorted(chosen.ravel()) == [-1, 0]


@pytest.mark.parametrize("rule", RULES)
def test_saved_eager_and_with_known_sizes(rule, tmp_path):
    scores, member = random_problems((2, 7, 9, 3), 0.7, 5)
    expected = one_by_one(scores, member, rule)
    module = tf.Module()
    module.choose = in_graph(rule)
    tf.saved_model.save(module, str(tmp_path))
    np.testing.assert_array_equal(
        tf.saved_model.load(str(tmp_path)).choose(scores, member), expected
    )
    np.testing.assert_array_equal(assign_in_graph(scores, member, rule), expected)
    for known in ([2, 7, 9, 3], [None, None, 9, 3], [2, None, None, 3]):
        sizes = [tf.TensorSpec(known), tf.TensorSpec(known, tf.bool)]
        compiled = tf.function(lambda s, m: assign_in_graph(s, m, rule), sizes)
        np.testing.assert_array_equal(compiled(scores, member), expected)


def test_refuses_an_unknown_rule():
    with pytest.raises(ValueError, match="expected a rule of .*received 'greedy'"):
        assign_in_graph(np.zeros((1, 1, 1, 1), np.float32), np.ones((1, 1, 1, 1), bool), "greedy")
