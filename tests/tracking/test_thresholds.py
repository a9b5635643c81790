import numpy as np

from posekit.poses import Poses
from posekit.skeletons import POSETRACK
from tracking.thresholds import people_with_keypoints, without_weak_keypoints


def poses():
    keypoints = np.zeros((3, 15, 3))
    keypoints[0, :3] = [[1, 2, 0.4], [3, 4, 0.39], [5, 6, 0.9]]
    keypoints[1, :2] = [[1, 2, 0.3], [3, 4, 0.1]]
    return Poses(keypoints, np.ones(3), np.zeros((3, 4)), POSETRACK, np.array([7, 8, 9]))


def test_weak_keypoints_go_and_people_without_others_too():
    kept = without_weak_keypoints(poses(), 0.4)
    assert kept.track_ids.tolist() == [7]
    np.testing.assert_array_equal(kept.keypoints[0, :3, 2], np.float32([0.4, 0, 0.9]))
    np.testing.assert_array_equal(kept.keypoints[0, 1], 0)


def test_a_threshold_of_0_keeps_all_keypoints_that_are_there():
    kept = without_weak_keypoints(poses(), 0.0)
    assert kept.track_ids.tolist() == [7, 8]  # nobody knows anything of the third


def test_people_are_kept_with_all_their_keypoints():
    kept = people_with_keypoints(poses(), 0.4)
    assert kept.track_ids.tolist() == [7]
    np.testing.assert_array_equal(kept.keypoints, poses().keypoints[:1])
