import dataclasses

import numpy as np
import pytest
from posetrack_people import HEAD, prediction, truth, walk

from posekit.datasets.posetrack_results import predicted_sequence
from posekit.metrics.coco import EvaluationError
from posekit.metrics.posetrack import evaluate
from posekit.metrics.posetrack_heads import head_sizes
from posekit.metrics.posetrack_regions import inside_any
from posekit.poses import Poses
from posekit.skeletons import COCO, POSETRACK

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)


def test_inside_is_strictly_inside():
    points = np.array([[5, 5], [0, 5], [10, 10], [5, 10], [10.01, 5], [-5, 0], [15, 10], [5, -1]])
    for polygon in (SQUARE, SQUARE[::-1], np.roll(SQUARE, 1, axis=0)):
        assert inside_any(points, [polygon]).tolist() == [True] + [False] * 7
    hollow = np.array([[0, 0], [4, 4], [8, 0], [8, 8], [0, 8]], float)  # a notch from above
    beside = np.array([[4, 2], [4, 4], [4, 5], [1, 2], [2, 2], [7.5, 4]])
    assert inside_any(beside, [hollow]).tolist() == [False, False, True, True, False, True]
    assert inside_any(points.reshape(2, 4, 2), [SQUARE, SQUARE + 4]).shape == (2, 4)
    assert inside_any(points, [SQUARE, SQUARE + 4]).tolist() == [True, False, True, True] + [
        True,
        False,
        False,
        False,
    ]
    assert inside_any(np.array([[2, 2], [12, 12]]), [SQUARE + 4, SQUARE]).all()
    assert not inside_any(points, []).any()


def test_parity_of_inside_with_opencv():
    import cv2

    random = np.random.default_rng(0)
    polygon = random.integers(0, 30, (7, 2))
    points = random.integers(-2, 32, (400, 2))  # many on edges and corners
    contour = polygon.astype(np.float32).reshape(-1, 1, 2)
    expected = [cv2.pointPolygonTest(contour, tuple(map(float, p)), False) > 0 for p in points]
    np.testing.assert_array_equal(inside_any(points, [polygon]), expected)


def test_ignore_regions_take_keypoints_from_both_sides():
    # Person 1 stands in the region with keypoint 0, on its border with 1, outside with 2.
    region = ((np.array([[90, 40], [110, 40], [110, 60], [90, 60]], float),),)
    annotated = [(0, 1, {0: (100, 50), 1: (110, 50), 2: (300, 50)}), (0, 2, {0: (101, 51)})]
    predicted = [(0, 1, {0: (100, 50), 1: (110, 50), 2: (300, 50)}), (0, 5, {0: (105, 55)})]
    sequence = truth(annotated, regions={0: region[0]}.items())
    scores = evaluate([sequence], [prediction(predicted, 1)])
    assert scores.mot.annotated[:3].tolist() == [0, 1, 1]
    assert scores.mot.false_positives.sum() == scores.mot.misses.sum() == 0
    assert scores.counts["annotated_people"] == 1 and scores.counts["predicted_people"] == 1
    assert scores.counts["predicted_people_left_out"] == 1
    np.testing.assert_array_equal(scores.ap[:3], [np.nan, 100, 100])


def test_frames_without_people_do_not_count_but_emptied_ones_do():
    region = (np.array([[90, 40], [110, 40], [110, 60], [90, 60]], float),)
    annotated = [(0, 1, {0: (300, 50)}), (2, 1, {0: (100, 50)}), (3, 1, {})]
    annotated += [(4, 1, {0: (300, 50)})]
    stray = [(f, 7, {0: (500, 50)}) for f in (1, 2, 3)]
    predicted = sorted([*stray, (0, 1, {0: (300, 50)}), (4, 1, {0: (300, 50)})], key=lambda p: p[0])
    sequence = truth(annotated, regions={2: region}.items())
    scores = evaluate([sequence], [prediction(predicted, 5)])
    assert scores.counts["frames"] == 5 and scores.counts["frames_evaluated"] == 4
    assert scores.mot.false_positives[0] == 2 and scores.mot.annotated[0] == 2
    compat = evaluate([sequence], [prediction(predicted, 5)], compat=True)
    # Frame 4 is the last one; 2 and 3 are one miss and one false positive each, of every class.
    assert compat.mot.annotated.tolist() == [3] + [2] * 14
    assert compat.mot.misses[0] == compat.mot.false_positives[0] == 2


