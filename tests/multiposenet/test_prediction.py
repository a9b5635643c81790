import numpy as np
import pytest
from tiny_networks import joined, photo

from multiposenet.model import ModelError
from multiposenet.prediction import Predictor, pool
from posekit.poses import Poses
from posekit.skeletons import COCO


def same(a, b):
    for name in ("keypoints", "scores", "boxes"):
        np.testing.assert_allclose(getattr(a.poses, name), getattr(b.poses, name), atol=1e-4)
    np.testing.assert_allclose(a.box_scores, b.box_scores, atol=1e-6)
    np.testing.assert_array_equal(a.mask, b.mask)


def test_an_image_does_not_depend_on_its_companions():
    images = [photo(0), photo(1), photo(2, (90, 33)), photo(3)]
    predictor = Predictor(joined())
    together = predictor.predict(images)
    assert [one.mask.shape for one in together] == [image.shape[:2] for image in images]
    for one, image in zip(together, images, strict=True):
        same(one, predictor.predict([image])[0])


def test_a_model_twice_finds_what_it_finds_once():
    """Doubles go: each pose meets its own copy."""
    model = joined()
    once = Predictor(model).predict([photo()])[0]
    twice = Predictor([model, model], oks_threshold=0.999).predict([photo()])[0]
    assert len(twice.poses) == len(once.poses)
    np.testing.assert_array_equal(np.sort(twice.poses.scores), np.sort(once.poses.scores))


def test_scales_and_flip_run_and_stay_within_the_image():
    found = Predictor(joined(), flip=True, scales=(0.7, 1.5)).predict([photo()])[0]
    assert len(found.poses) > 0
    assert (found.poses.boxes >= 0).all() and (found.poses.boxes <= [80, 60, 80, 60]).all()


def test_pooling_keeps_the_better_of_two_alike_and_bare_boxes_that_stand_alone():
    rng = np.random.default_rng(0)
    pose = np.concatenate([rng.uniform(10, 90, (17, 2)), np.full((17, 1), 0.5)], axis=1)
    nobody = np.zeros((17, 3))
    keypoints = np.stack([pose, pose + [1, 0, 0.2], nobody, nobody, nobody])
    boxes = [
        [0, 0, 100, 100],
        [1, 0, 101, 100],
        [2, 0, 99, 99],
        [200, 0, 300, 90],
        [205, 0, 300, 90],
    ]
    poses = Poses(keypoints, [0.5, 0.7, 0, 0, 0], np.float32(boxes), COCO)
    kept = pool(poses, np.float32([0.9, 0.8, 0.9, 0.3, 0.4]), 0.7)
    assert kept.tolist() == [1, 4]


def test_pooling_drops_a_worse_pose_in_nearly_the_same_box():
    """Three poses unlike each other; the second's box is nine tenths of the first's."""
    points = np.random.default_rng(1).uniform(0, 100, (3, 17, 2))
    keypoints = np.concatenate([points, np.full((3, 17, 1), 0.5)], axis=-1)
    boxes = np.float32([[0, 0, 100, 100], [0, 0, 90, 100], [0, 0, 60, 100]])  # IoU 0.9 and 0.6
    poses = Poses(keypoints, [0.7, 0.6, 0.5], boxes, COCO)
    assert pool(poses, np.ones(3), 0.7).tolist() == [0, 2]
    assert pool(poses, np.ones(3), 0.7, iou_threshold=0.95).tolist() == [0, 1, 2]


def test_no_model_and_scales_below_zero_are_refused():
    with pytest.raises(ModelError, match="at least one model"):
        Predictor([])
    with pytest.raises(ModelError, match="scales above 0"):
        Predictor(joined(), scales=(1.0, 0.0))
