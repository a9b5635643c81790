import numpy as np
import pytest

from topdown.default_boxes import decode_boxes, make_default_boxes
from topdown.ssd_loss import class_loss, ssd_loss
from topdown.ssd_targets import BACKGROUND, match_boxes, ssd_targets

NOBODY = np.zeros((0, 4), np.float32)
DEFAULTS = np.array(
    [[0, 0, 10, 10], [0, 0, 10, 6], [0, 0, 10, 4.9], [30, 0, 40, 10], [60, 60, 70, 70]], np.float32
)


def boxes(*rows):
    return np.array(rows, np.float32)


def test_matching_by_hand():
    person = boxes((0, 0, 10, 10))
    assert match_boxes(DEFAULTS, person).tolist() == [0, 0, -1, -1, -1]  # IoU 1, 0.6, 0.49
    assert match_boxes(DEFAULTS, person, overlap=0.7).tolist() == [0, -1, -1, -1, -1]
    assert match_boxes(DEFAULTS, NOBODY).tolist() == [BACKGROUND] * 5


def test_everybody_has_a_default_box_however_small_the_overlap():
    small = boxes((32, 2, 34, 4), (61, 61, 62, 62))
    assert match_boxes(DEFAULTS, small).tolist() == [-1, -1, -1, 0, 1]


def test_two_people_with_the_same_best_default_box_both_have_one():
    people = boxes((0, 0, 10, 9), (0, 0, 10, 7.9))  # both overlap the first most
    match = match_boxes(DEFAULTS, people, overlap=0.95)
    assert sorted(match[:2]) == [0, 1] and match[2:].tolist() == [-1, -1, -1]


def test_targets_lead_back_to_the_people():
    defaults = make_default_boxes(300)
    people = boxes((20, 30, 90, 200), (150, 10, 190, 130), (5, 5, 9, 9))
    targets, weights = ssd_targets(defaults, people, NOBODY)
    found = targets["class"][:, 0] == 1
    np.testing.assert_array_equal(weights["box_deltas"], targets["class"])
    assert weights["class"].all() and not targets["box_deltas"][~found].any()
    decoded = decode_boxes(defaults[found], targets["box_deltas"][found])
    distance = np.abs(decoded[:, None] - people).max(axis=-1)
    assert distance.min(axis=1).max() < 1e-3  # each on somebody
    assert distance.min(axis=0).max() < 1e-3  # and somebody on each


def test_default_boxes_in_a_crowd_are_no_background():
    crowd = boxes((25, 0, 45, 20))
    targets, weights = ssd_targets(DEFAULTS, boxes((0, 0, 10, 10)), crowd)
    assert weights["class"][:, 0].tolist() == [1, 1, 1, 0, 1]
    _, weights = ssd_targets(DEFAULTS, boxes((30, 0, 40, 10)), crowd)
    assert weights["class"][3] == 1  # a person of its own counts


def softplus(x):
    return np.log1p(np.exp(x))


def logits_of(margins):
    return np.stack([np.zeros(len(margins)), margins], axis=-1)[None].astype(np.float32)


def test_class_loss_counts_the_three_hardest_negatives_of_each_positive():
    margins = np.array([1.0, 2.0, -1.0, 0.5, -3.0, 4.0])
    target = np.array([1, 0, 0, 0, 0, 0], np.float32)[None, :, None]
    weights = np.array([1, 1, 1, 1, 1, 0], np.float32)[None, :, None]  # 4.0 is in a crowd
    loss = class_loss(logits_of(margins), target, weights)
    expected = softplus(-1.0) + softplus(2.0) + softplus(0.5) + softplus(-1.0)
    np.testing.assert_allclose(loss, [expected], rtol=1e-6)


def test_losses_are_means_over_matched_boxes_and_zero_without_people():
    target = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [0] * 8], np.float32)[..., None]
    outputs = {
        "class_logits": np.zeros((2, 8, 2), np.float32),
        "box_deltas": np.full((2, 8, 4), 0.5, np.float32),
    }
    targets = {"class": target, "box_deltas": np.zeros((2, 8, 4), np.float32)}
    weights = {"class": np.ones_like(target), "box_deltas": target}
    loss = ssd_loss(outputs, targets, weights)
    # Two people and six others, all unsure: 8 log 2 over 2 boxes; 4 numbers at distance 0.5.
    np.testing.assert_allclose(loss["class"], [4 * np.log(2), 0], rtol=1e-6)
    np.testing.assert_allclose(loss["box_deltas"], [4 * 0.5**3, 0], rtol=1e-6)


@pytest.mark.parametrize("margin", [-200.0, 200.0])
def test_a_network_that_is_sure_and_wrong_has_a_finite_loss(margin):
    target = np.array([1, 0], np.float32)[None, :, None]
    loss = class_loss(logits_of(np.full(2, margin)), target, np.ones_like(target))
    np.testing.assert_allclose(loss, [200], rtol=1e-5)
