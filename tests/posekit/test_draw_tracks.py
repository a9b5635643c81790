import numpy as np
import pytest

from posekit.draw import track_colour
from posekit.draw_tracks import UNTRACKED, TrackDrawer
from posekit.poses import Poses
from posekit.skeletons import COCO, Skeleton

GREY = np.full((120, 240, 3), 100, np.uint8)
# Two hips 20 px apart, so that a person is a limb along its y.
HIPS = Skeleton("hips", ("left_hip", "right_hip"), ((0, 1),), (1, 0), (0.1, 0.1))


def people(xs, ys, ids, score=1.0):
    xs, ys = np.float32(xs), np.float32(ys)
    keypoints = np.stack([np.stack([xs + d, ys, ys * 0 + score], -1) for d in (-10, 10)], axis=1)
    boxes = np.stack([xs - 10, ys - 30, xs + 11, ys + 31], axis=-1)
    return Poses(keypoints, np.ones(len(xs)), boxes, HIPS, ids)


def shows(canvas, x, y, colour):
    return np.abs(canvas[y, x] - np.int64(colour)).max() < 30


def test_each_identity_keeps_its_colour():
    drawer = TrackDrawer(HIPS, trail=0)
    first = drawer.draw(GREY, people([50, 150], [60, 60], [3, 8]))
    assert shows(first, 50, 60, track_colour(3)) and shows(first, 150, 60, track_colour(8))
    assert not shows(first, 50, 60, track_colour(8))
    second = drawer.draw(GREY, people([150, 50], [60, 60], [3, 8]))  # other places
    assert shows(second, 150, 60, track_colour(3)) and shows(second, 50, 60, track_colour(8))
    assert (GREY == 100).all() and first.dtype == np.uint8 and first.shape == GREY.shape
    # The label stands above the box.
    assert (first[:30, 40:62] != 100).any() and (first[:30, 90:110] == 100).all()


def test_people_without_ids_are_white_and_leave_nothing():
    drawer = TrackDrawer(HIPS)
    canvas = drawer.draw(GREY, people([50], [60], None))
    assert shows(canvas, 50, 60, UNTRACKED) and (canvas[:40] == 100).all()
    np.testing.assert_array_equal(drawer.draw(GREY, Poses.empty(HIPS)), GREY)


def test_weak_keypoints_are_left_out():
    drawer = TrackDrawer(HIPS, threshold=0.0, trail=0)
    canvas = drawer.draw(GREY, people([50], [60], None, score=0.0))
    np.testing.assert_array_equal(canvas, GREY)
    assert shows(drawer.draw(GREY, people([50], [60], None, score=0.01)), 50, 60, UNTRACKED)
    drawer = TrackDrawer(HIPS, threshold=0.3, trail=0)
    np.testing.assert_array_equal(drawer.draw(GREY, people([50], [60], None, score=0.2)), GREY)


def test_the_trail_follows_the_hips_fades_and_ends():
    drawer = TrackDrawer(HIPS, trail=4)
    for step in range(10):
        canvas = drawer.draw(GREY, people([20 + 20 * step], [60], [5]))
    # The person stands at 200; 4 frames are remembered, those at 140 to 200.
    difference = np.abs(canvas[60].astype(int) - 100).sum(axis=-1)
    assert difference[175] > difference[150] > 0  # by age
    assert (difference[:137] == 0).all()
    colour = canvas[60, 175].astype(int) - 100
    assert (np.sign(colour) == np.sign(np.array(track_colour(5)) - 100)).all()
    assert len(drawer.state()["places"]) == 4
    for _ in range(4):
        canvas = drawer.draw(GREY, Poses.empty(HIPS))
    np.testing.assert_array_equal(canvas, GREY)
    assert len(drawer.state()["places"]) == 0


def test_without_hips_the_trail_follows_the_box():
    drawer = TrackDrawer(HIPS, trail=3, threshold=0.5)
    for x in (50, 100):
        canvas = drawer.draw(GREY, people([x], [60], [5], score=0.1))
    assert (canvas[60, 60:90] != 100).any(axis=-1).all()
    np.testing.assert_array_equal(drawer.state()["places"][:, 2:], [[50, 60], [100, 60]])


def test_a_restored_drawer_draws_the_same(tmp_path):
    drawer, other = TrackDrawer(HIPS, trail=5), TrackDrawer(HIPS, trail=5)
    for step in range(4):
        drawer.draw(GREY, people([20 + 30 * step, 20], [60, 90], [1, 2]))
    np.savez(tmp_path / "state.npz", **drawer.state())
    with np.load(tmp_path / "state.npz") as state:
        other.restore(dict(state))
    last = people([140, 60], [60, 90], [1, 2])
    np.testing.assert_array_equal(other.draw(GREY, last), drawer.draw(GREY, last))


def test_memory_is_bounded_by_the_trail():
    drawer = TrackDrawer(HIPS, trail=5)
    for step in range(200):  # new identities all the time
        drawer.draw(GREY[:8, :8], people([1, 2], [3, 4], [2 * step, 2 * step + 1]))
    assert len(drawer.state()["places"]) == 10


def test_far_away_people_and_wrong_arguments():
    drawer = TrackDrawer(HIPS)
    for x in (0, 1e9, -1e9):
        drawer.draw(GREY[:1, :1], people([x], [x], [999_999]))
    with pytest.raises(ValueError, match="expected poses of skeleton 'hips', received 'coco'"):
        drawer.draw(GREY, Poses.empty(COCO))
    with pytest.raises(ValueError, match=r"expected an image \(H, W, 3\) uint8 RGB"):
        drawer.draw(GREY.astype(float), Poses.empty(HIPS))
    with pytest.raises(ValueError, match="trail of 0 or more"):
        TrackDrawer(HIPS, trail=-1)
