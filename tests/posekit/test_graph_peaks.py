import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posekit.graph_peaks import find_peaks_in_graph
from posekit.heatmaps import encode_heatmaps
from posekit.peaks import find_peaks

ANY_SIZE = [tf.TensorSpec([None] * 4)]
plain = tf.function(lambda maps: find_peaks_in_graph(maps, 1, 1.0, 42, "none"), ANY_SIZE)


def one_by_one(heatmaps, *arguments):
    """What NumPy finds, (B, K, max_peaks, 3)."""
    return np.stack([find_peaks(maps, *arguments) for maps in heatmaps])


def maps_of_people(shape, rng):
    """Noisy heatmaps (B, h, w, K) of five people, one with a saturated blob at the border."""
    batch, height, width, num_keypoints = shape
    people = rng.uniform(0, 4 * max(height, width), (batch, 5, num_keypoints, 3))
    people[..., 2] = 2
    maps = np.stack([encode_heatmaps(p, (height * 4, width * 4), 4) for p in people])
    maps += rng.normal(0, 0.05, shape).astype(np.float32)
    maps[0, :4, -3:] = 0.9
    return maps


@pytest.mark.parametrize("offset", ["none", "sign", "parabola"])
def test_equals_numpy_at_sizes_not_known_before(offset):
    rng = np.random.default_rng(0)
    in_graph = tf.function(lambda maps: find_peaks_in_graph(maps, 4, 0.2, 7, offset), ANY_SIZE)
    shapes = [(2, 33, 20, 5), (1, 1, 9, 3), (2, 9, 1, 1), (1, 1, 1, 1), (3, 2, 3, 2), (1, 7, 40, 1)]
    for shape in shapes:
        maps = maps_of_people(shape, rng)
        found = in_graph(maps).numpy()
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, one_by_one(maps, 4, 0.2, 7, offset), atol=1e-3)


# A snake, whose cells are in the wrong order for labels that wander, with and without a higher end.
SNAKE = np.zeros((1, 7, 6, 1), np.int8)
SNAKE[0, ::2, :, 0] = SNAKE[0, 1, 5] = SNAKE[0, 3, 0] = SNAKE[0, 5, 5] = 2
SHELF = SNAKE + (np.indices(SNAKE.shape)[1:3].sum(axis=0) == 6)


@given(arrays(np.int8, (2, 7, 6, 2), elements=st.integers(0, 3)))
@example(SNAKE)
@example(SHELF)
@example(np.full((2, 5, 3, 2), 2, np.int8))
@settings(max_examples=150)
def test_plateaus_and_ties_equal_numpy(maps):
    maps = maps.astype(np.float32)
    np.testing.assert_array_equal(plain(maps), one_by_one(maps, 1, 1, 42, "none"))


def test_neighbours_of_zero_and_below_do_not_decide_alone():
    maps = np.zeros((1, 3, 12, 1), np.float32)
    maps[0, 1, [1, 2, 5, 6, 7, 10], 0] = 0.8, 0.4, -0.5, 0.8, 0.4, 0.8
    found = find_peaks_in_graph(maps, 4).numpy()
    assert 4 < found[0, 0, 0, 0] < 6 and found[0, 0, 2].tolist() == [40, 4, np.float32(0.8)]
    np.testing.assert_allclose(found, one_by_one(maps, 4), atol=1e-5)


def test_nothing_to_find():
    for shape in ((0, 4, 5, 3), (2, 0, 5, 3), (2, 4, 5, 3)):
        peaks = find_peaks_in_graph(np.zeros(shape, np.float32), 4, max_peaks=6)
        np.testing.assert_array_equal(peaks, np.zeros((shape[0], 3, 6, 3)))


def test_a_cell_that_is_no_number_harms_no_other():
    maps = np.zeros((1, 5, 9, 1), np.float32)
    maps[0, 2, 7], maps[0, 2, 1] = 0.5, np.nan
    assert find_peaks_in_graph(maps, 1).numpy()[0, 0, :2].tolist() == [[7, 2, 0.5], [0, 0, 0]]


def test_saved_and_loaded(tmp_path):
    module = tf.Module()
    module.find = tf.function(lambda maps: find_peaks_in_graph(maps, 4, max_peaks=9), ANY_SIZE)
    tf.saved_model.save(module, str(tmp_path))
    maps = maps_of_people((2, 12, 17, 3), np.random.default_rng(1))
    loaded = tf.saved_model.load(str(tmp_path)).find(maps)
    np.testing.assert_array_equal(loaded, find_peaks_in_graph(maps, 4, max_peaks=9))


@pytest.mark.parametrize("keywords", [{"threshold": -0.1}, {"offset": "second_peak"}])
def test_refuses_bad_arguments(keywords):
    with pytest.raises(ValueError, match="expected threshold >= 0 and an offset"):
        find_peaks_in_graph(np.zeros((1, 4, 4, 1), np.float32), 4, **keywords)
