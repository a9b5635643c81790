"""Properties of what lies between images and networks, and of who is linked with whom."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from multiposenet.canvas import boxes_on_images, fit_to_canvas, keypoints_on_images
from multiposenet.prn_inputs import draw_inputs
from posekit.affine import invert, transform_boxes, transform_points
from posekit.skeletons import COCO, skeleton_from_category
from topdown.crops import crop_transforms
from topdown.half_body import is_lower, random_half_body
from topdown.settings import Settings
from topdown.ssd_augment import SsdAugmentation, random_window, window_transform
from tracking.matching import greedy, hungarian

FEW = settings(max_examples=25)
SIZES = st.tuples(st.integers(1, 90), st.integers(1, 90))
SEEDS = st.integers(0, 2**32)


def some_boxes(seed, count, size):
    """(N, 4) float32 xyxy inside of an image."""
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(0, 1, (count, 2, 2)), axis=1) * [size[1], size[0]]
    return (corners.reshape(-1, 4) + [0, 0, 1, 1]).astype(np.float32)


@FEW
@given(SEEDS, SIZES, st.booleans())
def test_a_window_is_stretched_edges_upon_edges(seed, size, mirrored):
    rng, boxes = np.random.default_rng(seed), some_boxes(seed, 3, size)
    window = random_window(rng, size, boxes, SsdAugmentation())
    assert np.isfinite(window).all() and (window[2:] > window[:2]).all()
    transform = window_transform(window, 300, mirrored)
    found = transform_boxes(window[None].astype(np.float32), transform)
    np.testing.assert_allclose(found, [[0, 0, 300, 300]], atol=0.5)
    again = random_window(np.random.default_rng(seed), size, boxes, SsdAugmentation())
    np.testing.assert_array_equal(window, again)


@FEW
@given(SIZES, SEEDS)
def test_what_is_found_on_the_canvas_comes_back_to_its_place(size, seed):
    images = tf.zeros((1, *size, 3), tf.uint8)
    canvases, factors = fit_to_canvas(images, 64, (96, 96))
    assert canvases.shape == (1, 96, 96, 3) and (np.asarray(factors) > 0).all()
    boxes = np.minimum(some_boxes(seed, 4, size), [size[1], size[0]] * 2)[None]
    there = (boxes * np.tile(np.asarray(factors)[::-1], 2)).astype(np.float32)
    back = boxes_on_images(tf.constant(there), factors, tf.constant(size))
    np.testing.assert_allclose(back, boxes, rtol=1e-4, atol=1e-3)
    points = np.concatenate([boxes[:, None, :, :2] - 0.5, np.ones((1, 1, 4, 1))], axis=-1)
    moved = points.astype(np.float32)
    moved[..., :2] = (moved[..., :2] + 0.5) * np.asarray(factors)[::-1] - 0.5
    np.testing.assert_allclose(
        keypoints_on_images(tf.constant(moved), factors), points, rtol=1e-4, atol=1e-3
    )


@FEW
@given(SEEDS, SIZES, st.floats(1, 3))
def test_a_persons_crop_holds_the_box_and_leads_back(seed, size, margin):
    boxes = some_boxes(seed, 5, size)
    crop = dataclasses.replace(Settings({"coco": COCO}, (64, 48)).crop, margin=margin)
    transforms = crop_transforms(boxes, Settings({"coco": COCO}, (64, 48), crop=crop))
    corners = boxes.reshape(-1, 2, 2)  # whose middle in points is that of the crop
    for box, transform in zip(corners, transforms, strict=True):
        inside = transform_points(box, transform)
        assert (inside > -0.6).all() and (inside < np.array([48, 64]) + 0.1).all()
        np.testing.assert_allclose(transform_points(inside, invert(transform)), box, atol=0.05)


@FEW
@given(SEEDS, st.integers(0, 6), st.floats(0, 1))
def test_half_a_body_has_a_box_with_an_area(seed, count, probability):
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(-5, 60, (count, 17, 3)) * [1, 1, 0]
    keypoints[..., 2] = rng.integers(0, 3, (count, 17))
    boxes, lower = some_boxes(seed, count, (60, 60)), np.tile(is_lower(COCO), (count, 1))
    found = random_half_body(rng.random((count, 2)), boxes, keypoints, lower, probability)
    assert found.shape == (count, 4) and (found[:, 2:] > found[:, :2]).all()


SIMILARITIES = arrays(
    np.float32,
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
    elements=st.one_of(st.just(-np.inf), st.floats(0, 1, width=32)),
)


@FEW
@given(SIMILARITIES, st.floats(0, 1))
def test_nobody_is_linked_twice_nor_below_the_gate(similarity, gate):
    for link in (greedy, hungarian):
        rows, columns = link(similarity, gate)
        assert len(set(rows.tolist())) == len(rows) and len(set(columns.tolist())) == len(columns)
        assert (similarity[rows, columns] >= gate).all()
    best = np.where(similarity >= gate, similarity, 0)
    sums = [best[link(similarity, gate)].sum() for link in (greedy, hungarian)]
    assert sums[1] >= sums[0] - 1e-4


@FEW
@given(SEEDS, st.integers(1, 5), st.integers(1, 20))
def test_impulses_in_one_cell_are_one(seed, count, candidates):
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, [7, 5], (count, candidates, 3, 2)).astype(np.int32)
    member = rng.random((count, candidates, 3)) < 0.7
    drawn = np.asarray(draw_inputs(cells, member, (7, 5)))
    occupied = np.zeros((count, 7, 5, 3), bool)
    n, m, k = np.nonzero(member)
    occupied[n, cells[n, m, k, 0], cells[n, m, k, 1], k] = True
    alone = np.eye(35, dtype=np.float32).reshape(35, 7, 5)
    places = np.argwhere(alone)[:, 1:].astype(np.int32)
    each = np.asarray(draw_inputs(places[:, None, None], np.ones((35, 1, 1), bool), (7, 5)))
    summed = np.einsum("nyxk,yxhw->nhwk", occupied, each[..., 0].reshape(7, 5, 7, 5))
    np.testing.assert_allclose(drawn, summed, atol=1e-5)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@FEW
@given(VALUES, VALUES, VALUES)
def test_a_category_of_anything_is_a_skeleton_or_refused(name, keypoints, limbs):
    try:
        found = skeleton_from_category({"name": name, "keypoints": keypoints, "skeleton": limbs})
    except ValueError as error:
        assert "expected" in str(error)
        return
    assert found.num_keypoints == len(keypoints) and len(found.flip) == len(keypoints)


def test_impulses_of_many_people_take_little_memory():
    cells = np.zeros((4, 1200, 17, 2), np.int32)
    drawn = draw_inputs(cells, np.ones((4, 1200, 17), bool))
    assert np.asarray(drawn).max() == pytest.approx(np.asarray(drawn)[0, 0, 0, 0])
