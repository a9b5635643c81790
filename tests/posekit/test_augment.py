import numpy as np
import pytest

from posekit import affine
from posekit.augment import random_colour, random_transform, transform_example
from posekit.skeletons import COCO

NOSE, LEFT_EYE, RIGHT_EYE = (COCO.names.index(n) for n in ("nose", "left_eye", "right_eye"))
MASKS = ("person_mask", "ignore_mask", "unknown_mask")


def make_example(height=48, width=64):
    """Two people; a white spot on the first one's left eye, its mask over columns 8 to 31."""
    keypoints = np.zeros((2, 17, 3), np.float32)
    keypoints[0, LEFT_EYE] = (20, 10, 2)
    keypoints[0, NOSE] = (30, 40, 1)
    image = np.zeros((height, width, 3), np.uint8)
    image[9:12, 19:22] = 255
    masks = {name: np.zeros((height, width), bool) for name in MASKS}
    masks["person_mask"][:, 8:32] = True
    masks["ignore_mask"][30:40, 40:60] = True
    return {
        "image": image,
        "image_id": np.int64(7),
        "keypoints": keypoints,
        "boxes": np.array([[8, 0, 32, 48], [40, 30, 60, 40]], np.float32),
        "areas": np.array([100, 50], np.float32),
        "is_crowd": np.array([False, True]),
        **masks,
    }


def test_identity_changes_nothing():
    example = make_example()
    result = transform_example(example, affine.scaling(1), (48, 64), COCO)
    assert result.keys() == example.keys()
    for name, value in example.items():
        np.testing.assert_array_equal(result[name], value, err_msg=name)
        assert result[name].dtype == value.dtype, name


def test_move_by_hand():
    # 40 to the left: the first person leaves, the second stays whole.
    result = transform_example(make_example(), affine.translation(-40, 0), (40, 50), COCO, 9)
    assert result["image"].shape == (40, 50, 3) and result["image"][0, 49].tolist() == [9] * 3
    assert result["boxes"].tolist() == [[0, 30, 20, 40]]
    assert result["areas"].tolist() == [50] and result["is_crowd"].tolist() == [True]
    assert result["keypoints"].shape == (1, 17, 3) and not result["keypoints"].any()
    assert np.argwhere(result["ignore_mask"])[[0, -1]].tolist() == [[30, 0], [39, 19]]
    assert not result["person_mask"].any()


def test_keypoints_outside_lose_their_visibility_and_boxes_are_clipped():
    result = transform_example(make_example(), affine.translation(0, -20), (48, 64), COCO)
    assert result["keypoints"][0, LEFT_EYE].tolist() == [0, 0, 0]
    assert result["keypoints"][0, NOSE].tolist() == [30, 20, 1]
    assert result["boxes"][0].tolist() == [8, 0, 32, 28]
    # The input reaches from -0.5 to 63.5.
    for x, seen in ((-0.5, 2), (-0.6, 0), (63.4, 2), (63.5, 0)):
        example = make_example()
        example["keypoints"][0, LEFT_EYE] = (x, 5, 2)
        result = transform_example(example, affine.scaling(1), (48, 64), COCO)
        assert result["keypoints"][0, LEFT_EYE, 2] == seen


def test_mirror_swaps_left_and_right():
    result = transform_example(make_example(), affine.mirror(64), (48, 64), COCO)
    assert result["keypoints"][0, RIGHT_EYE].tolist() == [43, 10, 2]  # 63 - 20
    assert result["keypoints"][0, LEFT_EYE].tolist() == [0, 0, 0]
    assert result["keypoints"][0, NOSE].tolist() == [33, 40, 1]
    assert result["boxes"][0].tolist() == [32, 0, 56, 48]  # edges: 64 - 32, 64 - 8
    assert result["image"][10, 43].tolist() == [255] * 3
    assert np.flatnonzero(result["person_mask"][0])[[0, -1]].tolist() == [32, 55]


