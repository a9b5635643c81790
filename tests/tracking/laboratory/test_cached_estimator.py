import numpy as np
import pytest

from posekit.frames import Frame
from posekit.poses import Poses
from posekit.skeletons import POSETRACK
from tracking.laboratory.cached_estimator import CachedEstimator

FRAMES = [Frame(np.zeros((8, 9, 3), np.uint8), index) for index in range(3)]


class Counted:
    """Finds as many boxes as the frame's index says; counts what it is asked."""

    skeleton = POSETRACK
    propagates = True

    def __init__(self):
        self.asked = []

    def detect(self, frame):
        self.asked.append(frame.index)
        boxes = np.arange(4.0 * frame.index).reshape(-1, 4) + [0, 0, 5, 5]
        return boxes, np.linspace(0.5, 1, frame.index)

    def poses(self, frame, boxes, scores):
        self.asked.append(len(boxes))
        keypoints = np.tile(boxes[:, None, :3], (1, 15, 1)) + frame.index
        return Poses(keypoints, 0.5 * scores, boxes, POSETRACK)


def all_of(estimator):
    found = []
    for frame in FRAMES:
        boxes, scores = estimator.detect(frame)
        found.append((boxes, scores, estimator.poses(frame, boxes, scores)))
    return found


def test_what_was_found_is_not_asked_again(tmp_path):
    file = tmp_path / "new" / "cache.npz"
    first = CachedEstimator(Counted(), file)
    found = all_of(first)
    first.save()
    assert first.estimator.asked == [0, 1, 1, 2, 2]
    second = CachedEstimator(Counted(), file)
    for (boxes, scores, poses), again in zip(found, all_of(second), strict=True):
        np.testing.assert_array_equal(boxes, again[0])
        np.testing.assert_array_equal(scores, again[1])
        np.testing.assert_array_equal(poses.keypoints, again[2].keypoints)
        np.testing.assert_array_equal(poses.scores, again[2].scores)
    assert second.estimator.asked == []
    boxes, scores = second.detect(FRAMES[1])
    more = np.concatenate([[[1, 2, 3, 4]], boxes]).astype(np.float32)
    poses = second.poses(FRAMES[1], more, np.array([0.2, 0.6]))
    assert second.estimator.asked == [1]  # the new box only
    np.testing.assert_allclose(poses.scores, [0.1, 0.3])
    np.testing.assert_allclose(poses.keypoints[:, 0, 0], [2, 1])


def test_scores_of_boxes_alone(tmp_path):
    cached = CachedEstimator(Counted(), tmp_path / "c.npz", rescored=False)
    boxes, scores = cached.detect(FRAMES[2])
    np.testing.assert_allclose(cached.poses(FRAMES[2], boxes, scores).scores, scores)


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04 nothing"])
def test_another_file_is_refused(tmp_path, content):
    file = tmp_path / "c.npz"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="remove the file"):
        CachedEstimator(Counted(), file)
