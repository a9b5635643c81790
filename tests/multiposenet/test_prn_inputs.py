import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from multiposenet.prn_inputs import (
    check_people,
    crop_heatmaps,
    draw_heatmaps,
    draw_inputs,
    draw_labels,
    locate,
    own_cells,
)
from posekit.heatmaps import encode_heatmaps

BOX = np.array([[100.0, 50.0, 136.0, 106.0]], np.float32)  # one pixel per cell


def candidate(x, y, score=1.0):
    return np.array([x, y, score], np.float32).reshape(1, 1, 1, 3)


@pytest.mark.parametrize(
    ("x", "y", "cell", "member"),
    [
        (100, 50, (0, 0), True),
        (110.9, 70, (20, 10), True),  # row from y, column from x
        (93, 50, (0, 0), True),  # 7 left of the box, 0.21 * 36 = 7.56 are allowed
        (92, 50, (0, 0), False),
        (143, 70, (20, 35), True),
        (110, 117, (55, 10), True),  # 11 below, 0.21 * 56 = 11.76 are allowed
        (110, 118, (55, 10), False),
        (93, 117, (55, 0), True),  # a corner: no negative index that wraps
        (143, 39, (0, 35), True),
    ],
)
def test_cells_and_membership(x, y, cell, member):
    cells, inside = locate(candidate(x, y), BOX)
    assert tuple(cells.numpy()[0, 0, 0]) == cell
    assert inside[0, 0, 0] == member


def test_a_candidate_of_score_0_belongs_to_nobody():
    assert not locate(candidate(110, 70, 0), BOX)[1].numpy().any()


def test_a_box_without_area_is_named():
    with pytest.raises(ValueError, match="row 1"):
        check_people(np.zeros((1, 2, 3, 3)), np.array([[0, 0, 5, 5], [3, 0, 3, 9]]))
    with pytest.raises(ValueError, match="belong|shape|received"):
        check_people(np.zeros((2, 3, 3)), BOX)


def test_a_point_just_before_a_cell_is_not_rounded_into_it():
    x = np.float32(5 / 12)  # a little below; times 36 it is 15 in float32, else 14.9999992
    cells, _ = locate(candidate(x, 0.5), np.array([[0, 0, 1, 1]]))
    assert cells.numpy()[0, 0, 0].tolist() == [28, 14]


def test_nobody_and_no_candidates_are_fine():
    for people, candidates in ((0, 2), (2, 0)):
        boxes = np.tile([[0.0, 0, 9, 9]], (people, 1))
        points = np.zeros((people, candidates, 3, 3))
        check_people(points, boxes)
        for maps in (draw_inputs(*locate(points, boxes)), draw_heatmaps(points, boxes)):
            assert maps.shape == (people, 56, 36, 3) and not maps.numpy().any()


def blurred(places, shape=(56, 36)):
    impulses = np.zeros(shape)
    for place in places:
        impulses[place] = 1
    return ndimage.gaussian_filter(impulses, 1, mode="nearest")


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 55), st.integers(0, 35)), min_size=1, max_size=6))
def test_inputs_are_the_blurred_impulses(places):
    cells = np.zeros((2, len(places), 2, 2), np.int64)
    cells[1, :, 1] = places
    member = np.zeros(cells.shape[:3], bool)
    member[1, :, 1] = True
    maps = draw_inputs(cells, member).numpy()
    np.testing.assert_allclose(maps[1, :, :, 1], blurred(places), atol=1e-6)
    assert not maps[0].any() and not maps[1, :, :, 0].any()
    first = draw_inputs(cells, member, axis=1)
    np.testing.assert_array_equal(first, maps.transpose(0, 3, 1, 2))


def test_who_is_no_member_hides_nobody():
    cells, member = np.full((1, 3, 1, 2), 9), np.array([[[False], [True], [True]]])
    maps = draw_inputs(cells, member).numpy()
    np.testing.assert_allclose(maps[0, :, :, 0], blurred([(9, 9)]), atol=1e-6)


def test_a_lone_impulse_peaks_where_it_was_put():
    maps = draw_inputs(np.array([[[[20, 10]]]]), np.ones((1, 1, 1), bool)).numpy()
    assert np.unravel_index(maps[0, :, :, 0].argmax(), (56, 36)) == (20, 10)
    assert maps.max() == pytest.approx(0.1592, abs=1e-4)  # 1 / (2 pi)


