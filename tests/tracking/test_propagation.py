import dataclasses

import numpy as np
import pytest

from tracking.flow_field import Flow
from tracking.propagation import is_new_shot, move_keypoints, propagated_boxes
from tracking.settings import TrackerSettings

SETTINGS = TrackerSettings()


def shift(dx, dy, size=(100, 200)):
    return Flow(np.tile(np.float32([dx, dy]), (*size, 1)))


def test_keypoints_move_with_the_flow_between_the_pixels():
    vectors = np.zeros((4, 5, 2), np.float32)
    vectors[..., 0] = np.arange(5)  # at x the flow is (x, 2 y), everywhere between pixels too
    vectors[..., 1] = 2 * np.arange(4)[:, None]
    people = np.array([[[1.25, 0.5, 0.7], [1.5, 1.0, 0.9]]])
    moved = move_keypoints(people, Flow(vectors))
    np.testing.assert_allclose(moved, [[[2.5, 1.5, 0.7], [3.0, 3.0, 0.9]]], rtol=1e-6)
    assert moved.dtype == np.float32 and people[0, 0, 0] == 1.25


def test_who_leaves_the_frame_has_score_0():
    # The frame is 200 x 100 pixels: their centres lie from 0 to 199 and from 0 to 99.
    people = np.array([[[189.4, 50, 0.9], [189.6, 50, 0.9], [50, 99.4, 0.9], [-5, 50, 0.9]]])
    moved = move_keypoints(people, shift(10, 0))
    np.testing.assert_allclose(moved[0, :, 0], [199.4, 199.6, 60, 5], rtol=1e-6)
    np.testing.assert_allclose(moved[0, :, 2], [0.9, 0, 0.9, 0.9])  # the last one came in


def doubtful_at_the_left():
    """Flow (50, 50) that nothing confirms at x < 10; from there on (x / 10, 1)."""
    vectors = np.full((20, 100, 2), 50, np.float32)
    vectors[:, 10:] = np.stack([np.arange(10, 100) / 10, np.ones(90)], axis=-1)
    return Flow(vectors, np.tile(np.arange(100) >= 10, (20, 1)))


def test_where_the_flow_is_not_reliable_a_keypoint_follows_the_rest_of_its_person():
    x = np.array([[5, 20, 40, 90], [5, 20, 40, 6], [5, 6, 7, 8]], np.float32)
    people = np.stack([x, np.full_like(x, 3), np.full_like(x, 0.9)], axis=-1)
    moved = move_keypoints(people, doubtful_at_the_left())
    # Medians of (2, 4, 9) and of (2, 4); the third person has nothing but the flow as it is.
    np.testing.assert_allclose(moved[0, :, 0], [9, 22, 44, 99], rtol=1e-6)
    np.testing.assert_allclose(moved[1, :, 0], [8, 22, 44, 9], rtol=1e-6)
    np.testing.assert_allclose(moved[2, :, 0], [55, 56, 57, 58], rtol=1e-6)
    assert (moved[:2, :, 1] == 4).all()


def test_keypoints_below_the_threshold_move_but_have_no_say():
    people = np.array([[[5, 3, 0.9], [20, 3, 0.9], [90, 3, 0.3], [70, 3, 0.0]]])
    flow = doubtful_at_the_left()
    assert move_keypoints(people, flow, threshold=0.4)[0, 0, 0] == 7  # 2, of the second alone
    assert move_keypoints(people, flow)[0, 0, 0] == 5 + (2 + 9) / 2  # score 0 never has a say
    assert move_keypoints(people, flow, threshold=0.4)[0, 2, 0] == 99


def test_boxes_do_not_listen_to_weak_keypoints():
    people = np.array([[[5, 3, 0.9], [20, 9, 0.9], [30, 12, 0.9], [90, 3, 0.3], [80, 3, 0.3]]])
    settings = dataclasses.replace(SETTINGS, margin=0.0)
    boxes, _ = propagated_boxes(people, np.array([0.9]), doubtful_at_the_left(), settings)
    # The first keypoint moves by 2.5, the median of 2 and 3: its edge is 5 + 2.5 + 0.5.
    np.testing.assert_allclose(boxes, [[8, 4.5, 33.5, 13.5]], rtol=1e-6)


def test_boxes_of_moved_keypoints_by_hand():
    people = np.array([[[20, 30, 0.9], [60, 50, 0.4], [40, 40, 0.5], [90, 90, 0.39]]])
    boxes, scores = propagated_boxes(people, np.array([0.8]), shift(5, 2), SETTINGS)
    # Extent 25..65 x 32..52 as points, so 25.5..65.5 x 32.5..52.5 as edges; 7.5 % of 40 and 20.
    np.testing.assert_allclose(boxes, [[22.5, 31.0, 68.5, 54.0]], rtol=1e-6)
    np.testing.assert_allclose(scores, [0.72], rtol=1e-6)
    assert boxes.dtype == scores.dtype == np.float32


def test_boxes_are_cut_at_the_border_and_leave_out_keypoints_that_left():
    people = np.array([[[150, 2, 1.0], [170, 20, 1.0], [180, 10, 1.0], [195, 60, 1.0]]])
    boxes, _ = propagated_boxes(people, np.array([1.0]), shift(10, -2), SETTINGS)
    # 160..190 x 0..18 remain: edges 160.5..190.5 x 0.5..18.5, grown by 2.25 and 1.35.
    np.testing.assert_allclose(boxes, [[158.25, 0, 192.75, 19.85]], rtol=1e-5)


def test_who_has_no_box():
    people = np.tile(np.array([[20, 30, 0.9], [60, 50, 0.9], [40, 80, 0.9]]), (4, 1, 1))
    people[1, 0, 2] = 0.3  # two keypoints are left
    people[2, :, 0] = 20  # a line
    scores = np.array([0.3, 0.9, 0.9, 0.2])  # 0.2 * 0.9 is below the threshold of 0.2
    people[2, :, 0] = 20
    settings = dataclasses.replace(SETTINGS, margin=0.0)
    boxes, beliefs = propagated_boxes(people, scores, shift(1, 1), settings)
    np.testing.assert_allclose(boxes, [[21.5, 31.5, 61.5, 81.5]])
    np.testing.assert_allclose(beliefs, [0.27], rtol=1e-6)
    nobody = propagated_boxes(np.zeros((0, 3, 3)), np.zeros(0), shift(1, 1), SETTINGS)
    assert [part.shape for part in nobody] == [(0, 4), (0,)]


def test_a_new_shot_by_the_mean_length():
    vectors = np.zeros((2, 2, 2), np.float32)
    vectors[0] = [-6, 8]  # two of length 10, two of length 0
    assert is_new_shot(Flow(vectors), 4.99) and not is_new_shot(Flow(vectors), 5)


@pytest.mark.parametrize("far", [1e30, -1e30])
def test_huge_coordinates_stay_finite(far):
    people = np.array([[[far, 5, 0.9], [5, far, 0.9], [5, 5, 0.9]]])
    moved = move_keypoints(people, shift(1, 1))
    assert np.isfinite(moved).all() and moved[0, :, 2].tolist()[:2] == [0, 0]
