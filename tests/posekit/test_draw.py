import cv2
import numpy as np
import pytest

from posekit import draw
from posekit.poses import Poses
from posekit.skeletons import COCO, Skeleton

GREY = np.full((60, 80, 3), 100, np.uint8)
PAIR = Skeleton(
    "pair",
    ("left_tip", "left_end", "right_tip", "right_end"),
    ((0, 1), (2, 3)),
    (2, 3, 0, 1),
    (0.1,) * 4,
)
# A left limb along y = 15 and a right one along y = 45.
BARS = np.array([[[20, 15, 1], [60, 15, 1], [20, 45, 1], [60, 45, 1]]], np.float32)


def shows(canvas, x, y, colour):
    """True where a pixel has a colour, but for the smoothing of thin lines."""
    return np.abs(canvas[y, x] - np.int64(colour)).max() < 20


def poses_of(keypoints, **more):
    return Poses(keypoints, [0.9], [[10, 8, 70, 52]], PAIR, **more)


def test_limbs_lie_where_their_keypoints_are_in_the_colour_of_their_side():
    canvas = draw.draw_poses(GREY, poses_of(BARS))
    assert canvas.shape == GREY.shape and canvas.dtype == np.uint8
    assert shows(canvas, 40, 15, draw.LEFT)
    assert shows(canvas, 40, 45, draw.RIGHT)
    assert shows(canvas, 20, 15, draw.LEFT) and shows(canvas, 60, 45, draw.RIGHT)
    assert tuple(canvas[30, 40]) == (100, 100, 100)
    assert (GREY == 100).all()  # the given image is untouched


def test_keypoints_below_the_threshold_take_their_limb_along():
    weak = BARS.copy()
    weak[0, 0, 2] = 0.1
    canvas = draw.draw_poses(GREY, poses_of(weak), threshold=0.2)
    assert tuple(canvas[15, 40]) == (100, 100, 100) and tuple(canvas[15, 20]) == (100, 100, 100)
    assert shows(canvas, 60, 15, draw.LEFT) and shows(canvas, 40, 45, draw.RIGHT)


def test_boxes_take_the_colour_of_the_track():
    canvas = draw.draw_poses(GREY, poses_of(BARS, track_ids=[4]))
    assert tuple(canvas[52, 40]) == draw.track_colour(4)
    assert tuple(draw.draw_poses(GREY, poses_of(BARS))[52, 40]) == (255, 255, 255)
    assert len({draw.track_colour(i) for i in range(12)}) == 12


def test_draw_keypoints_draws_dots_and_limbs_on_request():
    dots = draw.draw_keypoints(GREY, BARS, PAIR)
    assert shows(dots, 20, 15, draw.LEFT) and tuple(dots[15, 40]) == (100, 100, 100)
    assert shows(draw.draw_keypoints(GREY, BARS, PAIR, limbs=True), 40, 15, draw.LEFT)
    np.testing.assert_array_equal(draw.draw_keypoints(GREY, BARS * [1, 1, 0], PAIR), GREY)
    with pytest.raises(ValueError, match=r"expected keypoints \(N, 17, 3\) of skeleton 'coco'"):
        draw.draw_keypoints(GREY, BARS, COCO)


def test_nobody_and_far_away_keypoints():
    np.testing.assert_array_equal(draw.draw_poses(GREY, Poses.empty(COCO)), GREY)
    draw.draw_poses(GREY, poses_of(BARS * [1e9, -1e9, 1]))
    draw.draw_poses(GREY[:1, :1], poses_of(BARS))


def test_a_heatmap_cell_lights_its_own_pixel():
    heatmaps = np.zeros((15, 20, 2), np.float32)
    heatmaps[5, 8, 1] = 1  # stride 4: pixel x 32, y 20
    changed = (draw.overlay_heatmaps(GREY, heatmaps) != 100).any(axis=-1)
    ys, xs = np.nonzero(changed)
    assert (xs.mean(), ys.mean()) == (32, 20)
    assert xs.min() >= 29 and xs.max() <= 35
    first = np.zeros_like(heatmaps)
    first[5, 8, 0] = 1
    assert (
        draw.overlay_heatmaps(GREY, first)[20, 32] != draw.overlay_heatmaps(GREY, heatmaps)[20, 32]
    ).any()


def test_mask_tints_where_it_holds():
    mask = np.zeros((60, 80), bool)
    mask[10:20, 30:50] = True
    canvas = draw.overlay_mask(GREY, mask, colour=(200, 0, 100), alpha=0.5)
    assert tuple(canvas[15, 40]) == (150, 50, 100)
    np.testing.assert_array_equal((canvas != 100).any(axis=-1), mask)
    small = draw.overlay_mask(GREY, mask[::4, ::4].astype(np.float32), colour=(200, 0, 100))
    assert tuple(small[16, 40]) == (150, 50, 100)


def test_tile_places_images_row_by_row():
    images = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20)] + [
        np.full((2, 3), 30, np.uint8)
    ]
    sheet = draw.tile(images, columns=2, gap=1)
    assert sheet.shape == (4 + 1 + 4, 6 + 1 + 6, 3)
    assert (sheet[0, 0, 0], sheet[3, 12, 0], sheet[5, 0, 0], sheet[6, 2, 0]) == (10, 20, 30, 30)
    assert sheet[0, 6, 0] == 255 and sheet[8, 12, 0] == 255
    assert draw.tile(images[:1], columns=5).shape == (4, 6, 3)
    with pytest.raises(ValueError, match="expected images and columns"):
        draw.tile([], columns=2)


def test_curves_become_a_png(tmp_path):
    path = tmp_path / "new" / "curves.png"
    draw.plot_curves(path, {"epoch": [5, 6], "loss": [2, 1], "val_loss": [np.nan, 2], "lr": [1, 1]})
    picture = cv2.imread(str(path))
    assert picture.shape == (300, 900, 3)  # two panels: loss with val_loss, lr
    assert picture.std() > 5
    with pytest.raises(ValueError, match="expected columns of numbers"):
        draw.plot_curves(path, {"epoch": [1]})


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros(3, np.uint8)]
)
def test_other_images_are_refused(image):
    with pytest.raises(ValueError, match=r"expected an image \(H, W, 3\) uint8 RGB, received"):
        draw.draw_poses(image, Poses.empty(COCO))
