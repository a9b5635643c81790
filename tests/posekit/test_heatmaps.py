import numpy as np
import pytest

from posekit.heatmaps import (
    average_flipped,
    encode_heatmaps,
    encode_person_heatmaps,
    find_peaks,
    keypoint_weights,
)

E = np.exp(1.0)


def one(x, y, v=2):
    return np.array([[[x, y, v]]], np.float32)


def test_gaussian_by_hand():
    maps = encode_heatmaps(one(8, 4), (16, 24), stride=4, sigma=1)
    assert maps.shape == (4, 6, 1) and maps.dtype == np.float32 and maps.flags.c_contiguous
    assert maps[1, 2, 0] == 1  # cell = pixel / stride; row from y, column from x
    np.testing.assert_allclose(maps[1, [1, 3], 0], E**-0.5, rtol=1e-6)
    np.testing.assert_allclose(maps[0, 1, 0], E**-1, rtol=1e-6)
    assert maps[1, 5, 0] == pytest.approx(E**-4.5, rel=1e-5)


def test_centres_stay_between_cells_unless_rounded():
    maps = encode_heatmaps(one(2, 0), (16, 24), stride=4, sigma=1)
    np.testing.assert_allclose(maps[0, :2, 0], E**-0.125, rtol=1e-6)
    rounded = encode_heatmaps(one(2, 0), (16, 24), stride=4, sigma=1, rounded=True)
    np.testing.assert_allclose(rounded[0, :2, 0], [E**-0.5, 1], rtol=1e-6)


def test_people_combine_by_maximum():
    people = np.concatenate([one(0, 0), one(8, 0)])
    maps = encode_heatmaps(people, (4, 12), stride=4, sigma=1)
    np.testing.assert_allclose(maps[0, :, 0], [1, E**-0.5, 1], rtol=1e-6)


def test_only_labelled_keypoints_are_drawn_and_tails_reach_in():
    keypoints = np.array([[[4, 4, 0], [4, 4, 1], [-4, 0, 2], [-400, 0, 2]]], np.float32)
    maps = encode_heatmaps(keypoints, (16, 16), stride=4, sigma=1)
    assert maps[..., 0].max() == 0 and maps[1, 1, 1] == 1
    assert maps[0, 0, 2] == pytest.approx(E**-0.5) and maps[..., 3].max() == 0
    assert encode_heatmaps(np.zeros((0, 17, 3)), (16, 16), 4).shape == (4, 4, 17)


def test_targets_equal_the_whole_gaussian_within_four_sigma():
    rng = np.random.default_rng(0)
    keypoints = np.concatenate([rng.uniform(-40, 200, (5, 3, 2)), np.ones((5, 3, 1))], -1)
    maps = encode_heatmaps(keypoints, (96, 160), stride=4, sigma=1.7)
    y, x = np.mgrid[:24, :40][..., None, None]
    dx, dy = x - keypoints[..., 0].T / 4, y - keypoints[..., 1].T / 4  # (h, w, K, N)
    whole = np.exp(-(dx**2 + dy**2) / (2 * 1.7**2))
    whole[(abs(dx) > 4 * 1.7) | (abs(dy) > 4 * 1.7)] = 0
    np.testing.assert_allclose(maps, whole.max(axis=-1), atol=1e-5)


@pytest.mark.parametrize(
    "keypoints, size, message",
    [
        (np.zeros((17, 3)), (16, 16), "expected keypoints"),
        (one(np.nan, 0), (16, 16), "finite"),
        (one(0, 0), (16, 18), "multiples of the stride"),
    ],
)
def test_targets_refuse_bad_input(keypoints, size, message):
    with pytest.raises(ValueError, match=message):
        encode_heatmaps(keypoints, size, 4)


def test_person_targets_are_square_patches_on_whole_cells():
    keypoints = np.concatenate([one(21, 17), one(40, 40)])
    maps, weights = encode_person_heatmaps(keypoints, (64, 48), stride=4, sigma=1)
    assert maps.shape == (2, 16, 12, 1) and weights.tolist() == [[1], [1]]
    assert np.unravel_index(maps[0].argmax(), (16, 12)) == (4, 5)  # int(5.75) and int(4.75)
    assert maps[0].max() == 1 and np.count_nonzero(maps[0]) == 49  # 6 sigma + 1
    assert maps[0, 1, 2, 0] == pytest.approx(E**-9)  # the corner of the patch is kept
    assert np.unravel_index(maps[1].argmax(), (16, 12)) == (10, 10)


@pytest.mark.parametrize(
    "x, weight",
    [
        (0, 1),
        (-17, 1),  # -4.25 + 0.5 is cut towards zero to -3: its patch of radius 3 reaches cell 0
        (-18, 0),  # cell -4
        (56, 1),  # cell 14 of 12: reaches cell 11
        (58, 0),  # cell 15
    ],
)
def test_person_weights_follow_the_patch(x, weight):
    maps, weights = encode_person_heatmaps(one(x, 8), (64, 48), stride=4, sigma=1)
    assert weights.item() == weight and (maps.max() > 0) == bool(weight)
    assert keypoint_weights(one(x, 8, v=0), (64, 48), 4, 1).item() == 0


# Flip averaging


def test_flip_average_by_hand():
    flip = (0, 2, 1)
    maps = np.random.default_rng(0).random((2, 4, 6, 3), dtype=np.float32)
    mirrored = maps[:, :, ::-1][..., [0, 2, 1]]
    np.testing.assert_allclose(average_flipped(maps, mirrored, flip), maps)  # a perfect network
    shifted = average_flipped(np.zeros_like(maps), mirrored, flip, shift=True) * 2
    np.testing.assert_allclose(shifted[:, :, 1:], maps[:, :, :-1])
    np.testing.assert_allclose(shifted[:, :, 0], maps[:, :, 0])  # column 0 stands twice
    swapped = average_flipped(np.zeros_like(maps), maps[:, :, ::-1], flip) * 2
    np.testing.assert_allclose(swapped[..., 1], maps[..., 2])


def test_flip_average_needs_the_shift():
    # Keypoint at pixel 22 of 48; in the mirrored image at 25. A network that answers cell = px / 4
    # exactly gives 6.25, mirrored back 4.75 instead of 5.5: the shift turns -0.75 into +0.25.
    flipped = encode_heatmaps(one(47 - 22, 16), (32, 48), stride=4)[None]
    empty = np.zeros_like(flipped)
    for shift, error in ((False, -0.75), (True, 0.25)):
        maps = average_flipped(empty, flipped, [0], shift)[0]
        x = find_peaks(maps, 4)[0, 0, 0]
        assert x / 4 - 5.5 == pytest.approx(error, abs=0.01)
