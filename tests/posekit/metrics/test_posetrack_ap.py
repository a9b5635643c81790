import numpy as np
import pytest
from posetrack_people import prediction, truth

from posekit.metrics.posetrack import evaluate
from posekit.metrics.posetrack_ap import assignment, average_precision


def ap_of(annotated, predicted, compat=False):
    return evaluate([truth(annotated)], [prediction(predicted, 1)], compat).ap


def points(x, keypoints=(0, 1, 2, 3), **scores):
    """Keypoints at x, 10 px apart; a score for all of them."""
    return {k: (x, 10 * k, scores.get("score", 1)) for k in keypoints}


def test_three_people_by_hand():
    # Head size 30, so 15 px are right. Prediction A fits person 1, B is 20 px off person 2 in
    # keypoint 0 alone, C is far from everybody.
    annotated = [(0, i, points(100 * i)) for i in (1, 2, 3)]
    b = points(200, score=0.8) | {0: (220, 0, 0.95)}
    predicted = [(0, 1, points(100, score=0.9)), (0, 2, b), (0, 3, points(600, score=0.7))]
    found = ap_of(annotated, predicted)
    # Keypoint 0 by score: wrong 0.95, right 0.9, wrong 0.7: precisions 0, 1/2, 1/3, recall 1/3.
    assert found[0] == pytest.approx(100 * 1 / 3 * 1 / 2)
    # Others: right, right, wrong: recall 2/3 at precision 1.
    np.testing.assert_allclose(found[1:4], 100 * 2 / 3)
    assert np.isnan(found[4:]).all()  # nobody has them


def test_half_a_head_off_is_right_and_more_is_not():
    annotated = [(0, 1, points(100))]
    assert ap_of(annotated, [(0, 1, points(115))])[0] == 100
    assert ap_of(annotated, [(0, 1, points(115.01))])[0] == 0


def test_keypoints_that_the_person_does_not_have_are_false_positives():
    annotated = [(0, 1, points(100, (0, 1))), (0, 2, points(300))]
    predicted = [(0, 1, points(100, score=0.9)), (0, 2, points(300, score=0.8))]
    found = ap_of(annotated, predicted)
    np.testing.assert_allclose(found[:4], [100, 100, 50, 50])
    scores = evaluate([truth(annotated)], [prediction(predicted, 1)])
    np.testing.assert_allclose(scores.mota[:4], [100, 100, 0, 0])


def test_scores_play_no_role_in_the_assignment():
    # Both predictions fit person 1; the one with more keypoints right has it, the other nothing.
    annotated = [(0, 1, points(100))]
    better, worse = points(100, score=0.1), points(100, (0, 1), score=0.9)
    np.testing.assert_allclose(ap_of(annotated, [(0, 1, worse), (0, 2, better)])[0], 50)
    near = np.zeros((2, 3, 15), bool)
    near[0, 0, :3] = near[0, 1, :4] = near[1, 1, :2] = True
    # Prediction 1 has 4 of 4 of person 0 and 2 of 2 of person 1: the first of equal ones.
    rows = assignment(near, np.array([4, 2]))
    assert [row.tolist() for row in rows] == [[0], [1]]
    rows = assignment(near, np.array([8, 2]))  # now person 1 is better: 0 keeps prediction 0
    assert [row.tolist() for row in rows] == [[0, 1], [0, 1]]
    assert [len(row) for row in assignment(near[:, :0], np.array([4, 2]))] == [0, 0]


def test_the_best_of_equal_predictions_is_the_first():
    near = np.zeros((1, 2, 15), bool)
    near[0, :, 0] = True
    assert [row.tolist() for row in assignment(near, np.array([1]))] == [[0], [0]]


def test_area_under_the_curve():
    right = np.array([True, False, True, True])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    # Recall 1/5, 1/5, 2/5, 3/5; precision 1, 1/2, 2/3, 3/4, made monotone 1, 3/4, 3/4, 3/4.
    expected = 1 / 5 + 2 / 5 * 3 / 4
    assert average_precision(scores, right, 5) == pytest.approx(expected)
    mixed = [2, 0, 3, 1]
    assert average_precision(scores[mixed], right[mixed], 5) == pytest.approx(expected)
    assert average_precision(np.zeros(0), np.zeros(0, bool), 5) == 0


