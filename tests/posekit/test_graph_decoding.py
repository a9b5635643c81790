import functools

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as some

from posekit.decoding import decode_heatmaps
from posekit.graph_decoding import decode_heatmaps_in_graph

OFFSETS = ("none", "sign", "second_peak")


@functools.cache
def compiled(offset, blur_sigma):
    spec = tf.TensorSpec((None, None, None, None), tf.float32)
    return tf.function(
        lambda maps: decode_heatmaps_in_graph(maps, 4, offset, blur_sigma), input_signature=[spec]
    )


def assert_equal(maps, offset, blur_sigma=None):
    found = compiled(offset, blur_sigma)(maps).numpy()
    expected = decode_heatmaps(maps, 4, offset, blur_sigma)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    return found


# Few levels, so that ties, plateaus and maps without any positive cell are frequent.
LEVELS = some.sampled_from(np.float32([-1, 0, 0.25, 0.5, 1]).tolist())
SHAPES = some.tuples(
    some.integers(0, 2), some.integers(1, 6), some.integers(2, 7), some.integers(1, 3)
)


@settings(max_examples=150)
@given(arrays.arrays(np.float32, SHAPES, elements=LEVELS), some.sampled_from(OFFSETS))
def test_maps_with_ties_and_borders_are_read_alike(maps, offset):
    assert_equal(maps, offset)


@pytest.mark.parametrize("blur_sigma", [None, 3.5, 5.0])
@pytest.mark.parametrize("offset", OFFSETS)
def test_random_maps_are_read_alike(offset, blur_sigma):
    maps = np.random.default_rng(0).normal(size=(20, 64, 48, 17)).astype(np.float32)
    maps[0], maps[1, :, :, 0], maps[2, 0, 0] = 0, -1, 9
    found = assert_equal(maps, offset, blur_sigma)
    assert not found[0].any() and not found[1, 0].any()
    assert (found[2:, :, 2] > 0).mean() > 0.6  # the filter may choose cells below 0
    assert blur_sigma or (found[2, :, :2] < 2).all()  # a corner


def test_offsets_by_hand():
    maps = np.zeros((1, 8, 8, 1), np.float32)
    maps[0, 3, 2, 0], maps[0, 3, 3, 0], maps[0, 7, 5, 0] = 1, 0.5, 0.75
    assert compiled("none", None)(maps).numpy().tolist() == [[[8, 12, 1]]]
    assert compiled("sign", None)(maps).numpy().tolist() == [[[9, 12, 1]]]
    second = compiled("second_peak", None)(maps).numpy()  # direction (3, 4) / 5
    np.testing.assert_allclose(second, [[[8.6, 12.8, 1]]], rtol=1e-6)
    blurred = compiled("none", 1.0)(maps).numpy()
    assert blurred.tolist() == [[[8, 12, 1]]]  # the score stays that of the map


def test_an_unknown_offset_is_refused():
    with pytest.raises(ValueError, match="second_peak.*received 'parabola'"):
        decode_heatmaps_in_graph(tf.zeros((1, 2, 2, 1)), 4, "parabola")
