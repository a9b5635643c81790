import json

import numpy as np
import pytest

from posekit.boxes import iou_matrix
from posekit.detections import Detections, DetectionsError
from posekit.metrics.coco_truth import read_truth
from posekit.metrics.voc_boxes import ImageTruth, truths_of_coco, voc_average_precision


def at(*lefts):
    """Boxes 10 x 10; the overlap of those shifted by s is (10 - s) / (10 + s)."""
    return np.array([[x, 0, x + 10, 10] for x in lefts], np.float64).reshape(-1, 4)


def detections(*rows):
    """From (image id, x, score)."""
    ids, x, scores = np.array(rows, np.float64).reshape(-1, 3).T
    return Detections(ids.astype(int), at(*x), scores)


TRUTHS = {
    1: ImageTruth(at(0, 100, 200), np.array([False, False, True])),
    2: ImageTruth(at(0)),
    3: ImageTruth(at(0)),
}
FOUND = detections(
    (1, 0, 0.9),  # true
    (1, 2.5, 0.8),  # the same person again: false
    (1, 202, 0.7),  # difficult: does not count
    (1, 300, 0.6),  # nobody: false
    (1, 101, 0.5),  # true
    (2, 5, 0.4),  # overlap 1/3: false
    (2, 0, 0.1),  # true, but not confident
    (8, 0, 0.9),  # not among the images
)


def test_by_hand():
    found = voc_average_precision(TRUTHS, FOUND, 0.5, 0.15)
    # Precisions 1, 1/2, 1/3, 2/4, 2/5 at recalls 1/4, 1/4, 1/4, 2/4, 2/4.
    assert found.every_point == pytest.approx(1 / 4 * 1 + 1 / 4 * 1 / 2)
    assert found.eleven_point == pytest.approx((3 * 1 + 3 * 1 / 2) / 11)
    assert (found.precision, found.recall) == (2 / 5, 2 / 4)
    assert (found.people, found.boxes, found.ignored, found.unknown_image) == (4, 6, 1, 1)


def test_confidence_and_overlap():
    low = voc_average_precision(TRUTHS, FOUND, 0.5, 0.1)
    assert low.boxes == 7 and low.recall == 3 / 4
    # One more at the end: 3 of 6, so the precision at recalls 1/4, 2/4 and 3/4 is 1, 1/2, 1/2.
    assert low.every_point == pytest.approx(1 / 4 + 1 / 4 * 1 / 2 + 1 / 4 * 1 / 2)
    high = voc_average_precision(TRUTHS, FOUND, 0.5, 0.85)
    assert high.every_point == pytest.approx(1 / 4) and high.eleven_point == pytest.approx(3 / 11)
    loose = voc_average_precision(TRUTHS, FOUND, 1 / 3, 0.15)
    assert loose.recall == 3 / 4
    strict = voc_average_precision(TRUTHS, FOUND, 1.0, 0.15)
    assert strict.recall == 1 / 4 and strict.ignored == 0


def test_a_box_is_compared_with_the_person_that_it_overlaps_most():
    # Box 1 overlaps the first person by 0.82, the second by 0.6: the first is taken, so it is
    # false, though nobody else has the second.
    truths = {1: ImageTruth(at(0, 3.5))}
    found = voc_average_precision(truths, detections((1, 0, 0.9), (1, 1, 0.8)))
    assert found.recall == 1 / 2 and found.precision == 1 / 2


def test_boxes_in_a_crowd_do_not_count():
    truths = {1: ImageTruth(at(0), None, np.array([[0.0, 0, 60, 10]]))}
    # True, inside, half inside, outside.
    boxes = detections((1, 0, 0.9), (1, 40, 0.8), (1, 55, 0.7), (1, 56, 0.6))
    found = voc_average_precision(truths, boxes)
    assert found.ignored == 2 and found.precision == 1 / 2 and found.recall == 1


