import numpy as np
import pytest

from posekit.oks import oks_matrix
from posekit.skeletons import COCO
from tracking.similarity import box_similarity, pose_similarity

SIGMAS = [0.1, 0.05]


def pose(*points, score=1.0):
    return np.array([[*point, score] for point in points], float)


BODY = pose((0, 0), (40, 50))  # extent 40 x 50 = 2000 px²


def test_oks_of_a_known_offset():
    # d² = 25; 2 * 2000 * (2 * 0.1)² = 160 and 2 * 2000 * (2 * 0.05)² = 40
    found = pose_similarity(BODY[None], BODY[None] + [3, 4, 0], SIGMAS, 0.4)
    np.testing.assert_allclose(found, [[(np.exp(-25 / 160) + np.exp(-25 / 40)) / 2]], rtol=1e-5)


def test_a_pair_is_compared_at_the_mean_of_its_areas():
    other = pose((3, 4), (63, 104))  # 60 x 100; only the first keypoint is near
    expected = (np.exp(-25 / (8000 * 0.04)) + np.exp(-(23**2 + 54**2) / (8000 * 0.01))) / 2
    both_ways = [(BODY, other), (other, BODY)]
    found = [pose_similarity(a[None], b[None], SIGMAS, 0.4).item() for a, b in both_ways]
    np.testing.assert_allclose(found, [expected, expected], rtol=1e-5)


def test_keypoints_count_where_both_have_them():
    old, new = BODY + [0, 0, -0.5], BODY + [3, 4, 0]
    new[1] = [900, 900, 0.39]  # far away, but nobody is sure of it
    expected = np.exp(-25 / (2 * (2000 + 1024) / 2 * 0.04))  # one keypoint alone: the least area
    np.testing.assert_allclose(pose_similarity(old[None], new[None], SIGMAS, 0.4), expected)
    new[1, 2] = 0.4
    assert pose_similarity(old[None], new[None], SIGMAS, 0.4) < expected
    new[:, 2], old[0, 2] = [1, 0.1], 0.1
    assert pose_similarity(old[None], new[None], SIGMAS, 0.4) == 0  # nothing in common


def test_score_0_never_counts():
    old, new = BODY.copy(), BODY.copy()
    old[1] = [0, 0, 0]
    assert pose_similarity(old[None], new[None], SIGMAS, 0.0) == 1
    assert pose_similarity(old[None] * [1, 1, 0], new[None], SIGMAS, 0.0) == 0


def test_a_line_is_as_wide_as_a_quarter_of_its_length():
    line = pose((0, 0), (0, 100))  # 100 x 25 = 2500 px²
    found = pose_similarity(line[None], line[None] + [3, 4, 0], [0.1, 0.1], 0.4)
    np.testing.assert_allclose(found, np.exp(-25 / (2 * 2500 * 0.04)), rtol=1e-5)


def test_equals_the_oks_of_evaluation_where_the_areas_are_alike():
    rng = np.random.default_rng(0)
    old = rng.uniform(0, 60, (30, 17, 3))
    old[:, 0, :2], old[:, 1, :2], old[:, :2, 2] = 0, 60, 1  # everybody is 60 x 60
    new = old[:20] + rng.normal(0, 4, (20, 17, 3)) * [1, 1, 0]
    new[..., :2] = new[..., :2].clip(0, 60)
    new[:, 0, :2], new[:, 1, :2], new[..., 2] = 0, 60, 1
    old[..., 2] = 1
    theirs = oks_matrix(old, new, np.full(20, 3600.0), COCO.sigmas)
    np.testing.assert_allclose(pose_similarity(old, new, COCO.sigmas, 0.4), theirs, atol=1e-6)


def test_blocks_do_not_show():
    rng = np.random.default_rng(0)
    old, new = (rng.uniform(0, 100, (count, 17, 3)) for count in (900, 40))
    whole = pose_similarity(old, new, COCO.sigmas, 40)
    parts = [pose_similarity(old[i : i + 1], new, COCO.sigmas, 40) for i in range(0, 900, 7)]
    np.testing.assert_array_equal(whole[::7], np.concatenate(parts))


def test_boxes():
    found = box_similarity(np.array([[0, 0, 10, 10], [50, 50, 60, 60]]), np.array([[5, 0, 15, 10]]))
    np.testing.assert_allclose(found, [[50 / 150], [0]], rtol=1e-6)


def test_nobody():
    nobody = np.zeros((0, 2, 3))
    assert pose_similarity(nobody, BODY[None], SIGMAS, 0.4).shape == (0, 1)
    assert pose_similarity(BODY[None], nobody, SIGMAS, 0.4).shape == (1, 0)
    assert box_similarity(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="expected finite keypoints"):
        pose_similarity(BODY[None], np.full((1, 2, 3), bad), SIGMAS, 0.4)
    with pytest.raises(ValueError, match="expected finite boxes"):
        box_similarity(np.full((1, 4), bad), np.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"expected keypoints \(people, 2, 3\)"):
        pose_similarity(BODY[None], np.zeros((1, 3, 3)), SIGMAS, 0.4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [0, 1e-30, 1e38])
def test_any_finite_pose_has_a_finite_similarity(scale):
    rng = np.random.default_rng(0)
    people = rng.uniform(-3, 3, (50, 2, 3)) * [scale, scale, 1]
    similar = pose_similarity(people, people[::-1], SIGMAS, 0.4)
    assert np.isfinite(similar).all() and (similar >= 0).all() and (similar <= 1).all()
    boxes = rng.uniform(-3, 3, (50, 4)) * scale
    assert np.isfinite(box_similarity(boxes, boxes)).all()
