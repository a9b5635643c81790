import keras
import numpy as np

from posekit.losses import detection_loss, focal_loss, heatmap_loss, masked_l2, smooth_l1


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


def column(*values):
    return np.array(values, np.float32)[None, :, None]


def test_focal_loss_by_hand():
    # At logit 0 both answers have probability 1/2: alpha * (1/2)^2 * log 2.
    one = np.ones((1, 1, 1), np.float32)
    np.testing.assert_allclose(focal_loss(0 * one, one, one), [0.25 / 4 * np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(focal_loss(0 * one, 0 * one, one), [0.75 / 4 * np.log(2)], rtol=1e-6)
    # Sure and wrong: the whole logit counts.
    np.testing.assert_allclose(focal_loss(-100 * one, one, one), [25], rtol=1e-6)


def test_focal_loss_is_divided_by_the_people_found_and_leaves_out_ignored_anchors():
    logits, target = column(0, 0, 0, 5), column(1, 1, 0, 0)
    weights = column(1, 1, 1, 0)
    expected = (2 * 0.25 + 0.75) / 4 * np.log(2) / 2
    np.testing.assert_allclose(focal_loss(logits, target, weights), [expected], rtol=1e-6)
    ignored = focal_loss(logits, target, column(0, 0, 1, 0))  # nobody: divided by 1
    np.testing.assert_allclose(ignored, [0.75 / 4 * np.log(2)], rtol=1e-6)


def test_focal_loss_is_that_of_keras():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (2, 50, 1)).astype(np.float32)
    target = (rng.random((2, 50, 1)) < 0.2).astype(np.float32)
    theirs = keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, from_logits=True, reduction=None
    )
    expected = np.asarray(theirs(target, logits)).sum(axis=1) / target.sum(axis=(1, 2))
    np.testing.assert_allclose(focal_loss(logits, target, 1 + 0 * target), expected, rtol=1e-4)


def test_smooth_l1_by_hand():
    # 9/2 * 0.1^2 below 1/9, else |d| - 1/18; the second anchor has no person.
    distances = np.array([[[0.1, -1.0, 0.0, 2.0], [9, 9, 9, 9]]], np.float32)
    expected = 0.045 + (1 - 1 / 18) + (2 - 1 / 18)
    loss = smooth_l1(0 * distances, distances, column(1, 0))
    np.testing.assert_allclose(loss, [expected], rtol=1e-6)
    np.testing.assert_allclose(smooth_l1(0 * distances, distances, column(0, 0)), [0])


def test_detection_loss_has_a_term_for_class_and_one_for_boxes():
    rng = np.random.default_rng(0)
    outputs = {"class_logits": rng.normal(size=(2, 5, 1)), "box_deltas": rng.normal(size=(2, 5, 4))}
    outputs = {name: value.astype(np.float32) for name, value in outputs.items()}
    person = np.zeros((2, 5, 1), np.float32)
    person[0, :2] = 1  # nobody in the second image
    targets = {"class": person, "box_deltas": np.zeros((2, 5, 4), np.float32)}
    loss = detection_loss(outputs, targets, {"class": 1 + 0 * person, "box_deltas": person})
    assert {name: term.shape for name, term in loss.items()} == {"class": (2,), "box_deltas": (2,)}
    assert float(loss["box_deltas"][1]) == 0 < float(loss["class"][1])


def test_an_intermediate_prediction_costs_as_much_as_the_final_one():
    # One unit of error on each of 3 + 1 channels, the mask channel at half weight.
    maps, targets, weights = batch()
    loss = heatmap_loss({**targets, "K3": maps + 1}, targets, weights, mask_weight=0.5)
    np.testing.assert_allclose(loss["K3"], 0.75 + 0.125, rtol=1e-5)
    assert np.all(np.asarray(loss["heatmaps"]) == 0)