def by_loops(truths, found, iou, confidence):
    """The development kit's way: one box after the other over all images."""
    taken = {image_id: set() for image_id in truths}
    true = []
    for row in np.argsort(-found.scores, kind="stable"):
        truth = truths[int(found.image_ids[row])]
        if found.scores[row] < confidence:
            continue
        overlaps = iou_matrix(found.boxes[row, None], truth.boxes)[0]
        best = overlaps.argmax()
        mine = taken[int(found.image_ids[row])]
        if overlaps[best] >= iou and truth.difficult[best]:
            continue
        true.append(overlaps[best] >= iou and best not in mine)
        if overlaps[best] >= iou:
            mine.add(best)
    people = sum((~truth.difficult).sum() for truth in truths.values())
    recall = np.cumsum(true) / people
    precision = np.cumsum(true) / np.arange(1, len(true) + 1)
    eleven = [max(precision[recall >= t], default=0) for t in np.arange(11) / 10]
    steps = np.flatnonzero(true)
    every = sum(max(precision[step:]) / people for step in steps)
    return every, np.mean(eleven)


@pytest.mark.parametrize("seed", range(3))
def test_against_loops(seed):
    rng = np.random.default_rng(seed)
    truths, parts = {}, []
    for image_id in range(10, 30):
        count = rng.integers(1, 9)
        corners = rng.uniform(0, 60, (count, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(10, 40, (count, 2))], axis=1)
        truths[image_id] = ImageTruth(boxes, rng.random(count) < 0.2)
        near = np.repeat(boxes, 3, axis=0) + rng.normal(0, 4, (3 * count, 4))
        parts.append((np.full(3 * count, image_id), near, rng.random(3 * count)))
    found = Detections(*map(np.concatenate, zip(*parts, strict=True)))
    scores = voc_average_precision(truths, found, 0.5, 0.2)
    expected = by_loops(truths, found, 0.5, 0.2)
    np.testing.assert_allclose((scores.every_point, scores.eleven_point), expected)
    assert 0.1 < scores.every_point < 0.9


def test_nobody_and_nothing():
    nobody = voc_average_precision({1: ImageTruth(at())}, detections((1, 0, 0.9)))
    assert nobody.every_point is nobody.eleven_point is nobody.recall is None
    assert nobody.precision == 0 and nobody.people == 0
    nothing = voc_average_precision(TRUTHS, detections())
    assert nothing.every_point == nothing.eleven_point == nothing.recall == 0
    assert nothing.precision is None
    nowhere = voc_average_precision({}, detections((1, 0, 0.9)))
    assert nowhere.people == nowhere.boxes == 0 and nowhere.every_point is None
    perfect = voc_average_precision({1: ImageTruth(at(0, 50, 90))}, detections(
        (1, 0, 0.9), (1, 50, 0.8), (1, 90, 0.7)
    ))  # fmt: skip
    assert perfect.every_point == perfect.eleven_point == 1


def test_people_and_crowds_of_a_coco_file(tmp_path):
    people = [
        {"id": 1, "image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 9, "iscrowd": 0},
        {"id": 2, "image_id": 5, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 9, "iscrowd": 1},
    ]
    categories = [{"id": 1, "name": "person"}]
    file = {"images": [{"id": 5}, {"id": 6}], "annotations": people, "categories": categories}
    (tmp_path / "truth.json").write_text(json.dumps(file))
    truths = truths_of_coco(read_truth(tmp_path / "truth.json"))
    assert truths.keys() == {5, 6} and len(truths[6].boxes) == len(truths[6].crowds) == 0
    assert truths[5].boxes.tolist() == [[1, 2, 4, 6]]
    assert truths[5].crowds.tolist() == [[0, 0, 9, 9]]


def test_what_is_out_of_range_is_refused():
    with pytest.raises(DetectionsError, match="above 0 and at most 1, received 0"):
        voc_average_precision(TRUTHS, FOUND, iou=0)
    with pytest.raises(DetectionsError, match=r"image 1: expected difficult \(1,\) bool"):
        voc_average_precision({1: ImageTruth(at(0), np.array([0, 1]))}, FOUND)
