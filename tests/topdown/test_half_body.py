import numpy as np

from posekit.skeletons import COCO, MPII
from topdown.half_body import is_lower, random_half_body

WHOLE = np.float32([[0, 0, 100, 200]])
LOWER = is_lower(COCO)[None]
UP, DOWN, NEVER = [[0.0, 0.0]], [[0.0, 0.9]], [[0.9, 0.0]]  # of a probability of 0.5


def person(**v):
    """Upper keypoints in x 40 to 60, y 20 to 60, lower ones in x 40 to 60, y 100 to 180."""
    keypoints = np.zeros((1, 17, 3), np.float32)
    for part, low, high in ((~LOWER[0], 20, 60), (LOWER[0], 100, 180)):
        keypoints[0, part, 0] = np.linspace(40, 60, part.sum())
        keypoints[0, part, 1] = np.linspace(low, high, part.sum())
    keypoints[..., 2] = 2
    for name, value in v.items():
        keypoints[0, COCO.names.index(name), 2] = value
    return keypoints


def half(chance, keypoints, boxes=WHOLE):
    return random_half_body(np.array(chance), boxes, keypoints, LOWER, 0.5)


def test_which_keypoints_are_below():
    names = [name for name, lower in zip(COCO.names, LOWER[0], strict=True) if lower]
    assert names == [f"{side}_{n}" for n in ("hip", "knee", "ankle") for side in ("left", "right")]
    assert MPII.names[6] == "pelvis" and is_lower(MPII).tolist() == [True] * 7 + [False] * 9


def test_boxes_of_both_halves_by_hand():
    # 20 x 40 px of keypoints, half as large again; box edges are half a pixel from points.
    np.testing.assert_allclose(half(UP, person()), [[35.5, 10.5, 65.5, 70.5]])
    np.testing.assert_allclose(half(DOWN, person()), [[35.5, 80.5, 65.5, 200.5]])
    np.testing.assert_array_equal(half(NEVER, person()), WHOLE)


def test_people_are_halved_each_by_their_own_chance():
    chance = np.concatenate([DOWN, NEVER, UP])
    boxes, lower = WHOLE.repeat(3, 0), LOWER.repeat(3, 0)
    found = random_half_body(chance, boxes, person().repeat(3, 0), lower, 0.5)
    np.testing.assert_array_equal(
        found, np.concatenate([half(c, person()) for c in (DOWN, NEVER, UP)])
    )


def test_a_half_of_two_keypoints_gives_way_to_the_other():
    few = person(left_knee=0, right_knee=0, left_ankle=0, right_ankle=0)  # hips are left
    np.testing.assert_array_equal(half(DOWN, few), half(UP, few))


def test_people_with_few_keypoints_or_no_extent_stay_whole():
    few = person()
    few[:, 8:, 2] = 0
    np.testing.assert_array_equal(half(UP, few), WHOLE)
    point = person()
    point[..., :2] = 50
    np.testing.assert_array_equal(half(UP, point), WHOLE)