def test_mirror_twice_is_the_identity():
    example, flip = make_example(), affine.mirror(64)
    once = transform_example(example, flip, (48, 64), COCO)
    twice = transform_example(once, flip, (48, 64), COCO)
    for name, value in example.items():
        np.testing.assert_array_equal(twice[name], value, err_msg=name)


def test_areas_follow_the_determinant():
    for transform in (affine.scaling(2), affine.compose(affine.mirror(64), affine.scaling(2))):
        result = transform_example(make_example(), transform, (96, 128), COCO)
        assert result["areas"].tolist() == [400, 200]


@pytest.mark.parametrize("seed", range(8))
def test_spot_stays_under_its_keypoint(seed):
    rng = np.random.default_rng(seed)
    transform = random_transform(rng, (48, 64), (120, 120), translation=5, flip=0.5)
    result = transform_example(make_example(), transform, (120, 120), COCO)
    eye = RIGHT_EYE if affine.is_mirrored(transform) else LEFT_EYE
    x, y, _ = result["keypoints"][0, eye]
    light = result["image"][..., 0].astype(float)
    rows, columns = np.mgrid[:120, :120]
    middle = [(light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()]
    np.testing.assert_allclose(middle, [x, y], atol=0.1)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_mask_cell_is_network_pixel_over_stride(stride):
    example = make_example()
    result = transform_example(example, affine.scaling(1), (48, 64), COCO, mask_stride=stride)
    for name in MASKS:
        assert result[name].shape == (48 // stride, 64 // stride) and result[name].dtype == bool
        # Edges of these masks fall on multiples of 4, where both ways of looking agree ...
        expected = example[name][::stride, ::stride]
        differ = np.argwhere(result[name] != expected)
        assert len(differ) == 0, (name, differ)


def test_shrunk_masks_show_the_majority():
    example = make_example()
    example["person_mask"][:] = False
    example["person_mask"][:, 21:25] = True  # a limb of 4 columns, nearest to cell 6
    example["person_mask"][20, 40] = True  # one stray pixel, exactly at cell (5, 10)
    result = transform_example(example, affine.scaling(1), (48, 64), COCO, mask_stride=4)
    assert np.argwhere(result["person_mask"]).tolist() == [[row, 6] for row in range(12)]
    example["person_mask"][:] = True  # a full mask stays full up to the border
    full = transform_example(example, affine.scaling(0.37), (16, 20), COCO, mask_stride=4)
    assert full["person_mask"].all()


def test_outside_of_the_image_nothing_is_known():
    example = make_example()
    for name in MASKS:
        example[name][:] = True
    result = transform_example(example, affine.translation(10, 0), (48, 84), COCO, (1, 2, 3))
    for name in MASKS:
        assert np.flatnonzero(result[name].all(axis=0)).tolist() == list(range(10, 74))
        assert not result[name][:, :10].any() and not result[name][:, 74:].any()
    assert result["image"][5, 5].tolist() == [1, 2, 3]


def test_annotations_alone_and_nobody():
    example = {n: v for n, v in make_example().items() if n != "image" and n not in MASKS}
    result = transform_example(example, affine.scaling(2), (96, 128), COCO)
    assert result.keys() == example.keys()
    for name in ("keypoints", "boxes", "areas", "is_crowd"):
        example[name] = example[name][:0]
    result = transform_example(example, affine.mirror(64), (48, 64), COCO)
    assert result["keypoints"].shape == (0, 17, 3) and result["boxes"].shape == (0, 4)


@pytest.mark.parametrize(
    "change, keywords, message",
    [
        ({"flow": np.zeros((48, 64, 2))}, {}, "flow"),
        ({"keypoints": np.zeros((2, 15, 3))}, {}, "remap_keypoints"),
        ({}, {"mask_stride": 5}, "multiples of mask_stride"),
        ({}, {"transform": affine.scaling(0)}, "invertible"),
    ],
)
def test_misfits_are_refused(change, keywords, message):
    arguments = {"transform": affine.scaling(1), "size": (48, 64), "skeleton": COCO, **keywords}
    with pytest.raises(ValueError, match=message):
        transform_example(make_example() | change, **arguments)


# Chance


def test_random_transform_is_repeatable_and_bounded():
    def draw(seed, **keywords):
        return random_transform(np.random.default_rng(seed), (480, 640), (240, 240), **keywords)

    np.testing.assert_array_equal(draw(3), draw(3))
    assert np.abs(draw(3) - draw(4)).max() > 0.01
    base = affine.scaling(0.375)
    factors = []
    for seed in range(50):
        transform = draw(seed, base=base, rotation=40, scale=(0.8, 1.2), flip=0.0)
        factors.append(affine.area_factor(transform) ** 0.5 / 0.375)
        turned = np.rad2deg(np.arctan2(transform[0, 1], transform[0, 0]))
        assert abs(turned) <= 40 and not affine.is_mirrored(transform)
    assert 0.8 <= min(factors) < 0.85 and 1.15 < max(factors) <= 1.2
    still = draw(0, base=base, rotation=0, scale=(1, 1), flip=0)
    np.testing.assert_allclose(still, base, atol=1e-5)
    mirrored = draw(0, base=base, rotation=0, scale=(1, 1), flip=1)
    np.testing.assert_allclose(mirrored, affine.compose(base, affine.mirror(240)), atol=1e-4)


def test_random_transform_turns_about_the_middle():
    for seed in range(5):
        transform = random_transform(np.random.default_rng(seed), (480, 640), (240, 240))
        middle = affine.transform_points((319.5, 239.5), transform)
        np.testing.assert_allclose(middle, (119.5, 119.5), atol=1e-3)


class Extremes:
    """Stands in for a generator: every draw is the upper end."""

    def uniform(self, low, high, size):
        return np.full(size, float(high))


def test_colour_by_hand():
    image = np.full((4, 4, 3), (100, 50, 200), np.uint8)
    none = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}

    def change(**strengths):
        return random_colour(Extremes(), image, **(none | strengths))[0, 0].tolist()

    assert change() == [100, 50, 200]
    assert change(brightness=0.1) == [126, 76, 226]  # + 25.5, halves to even
    assert change(hue=1 / 3) in ([200, 100, 50], [50, 200, 100])  # a third of a turn
    grey = 0.299 * 100 + 0.587 * 50 + 0.114 * 200  # 82.05
    assert change(saturation=0.5) == [round(1.5 * c - 0.5 * grey) for c in (100, 50)] + [255]
    assert change(contrast=0.5) == [round(1.5 * c - 0.5 * grey) for c in (100, 50)] + [255]


def test_colour_is_repeatable_and_keeps_grey_grey():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    first, second = (random_colour(np.random.default_rng(5), image) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.uint8 and (first != image).any()
    grey = np.repeat(image[..., :1], 3, axis=-1)
    changed = random_colour(np.random.default_rng(5), grey).astype(int)
    assert np.ptp(changed, axis=-1).max() <= 1


# The same inside tf.data


def colour_step(image, seed):
    return random_colour(np.random.default_rng(seed), image)


def geometry_step(image, seed):
    transform = random_transform(np.random.default_rng(seed), image.shape[:2], (40, 56))
    example = make_example() | {"image": image}
    return transform_example(example, transform, (40, 56), COCO)["image"]


def mask_step(image, seed):
    transform = random_transform(np.random.default_rng(seed), image.shape[:2], (40, 56))
    example = make_example() | {"image": image, "person_mask": image[..., 0] > 99}
    moved = transform_example(example, transform, (40, 56), COCO, mask_stride=4)
    return moved["person_mask"].astype(np.uint8)


@pytest.mark.parametrize("step", [colour_step, geometry_step, mask_step])
def test_each_step_is_the_same_inside_tf_data(step):
    tf = pytest.importorskip("tensorflow")
    images = np.random.default_rng(1).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    seeds = np.arange(3)
    dataset = tf.data.Dataset.from_tensor_slices((images, seeds)).map(
        lambda image, seed: tf.numpy_function(step, [image, seed], tf.uint8), num_parallel_calls=2
    )
    for inside, image, seed in zip(dataset.as_numpy_iterator(), images, seeds, strict=True):
        np.testing.assert_array_equal(inside, step(image, seed))
