import numpy as np

from posekit.losses import heatmap_loss, masked_l2


def test_masked_l2_by_hand():
    target = np.zeros((2, 1, 2, 1), np.float32)
    prediction = np.array([[[[1.0], [3.0]]], [[[2.0], [0.0]]]], np.float32)
    weights = np.array([[[[1.0], [0.0]]], [[[1.0], [1.0]]]], np.float32)
    np.testing.assert_allclose(masked_l2(target, prediction, weights), [1 / 2, 4 / 2])


def batch(num_keypoints=3):
    rng = np.random.default_rng(0)
    maps = rng.random((2, 4, 4, num_keypoints + 1), np.float32)
    targets = {"heatmaps": maps[..., :-1], "mask": maps[..., -1:]}
    ones = np.ones((2, 4, 4, 1), np.float32)
    return maps, targets, {"heatmaps": ones, "mask": ones}


def test_perfect_maps_cost_nothing_at_any_level():
    maps, targets, weights = batch()
    outputs = {**targets, "K2": maps, "K5": maps}
    loss = heatmap_loss(outputs, targets, weights)
    assert set(loss) == {"heatmaps", "mask", "K2", "K5"}
    assert all(np.all(np.asarray(term) == 0) for term in loss.values())


def test_ignored_people_cost_no_keypoints_but_their_mask_still_counts():
    _, targets, weights = batch()
    weights = dict(weights, heatmaps=np.zeros((2, 4, 4, 1), np.float32))
    wrong = {name: 1 - value for name, value in targets.items()}
    loss = heatmap_loss(wrong, targets, weights)
    assert np.all(np.asarray(loss["heatmaps"]) == 0)
    assert np.all(np.asarray(loss["mask"]) > 0)


def test_all_channels_share_one_mean():
    # One unit of error on each of 3 + 1 channels: 3/4 from the keypoints and 1/4 from the mask.
    _, targets, weights = batch()
    loss = heatmap_loss({k: v + 1 for k, v in targets.items()}, targets, weights, mask_weight=0.5)
    np.testing.assert_allclose(loss["heatmaps"], 0.75, rtol=1e-5)
    np.testing.assert_allclose(loss["mask"], 0.125, rtol=1e-5)