@pytest.mark.parametrize("cell", [(0, 0), (55, 35), (28, 3), (30, 18)])
def test_labels_sum_to_one_also_at_the_border(cell):
    maps = draw_labels(np.array([[cell, (5, 5)]]), np.array([[True, False]])).numpy()
    assert maps[0, :, :, 0].sum() == pytest.approx(1, abs=1e-5)
    assert np.unravel_index(maps[0, :, :, 0].argmax(), (56, 36)) == cell
    assert not maps[0, :, :, 1].any()


def test_labels_have_twice_the_radius_of_inputs():
    label = draw_labels(np.array([[[28, 18]]]), np.ones((1, 1), bool)).numpy()[0, :, :, 0]
    # exp(-d² / (2 sigma²)) at d = 2: exp(-1/2)
    assert label[30, 18] / label[28, 18] == pytest.approx(np.exp(-0.5), abs=1e-3)
    assert label[28, 20] == pytest.approx(label[30, 18])


def test_the_same_inside_a_graph():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.random((4, 5, 3, 2)) * 60, rng.random((4, 5, 3, 1)) > 0.3], -1)
    points, boxes = points.astype(np.float32), np.tile(np.float32([[9, 3, 40, 60]]), (4, 1))
    spec = [tf.TensorSpec((None, None, 3, 3)), tf.TensorSpec((None, 4))]

    def drawn(points, boxes):
        labels = draw_labels(*own_cells(points[:, 0], boxes))
        return draw_inputs(*locate(points, boxes)), labels, draw_heatmaps(points, boxes)

    for eager, graph in zip(
        drawn(points, boxes), tf.function(drawn, input_signature=spec)(points, boxes), strict=True
    ):
        np.testing.assert_allclose(eager, graph, atol=1e-6)
        assert graph.numpy().max() > 0.01


def test_a_crop_has_its_peak_where_the_peak_is_located():
    ys, xs = np.mgrid[:40, :60]
    # Heatmap cell (x 20, y 10), so network pixel (80, 40), with a stride of 4; the second image.
    heatmaps = np.exp(-((xs - 20) ** 2 + (ys - 10) ** 2) / 8)[..., None].astype(np.float32)
    heatmaps = np.stack([0 * heatmaps, heatmaps])
    boxes = np.array([[50.0, 20, 122, 132], [8, 4, 200, 150], [50, 20, 122, 132]], np.float32)
    maps = np.concatenate([heatmaps, 0 * heatmaps], -1)
    crops = crop_heatmaps(maps, [1, 1, 0], boxes, stride=4).numpy()
    cells, _ = own_cells(np.tile(np.float32([80, 40, 1]), (3, 1, 1)), boxes)
    for crop, cell in zip(crops[:2, ..., 0], cells.numpy()[:2, 0], strict=True):
        place = np.unravel_index(crop.argmax(), crop.shape)
        assert np.abs(np.array(place) - cell).max() <= 1
    assert crops.shape == (3, 56, 36, 2) and not crops[..., 1].any() and not crops[2].any()
    assert crops.max() == pytest.approx(1, abs=0.05)


def test_a_crop_is_linear_in_between():
    ramp = np.add.outer(10.0 * np.arange(8), np.arange(9)).astype(np.float32)[None, ..., None]
    crop = crop_heatmaps(ramp, [0], np.array([[1.0, 2, 5, 6]]), size=(4, 8)).numpy()
    np.testing.assert_allclose(
        crop[0, :, :, 0], np.add.outer(25 + 10.0 * np.arange(4), 1.25 + 0.5 * np.arange(8))
    )


def test_drawn_heatmaps_are_crops_of_perfect_heatmaps():
    people = np.array([[[60, 52, 2], [70, 100, 2]], [[150, 90, 2], [0, 0, 0]]], np.float32)
    heatmaps = encode_heatmaps(people, (160, 240), stride=4, sigma=2)
    boxes = np.array([[30.0, 20, 110, 150], [100, 40, 220, 150]], np.float32)
    crops = crop_heatmaps(heatmaps[None], [0, 0], boxes, stride=4)
    # A Gaussian of sigma 2 cells between two samples: 1 / 8 * (1 / 2)^2 lower, twice.
    np.testing.assert_allclose(draw_heatmaps(people[None], boxes), crops, atol=0.07)
    close = np.repeat(people[:1], 2, axis=0)
    assert draw_heatmaps(close[None], boxes).numpy().max() == 1
