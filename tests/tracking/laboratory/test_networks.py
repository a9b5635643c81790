import dataclasses

import numpy as np
import pytest
from walking_people import annotated

from posekit.detections import Detections
from posekit.poses import Poses
from posekit.skeletons import POSETRACK
from tracking.laboratory import networks
from tracking.laboratory.sequences import LaboratoryError, LabSequence
from tracking.recipes import RECIPES

TRUTH = annotated([{1: 0 + t, 2: 100} for t in range(9)])
SEQUENCE = LabSequence(TRUTH, (64, 200), None, None)
B6 = RECIPES["simple-baselines-b6"][1]


class Recorder:
    """A network that counts what it is asked and answers with what it is told."""

    skeleton, propagates, asked = POSETRACK, True, 0

    def poses(self, frame, boxes, scores):
        type(self).asked += 1
        return Poses(np.ones((len(boxes), 15, 3)), scores, boxes, POSETRACK)


def test_boxes_of_a_file_go_to_their_frames():
    boxes = np.arange(12.0).reshape(3, 4) + [0, 0, 9, 9]
    found = Detections(np.array([7, 9, 7]), boxes, np.array([0.5, 0.6, 0.7]))
    given = networks.GivenBoxes(Recorder(), np.array([5, 7]), found)
    frames = list(SEQUENCE.frames())
    assert len(given.detect(frames[0])[0]) == 0
    np.testing.assert_array_equal(given.detect(frames[1])[0], boxes[[0, 2]])


def test_what_was_found_is_kept_for_what_it_was_found_with(tmp_path):
    (tmp_path / "net").write_bytes(b"weights")
    box, frame = np.array([[0.0, 0, 20, 40]]), next(iter(SEQUENCE.frames()))
    other = dataclasses.replace(B6, blur_sigma=3.5)

    def asked(scores=0.5, image_id=0, recipe=B6, read=None, weights=b"weights"):
        (tmp_path / "net").write_bytes(weights)
        found = Detections(np.array([image_id, 1]), np.tile(box, (2, 1)), np.array([scores, 0.1]))
        setup = tmp_path / "net", lambda recipe: Recorder(), found, tmp_path / "cache", read
        estimator = networks.of_network(*setup)(SEQUENCE, recipe)
        before = Recorder.asked
        assert estimator.detect(frame)[1] == (np.float32([scores]) if image_id == 0 else [])
        estimator.poses(frame, box, np.ones(1))
        estimator.save()
        return Recorder.asked - before

    assert [asked(), asked()] == [1, 0]
    assert asked(scores=0.9) == asked(recipe=other) == asked(read="vote") == 1
    assert asked(weights=b"others") == 1 and asked() == 0


def test_boxes_of_other_images_are_refused(tmp_path):
    (tmp_path / "net").write_bytes(b"weights")
    found = Detections(np.array([77]), np.array([[0.0, 0, 9, 9]]), np.ones(1))
    setup = tmp_path / "net", lambda recipe: Recorder(), found, tmp_path
    network = networks.of_network(*setup)
    with pytest.raises(LaboratoryError, match=r"such as \[0\].*such as \[77\]"):
        network(SEQUENCE, B6)