def test_ties_are_one_point_whatever_their_order():
    # 0.5 for one right and one wrong: recall 1/2 at precision 1/2, whoever stands first.
    for right in ([True, False], [False, True]):
        assert average_precision(np.full(2, 0.5), np.array(right), 2) == pytest.approx(0.25)
    # poseval takes them from the last to the first (a stable order for so few).
    for right, expected in (([True, False], 0.25), ([False, True], 0.5)):
        found = average_precision(np.full(2, 0.5), np.array(right), 2, pool_ties=False)
        assert found == pytest.approx(expected)


def test_keypoints_that_nobody_has():
    annotated = [(0, 1, points(100))]
    predicted = [(0, 1, points(100) | {4: (500, 0, 1)})]
    scores = evaluate([truth(annotated)], [prediction(predicted, 1)])
    assert np.isnan(scores.ap[4:]).all() and scores.mean("ap") == 100
    assert np.isnan(scores.mota[4:]).all() and scores.mean("mota") == 100
    # poseval: one that was predicted has no AP, the ten others have 0 and count.
    compat = evaluate([truth(annotated)], [prediction(predicted, 1)], compat=True)
    assert np.isnan(compat.ap[4]) and (compat.ap[5:] == 0).all()
    assert compat.mean("ap") == pytest.approx(100 * 4 / 14)
    assert compat.groups("ap")["Knee"] is None and scores.groups("ap")["Knee"] == 100


def test_columns_of_the_table():
    wrong = {13: (600, 0), 0: (600, 0), 10: (600, 0)}  # nose, right ankle, left elbow
    annotated = [(0, 1, points(100, range(15)))]
    scores = evaluate([truth(annotated)], [prediction([(0, 1, annotated[0][2] | wrong)], 1)])
    columns = {"Head": 200 / 3, "Shou": 100, "Elb": 50, "Wri": 100, "Hip": 100, "Knee": 100}
    columns |= {"Ankl": 50, "Total": 100 * 12 / 15}
    assert scores.groups("ap") == pytest.approx(columns)
    assert list(scores.groups("recall")) == list(columns)


def test_annotated_but_never_predicted_is_0():
    assert ap_of([(0, 1, points(100))], [(0, 1, points(100, (0,)))]).tolist()[:2] == [100, 0]


def test_missing_scores_are_last_in_poseval():
    annotated = [(0, 1, points(100)), (0, 2, points(300))]
    predicted = [(0, 1, points(100, score=None)), (0, 2, points(600, score=0.1))]
    np.testing.assert_allclose(ap_of(annotated, predicted, compat=True)[:4], 25)
    # Where nobody has any, all are alike.
    predicted = [(0, 1, points(100, score=None)), (0, 2, points(600, score=None))]
    np.testing.assert_allclose(ap_of(annotated, predicted)[:4], 25)


def test_head_boxes_without_size_match_nothing():
    annotated = [(0, 1, points(100)), (0, 2, points(300))]
    sequence = truth(annotated, heads=[(5, 5, 5, 5), (0, 0, 30, 40)])
    scores = evaluate([sequence], [prediction([(0, 1, points(100)), (0, 2, points(300))], 1)])
    np.testing.assert_allclose(scores.mota[:4], 0)  # one miss and one false positive of two
    assert scores.counts["heads_without_size"] == 1


def test_every_person_is_measured_with_the_own_head():
    # The first has no keypoints and is left out; 25 px are right with a head of 60 alone.
    annotated = [(0, 1, {}), (0, 2, points(100)), (0, 3, points(300))]
    sequence = truth(annotated, heads=[(0, 0, 60, 80), (0, 0, 30, 40), (0, 0, 60, 80)])
    predicted = [(0, 2, points(110)), (0, 3, points(325))]
    scores = evaluate([sequence], [prediction(predicted, 1)])
    assert scores.recall[:4].tolist() == [100] * 4
    assert scores.motp[0] == pytest.approx(100 * (1 - (10 / 30 + 25 / 60) / 2))
