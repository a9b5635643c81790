import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit import affine

numbers = st.floats(-500, 500, width=32)
points = st.tuples(numbers, numbers)
transforms = st.builds(
    lambda angle, factor, dx, dy, mirrored: affine.compose(
        affine.rotation(angle, (31, 17)),
        affine.scaling(factor),
        affine.translation(dx, dy),
        *([affine.mirror(64)] if mirrored else []),
    ),
    st.floats(-180, 180),
    st.floats(0.2, 5),
    numbers,
    numbers,
    st.booleans(),
)


@pytest.mark.parametrize(
    "transform, point, expected",
    [
        (affine.scaling(2), (3, 4), (6, 8)),
        (affine.scaling((2, 10)), (3, 4), (6, 40)),  # x factor first
        (affine.translation(5, -1), (3, 4), (8, 3)),
        (affine.mirror(64), (0, 4), (63, 4)),  # x -> w - 1 - x
        (affine.mirror(64), (63, 4), (0, 4)),
        (affine.rotation(90), (1, 0), (0, -1)),  # right goes up: counter-clockwise as seen
        (affine.rotation(90, (10, 10)), (12, 10), (10, 8)),
        (affine.rotation(-30), (2, 0), (3**0.5, 1)),
        (affine.compose(affine.translation(1, 0), affine.scaling(2)), (0, 0), (2, 0)),
        (affine.compose(affine.scaling(2), affine.translation(1, 0)), (0, 0), (1, 0)),
        (affine.compose(), (3, 4), (3, 4)),
    ],
)
def test_points_by_hand(transform, point, expected):
    assert transform.dtype == np.float32 and transform.shape == (2, 3)
    np.testing.assert_allclose(affine.transform_points(point, transform), expected, atol=1e-5)


def test_third_column_is_kept():
    keypoints = np.array([[[1, 2, 0.5], [3, 4, 2]]], np.float32)
    moved = affine.transform_points(keypoints, affine.translation(10, 20))
    np.testing.assert_array_equal(moved, [[[11, 22, 0.5], [13, 24, 2]]])
    assert affine.transform_points(np.zeros((0, 17, 3)), affine.scaling(2)).shape == (0, 17, 3)
    with pytest.raises(ValueError, match="received \\(5, 4\\)"):
        affine.transform_points(np.zeros((5, 4)), affine.scaling(2))


def test_boxes_become_the_hull():
    # (x, y) -> (y, -x): the pixels x 0..3, y 0..1 go to x 0..1, y -3..0; edges are one further.
    moved = affine.transform_boxes([[0, 0, 4, 2]], affine.rotation(90))
    np.testing.assert_allclose(moved, [[0, -3, 2, 1]], atol=1e-5)
    # The pixel (0, 0) turns on the spot; its corners reach half a diagonal from its centre.
    moved = affine.transform_boxes([[0, 0, 1, 1]], affine.rotation(45))
    half = 0.5**0.5
    np.testing.assert_allclose(moved, [[0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half]], atol=1e-5)
    # The pixels x 10..19 go to 63 - 19 .. 63 - 10 = 44..53.
    moved = affine.transform_boxes([[10, 5, 20, 6]], affine.mirror(64))
    np.testing.assert_array_equal(moved, [[44, 5, 54, 6]])
    assert affine.transform_boxes(np.zeros((0, 4)), affine.scaling(2)).shape == (0, 4)


@given(transforms, points)
@settings(max_examples=60)
def test_inverse_leads_back(transform, point):
    there = affine.transform_points(point, transform)
    back = affine.transform_points(there, affine.invert(transform))
    np.testing.assert_allclose(back, point, atol=2e-2)


@given(st.floats(-180, 180), points, points, points)
@settings(max_examples=60)
def test_rotation_keeps_distances(angle, centre, a, b):
    moved = affine.transform_points([a, b], affine.rotation(angle, centre))
    before, after = (np.linalg.norm(np.subtract(*pair)) for pair in ((a, b), moved))
    np.testing.assert_allclose(after, before, atol=2e-2)


def test_mirror_and_determinant():
    assert affine.is_mirrored(affine.mirror(10))
    assert not affine.is_mirrored(affine.rotation(170))
    assert not affine.is_mirrored(affine.compose(affine.mirror(10), affine.mirror(30)))
    assert affine.area_factor(affine.scaling((2, 3))) == 6


@pytest.mark.parametrize("factor", [0, np.nan, (1, 0)])
def test_singular_transform_is_refused(factor):
    with pytest.raises(ValueError, match="invertible"):
        affine.invert(affine.scaling(factor))


@pytest.mark.parametrize(
    "transform, landing",
    [
        (affine.translation(3, 5), (15, 15)),
        (affine.mirror(40), (27, 10)),
        (affine.rotation(90, (10, 10)), (10, 8)),
        (affine.scaling(2), (24, 20)),
    ],
)
@pytest.mark.parametrize("linear", [True, False])
def test_bright_pixel_lands_where_its_point_lands(transform, landing, linear):
    image = np.zeros((30, 40, 3), np.uint8)
    image[10, 12] = 255
    warped = affine.warp(image, transform, (32, 48), linear)
    assert warped.shape == (32, 48, 3)  # height first
    x, y = landing
    np.testing.assert_array_equal(affine.transform_points((12, 10), transform).round(4), landing)
    assert warped[y, x].tolist() == [255] * 3


def test_warp_of_masks_borders_and_channels():
    mask = np.zeros((6, 8), bool)
    mask[2, 3] = True
    moved = affine.warp(mask, affine.translation(1, 0), (6, 8))
    assert moved.dtype == bool and np.argwhere(moved).tolist() == [[2, 4]]
    image = np.full((4, 4, 3), 7, np.uint8)
    bordered = affine.warp(image, affine.translation(2, 0), (4, 4), border=(1, 2, 3))
    assert bordered[0, 0].tolist() == [1, 2, 3] and bordered[0, 3].tolist() == [7] * 3
    grey = affine.warp(image, affine.translation(2, 0), (4, 4), border=9)
    assert grey[0, 0].tolist() == [9] * 3
    assert affine.warp(image[..., :1], affine.scaling(1), (5, 3)).shape == (5, 3, 1)


def test_warp_equals_opencv_and_the_graph():
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 48, 64, 3), dtype=np.uint8)
    transforms = np.stack(
        [
            affine.compose(
                affine.rotation(a, (32, 24)), affine.scaling(s), affine.translation(d, -d)
            )
            for a, s, d in ((0, 1, 0), (33, 1.3, 4.3), (-120, 0.5, 9.7), (5, 2.1, -11.5))
        ]
    )
    transforms[3] = affine.compose(transforms[3], affine.mirror(56))
    size = (40, 56)
    numpy_side = np.stack(
        [affine.warp(i, t, size) for i, t in zip(images, transforms, strict=True)]
    ).astype(np.float32)
    direct = np.stack(
        [cv2.warpAffine(i, t, size[::-1]) for i, t in zip(images, transforms, strict=True)]
    )
    dataset = tf.data.Dataset.from_tensors((images, transforms))
    in_graph = next(iter(dataset.map(lambda i, t: affine.warp_in_graph(i, t, size)))).numpy()
    eager = affine.warp_in_graph(images, transforms, size).numpy()
    assert in_graph.shape == (4, 40, 56, 3) and in_graph.dtype == np.float32
    np.testing.assert_array_equal(in_graph, eager)
    assert np.abs(in_graph - numpy_side).max() <= 0.51
    assert np.abs(direct - numpy_side).max() == 0
