import numpy as np
import pytest
from keras import ops

from topdown.default_boxes import (
    boxes_per_cell,
    decode_boxes,
    encode_boxes,
    make_default_boxes,
    map_sides,
)


@pytest.mark.parametrize(
    ("size", "sides", "counts", "total"),
    [
        (300, (38, 19, 10, 5, 3, 1), (4, 6, 6, 6, 4, 4), 8732),
        (512, (64, 32, 16, 8, 4, 2, 1), (4, 6, 6, 6, 6, 4, 4), 24564),
    ],
)
def test_maps_and_boxes_are_those_of_the_paper(size, sides, counts, total):
    assert (map_sides(size), boxes_per_cell(size)) == (sides, counts)
    boxes = make_default_boxes(size)
    assert boxes.shape == (total, 4) and boxes.dtype == np.float32


def test_boxes_of_ssd300_by_hand():
    boxes = make_default_boxes(300)
    middle = 300 * 0.5 / 38
    root = 30 * 2**0.5  # 30 pixels, 0.1 of the side; between 30 and 60; 2:1; 1:2
    shapes = np.array([[30, 30], [42.4264, 42.4264], [root, root / 2], [root / 2, root]])
    first = np.concatenate([middle - shapes / 2, middle + shapes / 2], axis=1)
    np.testing.assert_allclose(boxes[:4], first, rtol=1e-5)
    np.testing.assert_allclose(boxes[4:8], first + [300 / 38, 0, 300 / 38, 0], rtol=1e-4)
    np.testing.assert_allclose(boxes[4 * 38], first[0] + [0, 300 / 38] * 2, rtol=1e-4)
    # conv7: 0.2 of the side; the last two are 3:1 and 1:3.
    wide = boxes[4 * 38**2 + 4]
    np.testing.assert_allclose(wide[2:] - wide[:2], (60 * 3**0.5, 60 / 3**0.5), rtol=1e-5)
    # The last map: 0.9 of the side round the middle, then the root of 0.9 * 1.075.
    np.testing.assert_allclose(boxes[-4], (15, 15, 285, 285), atol=1e-4)
    side = 300 * (0.9 * 1.075) ** 0.5
    np.testing.assert_allclose(boxes[-3, 2:] - boxes[-3, :2], (side, side), rtol=1e-6)


def test_the_mirrored_input_has_the_mirrored_boxes():
    boxes = make_default_boxes(300)
    mirrored = boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (300, 0, 300, 0)
    order = [np.lexsort(np.round(each, 2).T) for each in (boxes, mirrored)]
    np.testing.assert_allclose(boxes[order[0]], mirrored[order[1]], atol=1e-3)


def test_scales_grow_evenly_from_the_second_on():
    boxes = make_default_boxes(512, (0.04, 0.1))
    ends = np.cumsum([c * s**2 for c, s in zip(boxes_per_cell(512), map_sides(512), strict=True)])
    firsts = boxes[[0, *ends[:-1]]]
    shares = (firsts[:, 2] - firsts[:, 0]) / 512
    np.testing.assert_allclose(shares, [0.04, 0.1, 0.26, 0.42, 0.58, 0.74, 0.9], rtol=1e-5)


def test_what_no_ssd_has_is_refused():
    with pytest.raises(ValueError, match=r"\[300, 512\] pixels, received 321"):
        make_default_boxes(321)
    with pytest.raises(ValueError, match="0 < a < b < 0.9"):
        make_default_boxes(300, (0.2, 0.1))


@pytest.mark.parametrize("xp", [np, ops])
def test_decoding_undoes_encoding(xp):
    rng = np.random.default_rng(0)
    defaults = make_default_boxes(300)[::150]
    corners = rng.uniform(0, 100, (len(defaults), 2))
    sides = rng.uniform(5, 60, (len(defaults), 2))
    boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
    decoded = decode_boxes(defaults, encode_boxes(defaults, boxes), xp)
    np.testing.assert_allclose(decoded, boxes, rtol=1e-4, atol=1e-3)


def test_deltas_by_hand():
    default, box = np.array([[0, 0, 10, 20]], np.float32), np.array([[2, 4, 12, 44]], np.float32)
    # Centre (5, 10) -> (7, 24): 0.2 widths, 0.7 heights; as wide, twice as high.
    np.testing.assert_allclose(encode_boxes(default, box), [[2, 7, 0, np.log(2) / 0.2]], rtol=1e-6)
