import numpy as np
from tiny_topdown import random_network, spots, spotter

from posekit.frames import Frame
from topdown.prediction import TopDownPredictor, with_reading
from topdown.video_estimator import VideoEstimator


def frame_of(places, size=(200, 320)):
    return Frame(spots(np.array(places, np.float64), size), 0)


LEFT = [[60.0, 40], [90, 100], [40, 150]]
RIGHT = [[230.0, 60], [260, 120], [210, 170]]
BOXES = np.float32([[200, 20, 280, 190], [20, 10, 110, 180]])


def test_one_pose_for_each_box_in_their_order():
    estimator = VideoEstimator(TopDownPredictor(spotter()), None)
    outside = [[400, 10, 480, 90]]
    boxes = np.concatenate([BOXES, outside, BOXES[1:]])
    poses = estimator.poses(frame_of([LEFT, RIGHT]), boxes, np.float32([0.5, 1, 0.5, 0.25]))
    found = poses.keypoints[[0, 1, 3], :, :2]
    np.testing.assert_allclose(found, [RIGHT, LEFT, LEFT], atol=5)
    assert not poses.keypoints[2].any()  # the box shows no picture, the double is kept
    np.testing.assert_array_equal(poses.boxes, boxes)
    ratio = poses.scores[1] / poses.scores[3]
    np.testing.assert_allclose(ratio, 4)  # box score times mean keypoint score


def test_poses_are_those_of_the_predictor():
    model = random_network()
    reading = with_reading(model, oks_threshold=1.0)
    predictor = TopDownPredictor(model, flip=True, reading=reading)
    frame, scores = frame_of([LEFT, RIGHT]), np.float32([0.9, 0.5])
    [expected] = predictor.predict([frame.image], [BOXES], [scores])
    poses = VideoEstimator(predictor, None).poses(frame, BOXES, scores)
    order = np.argsort(-poses.scores)
    np.testing.assert_array_equal(poses.keypoints[order], expected.keypoints)
    np.testing.assert_array_equal(poses.scores[order], expected.scores)
    plain = VideoEstimator(predictor, None, rescored=False).poses(frame, BOXES, scores)
    np.testing.assert_array_equal(plain.scores, scores)


def test_boxes_without_area_are_left_out():
    def detect(images):
        assert images[0].shape == (200, 320, 3)
        return [(np.float32([[5, 5, 5, 9], [0, 0, 9, 9]]), np.float32([0.9, 0.5]))]

    estimator = VideoEstimator(TopDownPredictor(spotter()), detect)
    boxes, scores = estimator.detect(frame_of([LEFT]))
    assert boxes.tolist() == [[0, 0, 9, 9]] and scores.tolist() == [0.5]
    nobody = estimator.poses(frame_of([LEFT]), np.zeros((0, 4)), np.zeros(0))
    assert len(nobody) == 0
