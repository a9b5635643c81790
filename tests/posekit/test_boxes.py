import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from posekit import affine
from posekit import boxes as bx

numbers = st.floats(-1000, 1000, width=32)
box_arrays = hnp.arrays(np.float64, st.tuples(st.integers(0, 5), st.just(4)), elements=numbers)


def test_conversions_by_hand():
    xyxy = np.array([[10, 20, 40, 80]])
    np.testing.assert_array_equal(bx.xyxy_to_xywh(xyxy), [[10, 20, 30, 60]])
    np.testing.assert_array_equal(bx.xyxy_to_cxcywh(xyxy), [[25, 50, 30, 60]])
    np.testing.assert_array_equal(bx.xywh_to_xyxy([10, 20, 30, 60]), [10, 20, 40, 80])
    np.testing.assert_array_equal(bx.cxcywh_to_xyxy([[25, 50, 30, 60]]), [[10, 20, 40, 80]])
    assert bx.xyxy_to_xywh(xyxy).dtype == np.float32  # integers become float32


@given(box_arrays)
def test_conversions_there_and_back(boxes):
    np.testing.assert_allclose(bx.xywh_to_xyxy(bx.xyxy_to_xywh(boxes)), boxes, atol=1e-9)
    np.testing.assert_allclose(bx.cxcywh_to_xyxy(bx.xyxy_to_cxcywh(boxes)), boxes, atol=1e-9)
    assert bx.xyxy_to_xywh(boxes).shape == boxes.shape


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1),
        ([0, 0, 10, 10], [5, 0, 15, 10], 50 / 150),
        ([0, 0, 10, 20], [0, 0, 20, 10], 100 / 300),  # width and height are not the same
        ([0, 0, 10, 10], [10, 0, 20, 10], 0),  # touching, no "+1"
        ([0, 0, 10, 10], [20, 20, 30, 30], 0),
        ([0, 0, 10, 10], [2, 2, 2, 8], 0),  # no area
        ([3, 3, 3, 3], [3, 3, 3, 3], 0),  # neither has one
        ([0, 0, 10, 10], [8, 8, 2, 2], 0),  # inside out
    ],
)
def test_iou_by_hand(a, b, expected):
    np.testing.assert_allclose(bx.iou_matrix([a], [b]), [[expected]])
    np.testing.assert_allclose(bx.iou_matrix([b], [a]), [[expected]])


def test_iou_pairs_rows_with_columns():
    a = np.array([[0, 0, 2, 2], [0, 0, 4, 4], [9, 9, 10, 10]], np.float32)
    b = np.array([[0, 0, 4, 4], [0, 0, 2, 2]], np.float32)
    np.testing.assert_allclose(bx.iou_matrix(a, b), [[0.25, 1], [1, 0.25], [0, 0]])
    assert bx.iou_matrix(np.zeros((0, 4)), b).shape == (0, 2)
    assert bx.iou_matrix(a, np.zeros((0, 4))).shape == (3, 0)


def test_clip_boxes_uses_width_for_x_and_height_for_y():
    clipped = bx.clip_boxes([[-5, -5, 500, 500], [700, 10, 800, 20]], size=(100, 200))
    np.testing.assert_array_equal(clipped, [[0, 0, 200, 100], [200, 10, 200, 20]])


def test_enlarge_keeps_the_centre():
    np.testing.assert_allclose(bx.enlarge([[10, 10, 30, 20]], 1.5), [[5, 7.5, 35, 22.5]])


def test_box_of_keypoints_by_hand():
    # x from 10 to 30, y from 20 to 60; the third keypoint is not labelled. 15 %: 1.5 and 3 a side;
    # edges count from the outer corner of the top-left pixel, so half a pixel more.
    person = [[10, 60, 2], [30, 20, 1], [999, 999, 0]]
    nobody = [[5, 5, 0]] * 3
    found = bx.box_of_keypoints(np.array([person, nobody], np.float32))
    np.testing.assert_allclose(found, [[9, 17.5, 32, 63.5], [0, 0, 0, 0]])
    tight = bx.box_of_keypoints(np.array([person]), margin=0, threshold=1)
    np.testing.assert_allclose(tight, [[10.5, 60.5, 10.5, 60.5]])
    assert bx.box_of_keypoints(np.zeros((0, 17, 3))).shape == (0, 4)


@pytest.mark.parametrize("transform", [affine.mirror(64), affine.rotation(90, (9, 5))])
def test_the_box_of_mirrored_keypoints_is_the_mirrored_box(transform):
    keypoints = np.random.default_rng(0).uniform(1, 60, (5, 17, 3)).astype(np.float32)
    boxes = bx.box_of_keypoints(keypoints)
    mirrored = bx.box_of_keypoints(affine.transform_points(keypoints, transform))
    np.testing.assert_allclose(affine.transform_boxes(boxes, transform), mirrored, atol=1e-4)


@pytest.mark.parametrize("boxes", [[1, 2, 3], [[1, 2, 3, 4, 5]], [], 3])
def test_wrong_shapes_are_refused(boxes):
    with pytest.raises(ValueError, match=r"expected boxes \(\.\.\., 4\), received"):
        bx.xyxy_to_xywh(boxes)
