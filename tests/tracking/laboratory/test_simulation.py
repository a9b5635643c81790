import numpy as np
import pytest
from walking_people import annotated, people

from posekit.boxes import box_of_keypoints, iou_matrix
from posekit.frames import Frame
from tracking.laboratory.simulation import SimulatedDetector, SimulatedEstimator, SimulatedNetwork

SIZE = (100, 400)
TRUTH = annotated([{1: 20 + t, 2: 150, 3: 300} for t in range(200)])
SURE = SimulatedDetector(miss=0, jitter=0, false_boxes=0)
EXACT = SimulatedNetwork(error=0, gross=0)


def frame(index):
    return Frame(np.zeros((*SIZE, 3), np.uint8), index)


def test_without_mistakes_it_tells_the_truth():
    estimator = SimulatedEstimator(TRUTH, SURE, EXACT, SIZE)
    boxes, scores = estimator.detect(frame(7))
    np.testing.assert_allclose(boxes, box_of_keypoints(people([27, 150, 300])))
    found = estimator.poses(frame(7), boxes[::-1], scores)
    np.testing.assert_allclose(found.keypoints[..., :2], people([300, 150, 27])[..., :2])
    assert found.keypoints[..., 2].mean() == pytest.approx(0.8, abs=0.05)


def test_people_are_missed_as_often_and_as_long_as_it_says():
    detector = SimulatedDetector(miss=0.25, burst=3.0, jitter=0, false_boxes=0)
    missed = SimulatedEstimator(TRUTH, detector, EXACT, SIZE, seed=1)._missed[0].reshape(200, 3)
    assert missed.mean() == pytest.approx(0.25, abs=0.06)
    begins = missed[1:] & ~missed[:-1]
    assert missed.sum() / begins.sum() == pytest.approx(3, abs=0.7)


def test_the_same_seed_makes_the_same_mistakes():
    detector = SimulatedDetector(2, miss=0.2, half=0.3)
    first, second, other = (
        SimulatedEstimator(TRUTH, detector, SimulatedNetwork(), SIZE, seed) for seed in (3, 3, 4)
    )
    boxes, scores = first.detect(frame(5))
    np.testing.assert_array_equal(boxes, second.detect(frame(5))[0])
    poses = first.poses(frame(5), boxes, scores)
    np.testing.assert_array_equal(poses.keypoints, second.poses(frame(5), boxes, scores).keypoints)
    assert not np.array_equal(boxes, other.detect(frame(5))[0])


def test_a_box_with_nobody_gives_weak_keypoints_inside():
    estimator = SimulatedEstimator(TRUTH, SURE, EXACT, SIZE)
    box = np.array([[200.0, 10, 240, 90]])
    assert iou_matrix(box, estimator.detect(frame(0))[0]).max() == 0
    keypoints = estimator.poses(frame(0), box, np.ones(1)).keypoints[0]
    assert keypoints[:, 2].max() < 0.7 and keypoints[:, 2].mean() < 0.4
    assert (np.abs(keypoints[:, :2] - [219.5, 49.5]) <= [20, 40]).all()


def test_nobody_at_all():
    estimator = SimulatedEstimator(annotated([{1: 5}, {}, {1: 7}]), SURE, EXACT, SIZE)
    boxes, scores = estimator.detect(frame(1))
    assert boxes.shape == (0, 4) and len(estimator.poses(frame(1), boxes, scores)) == 0