@pytest.mark.parametrize("seed", [1, 2])
def test_truth_as_prediction_is_100_in_everything(seed):
    annotated, _ = walk(seed, num_frames=12, noise=0.2)
    sequence = truth(annotated, 13)
    own = prediction(annotated, 13)
    scores = evaluate([sequence], [own])
    for name, values in scores.figures().items():
        np.testing.assert_allclose(values, 100, err_msg=name)
        assert set(scores.groups(name).values()) == {100.0}


def test_poses_in_memory():
    annotated = [(f, 1, {0: (100, 50), 14: (0, 0)}) for f in (0, 2)]
    keypoints = np.zeros((2, 15, 3))
    keypoints[0, 0] = 100, 50, 0.6
    keypoints[0, 14] = 0, 0, 0.5  # at the origin, but there
    keypoints[0, 5] = 7, 7, 0  # not there
    keypoints[1, 3] = 9, 9, -1  # neither is this person
    poses = Poses(keypoints, np.ones(2), np.zeros((2, 4)), POSETRACK, np.array([4, 2]))
    joined = predicted_sequence([poses, Poses.empty(POSETRACK), poses])
    assert joined.frame.tolist() == [0, 2] and joined.track_ids.tolist() == [4, 4]
    assert joined.keypoints[0, 14].tolist() == [0, 0, 2] and not joined.keypoints[0, 5].any()
    assert joined.scores[0, 0] == pytest.approx(0.6) and np.isnan(joined.scores[0, 5])
    scores = evaluate([truth(annotated)], [joined])
    assert scores.ap[[0, 14]].tolist() == [100, 100] and scores.mot.switches.sum() == 0
    coco = Poses(np.ones((1, 17, 3)), np.ones(1), np.zeros((1, 4)), COCO)
    there = predicted_sequence([coco]).keypoints[0, :, 2] > 0
    missing = [name for name, seen in zip(POSETRACK.names, there, strict=True) if not seen]
    assert missing == ["neck", "head_top"]
    assert predicted_sequence([coco]).track_ids.tolist() == [-1]


def test_without_track_ids_there_is_ap_alone():
    annotated = [(0, 1, {0: (100, 50)})]
    predicted = [(0, None, {0: (100, 50)}), (0, None, {0: (300, 50)})]
    for compat in (False, True):
        scores = evaluate([truth(annotated)], [prediction(predicted, 1)], compat)
        assert scores.ap[0] == 50 and scores.groups("mota") is None and scores.mean("hota") is None
        assert scores.mota is scores.motp is scores.precision is scores.recall is None
    untracked = truth([(0, None, {0: (100, 50)})])
    assert evaluate([untracked], [prediction(annotated, 1)]).mota is None


def test_nothing_predicted_and_nothing_annotated():
    annotated = [(0, 1, {0: (100, 50)})]
    scores = evaluate([truth(annotated)], [prediction([], 1)])
    assert scores.ap[0] == scores.mota[0] == scores.recall[0] == 0
    assert scores.motp[0] == 0 and np.isnan(scores.precision[0])
    for compat in (False, True):
        nobody = evaluate([truth([], 3)], [prediction(annotated, 3)], compat)
        assert nobody.counts["frames_evaluated"] == 0 and nobody.mean("mota") is None


