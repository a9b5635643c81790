import numpy as np
import pytest
import tensorflow as tf

from multiposenet.canvas import (
    boxes_on_images,
    fit_to_canvas,
    keypoints_on_images,
    mask_on_images,
    people_on_images,
)


@pytest.mark.parametrize(
    ("size", "inner"),
    [((60, 80), (64, 85)), ((300, 150), (128, 64)), ((20, 400), (6, 128)), ((1, 1), (64, 64))],
)
def test_the_shorter_edge_is_scaled_and_the_canvas_bounds_it(size, inner):
    image = np.full((1, *size, 3), 200, np.uint8)
    canvases, factors = fit_to_canvas(image, 64, (128, 128))
    assert canvases.shape == (1, 128, 128, 3)
    np.testing.assert_allclose(factors, np.array(inner) / size, rtol=1e-6)
    inside = np.zeros((128, 128), bool)
    inside[: inner[0], : inner[1]] = True
    assert (canvases.numpy()[0][inside] == 200).all()
    assert (canvases.numpy()[0][~inside] == 0).all()


def test_a_point_comes_back_to_where_it_was_drawn():
    """A bright square of 8 pixels round (51.5, 27.5), halved: its middle and edges are exact."""
    image = np.zeros((1, 128, 160, 3), np.uint8)
    image[0, 24:32, 48:56] = 250
    canvases, factors = fit_to_canvas(image, 64, (96, 96))
    y, x = (np.average(np.indices((96, 96))[axis], weights=canvases[0, :, :, 0]) for axis in (0, 1))
    point = keypoints_on_images(np.array([[[[x, y, 1.0]]]], np.float32), factors)
    np.testing.assert_allclose(point[0, 0, 0], [51.5, 27.5, 1], atol=1e-4)
    box = boxes_on_images(np.array([[[24.0, 12, 28, 16]]], np.float32), factors, (128, 160))
    np.testing.assert_allclose(box[0, 0], [48, 24, 56, 32], atol=1e-4)


def test_boxes_are_cut_at_the_image_and_missing_keypoints_stay_zero():
    factors = tf.constant([0.5, 0.25])
    box = boxes_on_images(np.array([[[-3.0, 1, 40, 90]]], np.float32), factors, (100, 150))
    np.testing.assert_allclose(box[0, 0], [0, 2, 150, 100])
    nothing = np.zeros((1, 1, 1, 3), np.float32)
    np.testing.assert_array_equal(keypoints_on_images(nothing, factors), nothing)


def test_a_mask_cell_lies_at_four_times_its_index():
    """Image of 40 x 80 at half size: cell (3, 5) is canvas pixel (12, 20), image pixel 24.5, 40.5.

    In between it falls off to nothing at the next cell, 8 image pixels further.
    """
    mask = np.zeros((1, 8, 12, 1), np.float32)
    mask[0, 3, 5] = 1
    large = mask_on_images(mask, np.float32([0.5, 0.5]), np.int32([40, 80]))[0].numpy()
    assert large.shape == (40, 80)
    y, x = (np.average(np.indices((40, 80))[axis], weights=large) for axis in (0, 1))
    np.testing.assert_allclose((y, x), (24.5, 40.5), atol=1e-3)
    assert large[24, 40] > 0.85 and large[24, 49] == 0 and large[24, 32] == 0


def test_people_in_the_black_round_an_image_are_left_out():
    """The middle one of three lies below the image, which ends at canvas row 50."""
    found = {
        "boxes": np.float32([[[0, 0, 10, 20], [0, 52, 10, 60], [4, 40, 10, 60], [0, 0, 0, 0]]]),
        "keypoints": np.full((1, 4, 2, 3), 0.5, np.float32),
        "scores": np.float32([[0.5, 0.25, 0.125, 0]]),
        "box_scores": np.float32([[0.75, 0.5, 0.25, 0]]),
        "num_poses": np.int32([3]),
        "mask": np.zeros(3),
    }
    back = people_on_images(found, np.float32([0.5, 0.5]), np.int32([100, 200]))
    assert back["num_poses"].numpy().tolist() == [2] and back["mask"] is found["mask"]
    assert back["scores"].numpy().tolist() == [[0.5, 0.125]]
    assert back["box_scores"].numpy().tolist() == [[0.75, 0.25]]
    assert back["boxes"][0, 1].numpy().tolist() == [8, 80, 20, 100]
    assert back["keypoints"].shape == (1, 2, 2, 3) and back["keypoints"][0, 1].numpy().all()
