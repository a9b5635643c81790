import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit import affine, crops


def landing(point, transform):
    return affine.transform_points(np.float32(point), transform)


@pytest.mark.parametrize(
    "side, scale, edge",
    [
        ("longer", 0.375, (-0.5, 29.5)),  # 640 -> 240 wide: bands of 30 rows above and below
        ("shorter", 0.5, (-40.5, -0.5)),  # 480 -> 240 high: 40 columns are cut on each side
    ],
)
def test_whole_image_is_scaled_and_centred(side, scale, edge):
    transform = crops.fit_transform((480, 640), (240, 240), side)
    np.testing.assert_allclose(transform[:, :2], np.eye(2) * scale)
    np.testing.assert_allclose(landing((319.5, 239.5), transform), (119.5, 119.5))
    np.testing.assert_allclose(landing((-0.5, -0.5), transform), edge, atol=1e-4)


def test_patch_round_a_point():
    transform = crops.fit_transform((480, 640), (100, 200), "shorter", centre=(600, 20))
    np.testing.assert_allclose(landing((600, 20), transform), (99.5, 49.5), atol=1e-4)
    np.testing.assert_allclose(transform[0, 0], 200 / 640)
    identity = crops.fit_transform((48, 64), (48, 64))
    np.testing.assert_array_equal(identity, [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    "box, scale",
    [
        ((100, 100, 200, 300), 1.024),  # high: 200 * 3/4 * 1.25 = 187.5 px fill 192
        ((0, 0, 300, 100), 0.512),  # wide: 300 * 1.25 = 375 px fill 192
    ],
)
def test_person_box_fills_the_input(box, scale):
    transform = crops.person_crop_transform(box, (256, 192))
    np.testing.assert_allclose(transform[:, :2], np.eye(2) * scale, atol=1e-6)
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    np.testing.assert_allclose(landing(middle, transform), (96, 128), atol=1e-4)


def test_person_box_turned_and_scaled():
    box = (100, 100, 200, 300)
    turned = crops.person_crop_transform(box, (256, 192), rotation=90)
    np.testing.assert_allclose(landing((160, 200), turned), (96, 128 - 10.24), atol=1e-4)
    smaller = crops.person_crop_transform(box, (256, 192), scale=2.0)
    np.testing.assert_allclose(landing((160, 200), smaller), (96 + 5.12, 128), atol=1e-4)
    tight = crops.person_crop_transform(box, (256, 192), margin=1.0)
    np.testing.assert_allclose(landing((150, 300), tight), (96, 256), atol=1e-4)


def test_boxes_are_extended_before_they_take_the_shape_of_the_crop():
    box = np.array([100, 100, 200, 300], np.float32)  # 100 wide, 200 high; crops are 3 : 4
    size = (256, 192)
    wider = crops.person_crop_transform(box, size, margin=1, pixels=60)  # 220 x 320 -> 240 x 320
    np.testing.assert_allclose(landing((150 - 120, 200 - 160), wider), (0, 0), atol=1e-4)
    shares = crops.person_crop_transform(box, size, margin=1, extension=(0.1, 0.15))  # 120 x 260
    np.testing.assert_allclose(landing((150 - 97.5, 200 - 130), shares), (0, 0), atol=1e-4)


def test_a_stretched_box_fills_the_crop():
    transform = crops.person_crop_transform((10, 20, 110, 70), (256, 192), margin=1, stretch=True)
    np.testing.assert_allclose(landing((10, 20), transform), (0, 0), atol=1e-4)
    np.testing.assert_allclose(landing((110, 70), transform), (192, 256), atol=1e-4)


def test_many_boxes_equal_single_ones():
    boxes = np.array([[0, 0, 30, 90], [5, 5, 100, 20], [-7, 3, 8, 9]], np.float32)
    angles, scales = np.array([0, 30, -70]), np.array([1, 0.7, 1.3])
    together = crops.person_crop_transform(boxes, (128, 96), rotation=angles, scale=scales)
    single = [
        crops.person_crop_transform(b, (128, 96), rotation=a, scale=s)
        for b, a, s in zip(boxes, angles, scales, strict=True)
    ]
    np.testing.assert_allclose(together, single)
    assert crops.person_crop_transform(np.zeros((0, 4)), (128, 96)).shape == (0, 2, 3)


sizes = st.tuples(st.integers(8, 2000), st.integers(8, 2000))


@given(sizes, sizes, st.sampled_from(["longer", "shorter"]), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60)
def test_fit_round_trip(image_size, size, side, u, v):
    transform = crops.fit_transform(image_size, size, side)
    point = (u * (image_size[1] - 1), v * (image_size[0] - 1))
    there = landing(point, transform)
    np.testing.assert_allclose(landing(there, affine.invert(transform)), point, atol=0.05)
    if side == "longer":
        assert (there > -0.51).all() and (there < np.array(size[::-1]) - 0.49).all()


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 9, 9, 5), (0, 0, np.nan, 4)])
def test_empty_boxes_are_refused(box):
    with pytest.raises(ValueError, match="drop empty boxes"):
        crops.person_crop_transform(box, (256, 192))


def test_bad_sizes_and_sides_are_refused():
    with pytest.raises(ValueError, match="positive sizes"):
        crops.fit_transform((0, 640), (240, 240))
    with pytest.raises(ValueError, match="'both'"):
        crops.fit_transform((480, 640), (240, 240), "both")
