import numpy as np
import pytest

from posekit import affine
from posekit.boxes import iou_matrix
from topdown.ssd_augment import (
    LEAST_OVERLAPS,
    SsdAugmentation,
    centres_inside,
    random_colours,
    random_window,
    window_transform,
)

SIZE = (120, 160)
PEOPLE = np.array([[20, 20, 60, 100], [100, 40, 130, 110]], np.float32)
NOBODY = np.zeros((0, 4), np.float32)


def windows(count, boxes=PEOPLE, **options):
    augmentation = SsdAugmentation(**options)
    rngs = map(np.random.default_rng, range(count))
    return np.stack([random_window(rng, SIZE, boxes, augmentation) for rng in rngs])


def shares(windows):
    """(width, height) over the image's."""
    return (windows[:, 2:] - windows[:, :2]) / SIZE[::-1]


def test_half_of_the_canvases_are_larger_and_hold_the_image():
    canvases = windows(400, crop=False, expand=4.0)
    factors = shares(canvases)
    np.testing.assert_allclose(factors[:, 0], factors[:, 1])
    assert factors.min() == 1 and 3.5 < factors.max() <= 4
    assert 160 < (factors[:, 0] == 1).sum() < 240
    assert canvases[:, :2].max() <= 0 and (canvases[:, 2:] >= SIZE[::-1]).all()


def test_crops_keep_somebody_within_the_papers_bounds():
    crops = windows(400, expand=1.0)
    sides = shares(crops)
    whole = (sides > 0.999).all(axis=1)
    assert 57 < whole.sum() < 250  # one of seven, and where nothing fits
    assert centres_inside(PEOPLE, crops).any(axis=1).all()
    area, ratio = sides.prod(axis=1), sides[:, 0] / sides[:, 1]
    assert area.min() > 0.099 and area.min() < 0.2
    assert 0.499 < ratio.min() < 0.7 and 1.4 < ratio.max() < 2.001
    assert crops.min() >= 0 and (crops[:, 2:] <= (160.001, 120.001)).all()


def test_a_crop_overlaps_somebody_as_much_as_its_draw_wants(monkeypatch):
    monkeypatch.setattr("topdown.ssd_augment.LEAST_OVERLAPS", (0.5,) * len(LEAST_OVERLAPS))
    crops = windows(200, expand=1.0)
    overlap = iou_matrix(crops, PEOPLE).max(axis=1)
    whole = (shares(crops) > 0.999).all(axis=1)
    assert (overlap[~whole] >= 0.5).all() and (~whole).sum() > 60


def test_an_image_without_people_is_not_cropped():
    np.testing.assert_array_equal(windows(20, NOBODY, expand=1.0), [[0, 0, 160, 120]] * 20)


def test_windows_stretch_edges_upon_edges():
    window = np.array([20, 30, 100, 70])
    transform = window_transform(window, 160)
    moved = affine.transform_boxes([window, [20, 30, 60, 40]], transform)
    np.testing.assert_allclose(moved, [[0, 0, 160, 160], [0, 0, 80, 40]], atol=1e-4)
    mirrored = affine.transform_boxes([[20, 30, 60, 40]], window_transform(window, 160, True))
    np.testing.assert_allclose(mirrored, [[80, 0, 160, 40]], atol=1e-4)


def test_a_centre_on_the_far_edge_is_outside():
    assert centres_inside(PEOPLE, np.array([[40, 60, 50, 70], [0, 0, 40, 60.0]])).tolist() == [
        [True, False],
        [False, False],
    ]


def test_colours_change_in_most_images_and_not_without_strength():
    image = np.random.default_rng(0).integers(60, 190, (8, 8, 3), np.uint8)
    changed = [
        np.any(random_colours(np.random.default_rng(draw), image) != image) for draw in range(60)
    ]
    assert 45 < sum(changed) < 60  # each of four with probability 1/2: 1/16 stay
    np.testing.assert_array_equal(random_colours(np.random.default_rng(0), image, 0.0), image)


@pytest.mark.parametrize("options", [{}, {"crop": False, "expand": 1.0}])
def test_draws_are_as_many_whatever_is_switched_off(options):
    rng = np.random.default_rng(5)
    random_window(rng, SIZE, PEOPLE, SsdAugmentation(**options))
    other = np.random.default_rng(5)
    random_window(other, SIZE, NOBODY, SsdAugmentation())
    assert rng.random() == other.random()
