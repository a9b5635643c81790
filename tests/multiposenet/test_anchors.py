import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from multiposenet.anchors import (
    IGNORED,
    NEGATIVE,
    anchor_shapes,
    anchor_targets,
    decode_boxes,
    encode_boxes,
    make_anchors,
    match_anchors,
)

SIZE = (96, 160)
"""P3 to P7 have 12x20, 6x10, 3x5, 2x3 and 1x2 cells."""


def test_a_cell_has_nine_shapes_ratio_by_ratio():
    shapes = anchor_shapes(32)
    expected = [[45.2548, 22.6274], [57.0175, 28.5088], [71.8376, 35.9188], [32, 32]]
    np.testing.assert_allclose(shapes[:4], expected, rtol=1e-5)
    np.testing.assert_allclose(shapes[6:], shapes[:3, ::-1], rtol=1e-5)  # twice as high as wide
    np.testing.assert_allclose(
        shapes.prod(axis=1).reshape(3, 3)[0], 32**2 * 4 ** (np.arange(3) / 3)
    )


def test_anchors_by_hand():
    anchors = make_anchors(SIZE)
    assert anchors.shape == (9 * (240 + 60 + 15 + 6 + 2), 4) and anchors.dtype == np.float32
    square = anchors[3::9]  # one a cell: ratio 1, scale 1
    cases = {
        0: (-12, -12, 20, 20),  # P3, the first cell: 32 pixels round (4, 4)
        1: (-4, -12, 28, 20),  # its right neighbour
        20: (-12, -4, 20, 28),  # the cell below
        240: (-24, -24, 40, 40),  # P4: 64 pixels round (8, 8)
        240 + 60 + 15 + 6: (-192, -192, 320, 320),  # P7: 512 pixels round (64, 64)
    }
    for cell, expected in cases.items():
        np.testing.assert_allclose(square[cell], expected)


def test_the_mirrored_image_has_the_mirrored_anchors():
    anchors = make_anchors((128, 256))
    mirrored = anchors[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (256, 0, 256, 0)
    order = [np.lexsort(np.round(boxes, 2).T) for boxes in (anchors, mirrored)]
    np.testing.assert_allclose(anchors[order[0]], mirrored[order[1]], atol=1e-3)


def test_the_graph_makes_the_same_anchors_for_any_size():
    in_graph = tf.function(lambda height, width: make_anchors((height, width), ops))
    for size in (SIZE, (224, 64)):
        received = in_graph(*map(tf.constant, size))
        np.testing.assert_array_equal(received, make_anchors(size))


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [
        ((0, 0, 10, 10), 0),
        ((0, 0, 10, 5), 0),  # IoU 0.5
        ((0, 0, 10, 4.9), IGNORED),
        ((0, 0, 10, 4), IGNORED),  # IoU 0.4
        ((0, 0, 10, 3.9), NEGATIVE),
        ((50, 50, 60, 60), NEGATIVE),
        ((100, 6, 110, 16), 2),  # overlaps box 1 by 0.25 and box 2 by 0.67
    ],
)
def test_matching_by_hand(anchor, expected):
    boxes = np.array([[0, 0, 10, 10], [100, 0, 110, 10], [100, 8, 110, 18]], np.float32)
    assert match_anchors(np.array([anchor], np.float32), boxes).tolist() == [expected]


def test_a_person_that_no_anchor_reaches_trains_nothing():
    match = match_anchors(make_anchors(SIZE), np.array([[40, 40, 44, 50]], np.float32))
    assert set(match) == {NEGATIVE}


def test_without_people_every_anchor_is_background():
    nobody = np.zeros((0, 4), np.float32)
    targets, weights = anchor_targets(make_anchors(SIZE), nobody, nobody)
    assert not targets["class"].any() and not targets["box_deltas"].any()
    assert weights["class"].all() and not weights["box_deltas"].any()


def test_anchors_in_a_crowd_count_only_where_they_found_a_person():
    anchors = np.array(
        [[0, 0, 10, 10], [40, 0, 50, 10], [44, 0, 54, 10], [45, 0, 55, 10], [80, 0, 90, 10]],
        np.float32,
    )
    person = np.array([[0, 0, 10, 10]], np.float32)
    crowd = np.array([[0, 0, 50, 10]], np.float32)
    targets, weights = anchor_targets(anchors, person, crowd)
    assert targets["class"][:, 0].tolist() == [1, 0, 0, 0, 0]
    assert weights["class"][:, 0].tolist() == [1, 0, 0, 1, 1]  # 0.6 inside; 0.5 is not most
    assert weights["box_deltas"][:, 0].tolist() == [1, 0, 0, 0, 0]


def test_deltas_by_hand():
    anchor, box = np.array([[0, 0, 10, 20]], np.float32), np.array([[2, 4, 12, 44]], np.float32)
    deltas = encode_boxes(anchor, box)
    # Centre (5, 10) -> (7, 24): 0.2 widths, 0.7 heights; as wide, twice as high.
    np.testing.assert_allclose(deltas, [[2, 7, 0, np.log(2) / 0.2]], rtol=1e-6)
    assert deltas.dtype == np.float32


@pytest.mark.parametrize("xp", [np, ops])
def test_decoding_undoes_encoding(xp):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 300, (2, 50, 2))
    boxes = np.concatenate([corners[0], corners[0] + 5 + corners[1]], 1).astype(np.float32)
    anchors = make_anchors((64, 64))[:50]
    decoded = decode_boxes(anchors, encode_boxes(anchors, boxes), xp)
    np.testing.assert_allclose(decoded, boxes, rtol=1e-4, atol=1e-3)


def test_a_wild_delta_gives_a_finite_box():
    anchor = np.array([[0, 0, 10, 10]], np.float32)
    box = decode_boxes(anchor, np.array([[0, 0, 1e9, -1e9]], np.float32))
    np.testing.assert_allclose(box[0], [5 - 312.5, 5, 5 + 312.5, 5], rtol=1e-5)