def test_head_sizes():
    neck, top = POSETRACK.names.index("neck"), POSETRACK.names.index("head_top")
    ends = {neck: (100, 100), top: (100, 60)}
    people = [(0, 1, {0: (1, 1)}), (0, 2, ends), (1, 1, {0: (1, 1)}), (1, 3, {0: (1, 1)})]
    none = [np.nan] * 4
    sequence = truth(people, heads=[HEAD, none, none, none])
    sizes, estimated = head_sizes(sequence, estimate=True)
    assert sizes.tolist() == [30, 30, 30, 30] and estimated.tolist() == [False, True, True, True]
    sequence = truth(people, heads=[(0, 0, 60, 80), none, none, none])
    # Its own 0.75 * 40; the track's 60; of the sequence the median of 60 and 30.
    assert head_sizes(sequence, estimate=True)[0].tolist() == [60, 30, 60, 45]
    with pytest.raises(EvaluationError, match=r"frame 0, .*000000.jpg, person 1: expected a head"):
        head_sizes(sequence)
    with pytest.raises(EvaluationError, match="no neck and head top in the sequence either"):
        head_sizes(truth([(0, 1, {0: (1, 1)})], heads=[none]), estimate=True)
    bare = truth([(0, 1, {}), *people[1:]], heads=[none, HEAD, HEAD, HEAD])
    sizes, estimated = head_sizes(bare, estimate=True)
    assert np.isnan(sizes[0]) and not estimated.any()  # a person without keypoints needs none


ONE = [(0, 1, {0: (100, 50)}), (1, 1, {0: (100, 50)})]
OTHER_NAMES = tuple(f"images/val/000342_mpii/{i:06}.jpg" for i in (1, 0))


@pytest.mark.parametrize(
    ("people", "changes", "message"),
    [
        (ONE, {"num_frames": 3}, r"results.000342_mpii.json: expected 2 frames .*received 3"),
        (ONE, {"image_ids": np.array([100, 102])}, "frame 1: expected image id 101 .* 102"),
        (ONE, {"file_names": OTHER_NAMES}, "frame 0: expected file name 000000.jpg"),
        ([*ONE, ONE[1]], {}, r"frame 1, person 1: expected a track id once in a frame, received 1"),
        ([ONE[0], (1, None, {0: (1, 1)})], {}, "frame 1, person 0: expected a track id as others"),
        ([ONE[0], (1, 2, {0: (1, 1, None)})], {}, "frame 1, person 0: expected a score of every"),
    ],
)
def test_faulty_predictions_are_refused(people, changes, message):
    with pytest.raises(EvaluationError, match=message):
        evaluate([truth(ONE)], [dataclasses.replace(prediction(people, 2), **changes)])


@pytest.mark.parametrize(
    ("people", "changes", "message"),
    [
        ([*ONE, ONE[1]], {}, r"frame 1, .*000001.jpg, person 1: expected a track id once"),
        ([ONE[0], (1, None, {0: (1, 1)})], {}, "frame 1, .* person 0: expected a track id as"),
        (ONE, {"videos": ("a", "b")}, "expected one sequence in a file, received a, b"),
    ],
)
def test_faulty_annotations_are_refused(people, changes, message):
    with pytest.raises(EvaluationError, match="000342_mpii.json: " + message):
        evaluate([truth(people, **changes)], [prediction(ONE, 2)])


def test_more_refusals():
    with pytest.raises(EvaluationError, match="predictions of 1 sequences, received 0"):
        evaluate([truth(ONE)], [])
    with pytest.raises(EvaluationError, match="at least one sequence, received none"):
        evaluate([], [])
    large = [(0, 10000, {0: (100, 50)}), (1, 9999, {0: (100, 50)})]
    assert evaluate([truth(ONE)], [prediction(large, 2)]).mot.switches[0] == 1
    with pytest.raises(EvaluationError, match="person 0: expected track ids of 0 to 9999"):
        evaluate([truth(ONE)], [prediction(large, 2)], compat=True)
    same = dataclasses.replace(
        prediction(ONE, 2), image_ids=np.array([100, 101]), file_names=("a", "b")
    )
    assert evaluate([truth(ONE)], [same]).mean("mota") == 100  # ids agree: names may differ
