import numpy as np
import pytest
from tiny_networks import joined, photo

from multiposenet.prediction import Predictor
from multiposenet.video_estimator import VideoEstimator
from posekit.frames import Frame


def network():
    """Reads pictures of (48, 48) twice as large, so that they fill the canvas to its edges."""
    return joined(shorter_edge=96)


@pytest.mark.parametrize("flip", [False, True])
def test_poses_in_the_boxes_of_detect_are_those_of_the_predictor(flip):
    image = photo(0, (48, 48))
    [expected] = Predictor(network(), flip).predict([image])
    estimator, frame = VideoEstimator(network(), flip), Frame(image, 0)
    boxes, scores = estimator.detect(frame)
    np.testing.assert_allclose(boxes, expected.poses.boxes, atol=1e-4)
    np.testing.assert_allclose(scores, expected.box_scores, atol=1e-6)
    poses = estimator.poses(frame, boxes, scores)
    np.testing.assert_allclose(poses.keypoints, expected.poses.keypoints, atol=1e-3)
    np.testing.assert_allclose(poses.scores, expected.poses.scores, atol=1e-6)


def test_boxes_from_elsewhere_get_poses_in_their_order():
    estimator, frame = VideoEstimator(network()), Frame(photo(0, (48, 48)), 0)
    boxes = np.float32([[10, 5, 40, 40], [60, 5, 90, 40], [-20, -9, 30, 60]])
    poses = estimator.poses(frame, boxes, np.float32([0.5, 0.9, 0.8]))
    np.testing.assert_array_equal(poses.boxes, boxes)
    assert (poses.keypoints[[0, 2], :, 2] > 0).any(axis=1).all()
    assert not poses.keypoints[1].any()  # that box shows nothing of the picture
    assert len(estimator.poses(frame, np.zeros((0, 4)), np.zeros(0))) == 0


def test_another_frame_is_read_anew():
    estimator = VideoEstimator(network())
    estimator.detect(Frame(photo(0, (48, 48)), 0))
    second = photo(1, (48, 48))
    [expected] = Predictor(network()).predict([second])
    poses = estimator.poses(Frame(second, 1), expected.poses.boxes, expected.box_scores)
    np.testing.assert_allclose(poses.keypoints, expected.poses.keypoints, atol=1e-3)
