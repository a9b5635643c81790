import numpy as np
import pytest

from posekit.heatmaps import decode_heatmaps, encode_heatmaps


def grid(height, width, cells, num_keypoints=1):
    """Maps (height, width, K) of zeros with {(column, row): value} in channel 0."""
    maps = np.zeros((height, width, num_keypoints), np.float32)
    for (x, y), value in cells.items():
        maps[y, x, 0] = value
    return maps


def random_keypoints(seed, low, high, count=40):
    places = np.random.default_rng(seed).uniform(low, high, (1, count, 2))
    return np.concatenate([places, np.ones((1, count, 1))], -1).astype(np.float32)


@pytest.mark.parametrize(
    "offset, blur_sigma, largest, mean",
    [("none", None, 0.5, 0.26), ("sign", None, 0.25, 0.14), ("second_peak", None, 0.5, 0.2)]
    + [("second_peak", 3.5, 0.5, 0.2)],
)
def test_decode_inverts_encode(offset, blur_sigma, largest, mean):
    keypoints = random_keypoints(3, 40, 200)
    maps = encode_heatmaps(keypoints, (256, 256), stride=4)
    decoded = decode_heatmaps(maps[None], 4, offset, blur_sigma)
    error = np.abs(decoded - keypoints)[..., :2] / 4  # cells, per axis
    assert error.max() <= largest + 1e-3 and error.mean() < mean
    assert (decoded[..., 2] > 0.9).all()


@pytest.mark.parametrize(
    "x, y, moved",
    [
        (1, 3, 1),  # column 1 never moves
        (2, 3, 2.25),
        (6, 3, 6.25),  # column w - 2 does
        (7, 3, 7),  # the last does not
        (4, 1, 4),  # a row at the border holds both axes still
    ],
)
def test_sign_offset_and_its_border_rule(x, y, moved):
    cells = {(x, y): 1.0, (min(x + 1, 7), y): 0.5}
    cells[(x, y)] = 1.0
    decoded = decode_heatmaps(grid(6, 8, cells)[None], 4, "sign")
    np.testing.assert_allclose(decoded[0, 0], [4 * moved, 4 * y, 1])


def test_second_peak_offset_by_hand():
    maps = grid(12, 12, {(3, 3): 1.0, (6, 7): 0.9})  # direction (3, 4) / 5
    decoded = decode_heatmaps(maps[None], 4, "second_peak")
    np.testing.assert_allclose(decoded[0, 0], [4 * 3.15, 4 * 3.2, 1], rtol=1e-6)
    alone = decode_heatmaps(grid(12, 12, {(3, 3): 1.0})[None], 4, "second_peak")
    np.testing.assert_allclose(alone[0, 0], [12, 12, 1])


def test_filter_moves_the_peak_but_not_the_score():
    maps = grid(20, 20, {(4, 4): 1.0})
    maps[10:15, 10:15] = 0.8
    np.testing.assert_allclose(decode_heatmaps(maps[None], 1)[0, 0], [4, 4, 1])
    filtered = decode_heatmaps(maps[None], 1, blur_sigma=1.5)
    np.testing.assert_allclose(filtered[0, 0], [12, 12, 0.8])
    border = grid(20, 20, {(0, 9): 0.8, (10, 9): 1.0})  # outside is 0: a border cell gains nothing
    assert decode_heatmaps(border[None], 1, blur_sigma=3.5)[0, 0].tolist() == [10, 9, 1]


@pytest.mark.parametrize("offset", ["none", "sign", "second_peak"])
def test_empty_maps_ties_and_batches(offset):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(20, 9, 7, 3)).astype(np.float32)
    maps[1, ..., 0], maps[1, ..., 1], maps[1, ..., 2] = 0, -1, 0.5
    maps[1, 4, 3, 1] = -0.5
    together = decode_heatmaps(maps, 4, offset)
    single = [decode_heatmaps(m[None], 4, offset)[0] for m in maps]
    np.testing.assert_array_equal(together, single)
    np.testing.assert_array_equal(together[1, :2], 0)
    assert together.dtype == np.float32 and together[1, 2, 2] == 0.5
    assert decode_heatmaps(maps[:0], 4, offset, blur_sigma=1.0).shape == (0, 3, 3)
    tied = decode_heatmaps(grid(6, 6, {(4, 2): 1.0, (1, 3): 1.0})[None], 1)
    assert tied[0, 0].tolist() == [4, 2, 1]  # first in reading order


def test_decode_refuses_damage():
    maps = np.zeros((1, 6, 6, 2), np.float32)
    maps[0, 3, 3, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        decode_heatmaps(maps, 4)
    with pytest.raises(ValueError, match="batch axis"):
        decode_heatmaps(maps[0], 4)
    with pytest.raises(ValueError, match="second_peak"):
        decode_heatmaps(maps, 4, "parabola")
