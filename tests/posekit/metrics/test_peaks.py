import numpy as np
import pytest

from posekit.metrics.peaks import PeakMetric, match_peaks

SIGMAS = np.array([0.05, 0.05], np.float32)
AREA = np.array([10_000.0, 10_000.0], np.float32)
# Two people, 100 px apart; similarity 0.5 is reached at 0.05 * 2 * 100 * sqrt(2 ln 2) = 11.8 px.
PEOPLE = np.array([[[50, 50, 2], [60, 80, 2]], [[150, 50, 1], [0, 0, 0]]], np.float32)


def peaks(*rows):
    return np.array(rows, np.float32)


def test_a_match_lies_within_the_hand_computed_radius():
    found = peaks([[50 + 11.7, 50, 0.9], [150, 50 + 11.9, 0.8]], [[0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        match_peaks(found, PEOPLE, AREA, SIGMAS), [[True, False], [False, False]]
    )


def test_a_keypoint_is_matched_once_by_the_better_score():
    found = peaks([[50, 50, 0.3], [52, 50, 0.9]], [[0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(match_peaks(found, PEOPLE, AREA, SIGMAS)[0], [False, True])


def test_types_do_not_mix_and_unlabelled_keypoints_match_nothing():
    found = peaks([[60, 80, 0.9]], [[0, 0, 0.9]])
    assert not match_peaks(found, PEOPLE, AREA, SIGMAS).any()


def test_figures_by_hand():
    metric = PeakMetric(SIGMAS)
    # By score: hit, false, hit, false; 3 labelled.
    # Precision 1, 1/2, 2/3, 1/2; recall 1/3, 1/3, 2/3, 2/3.
    found = peaks([[50, 50, 0.9], [90, 90, 0.8]], [[60, 80, 0.7], [10, 10, 0.6]])
    metric.update_peaks(found, PEOPLE, AREA)
    metric.update_mask(np.array([[True, True, False]]), np.array([[True, False, True]]))
    result = metric.result()
    assert result["recall"] == pytest.approx(2 / 3)
    assert result["score_at"] == pytest.approx(0.6)
    assert result["peak_ap"] == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert result["mask_iou"] == pytest.approx(1 / 3)


def test_peaks_on_ignored_people_are_not_counted_as_false():
    ignored = np.zeros((50, 50), bool)
    ignored[20:25, 20:25] = True  # pixels 80..100 at stride 4
    metric = PeakMetric(SIGMAS)
    found = peaks([[50, 50, 0.5], [90, 90, 0.8]], [[60, 80, 0.7], [0, 0, 0]])
    metric.update_peaks(found, PEOPLE, AREA, ignored, stride=4)
    assert metric.curve()[0].tolist() == [1.0, 1.0]


def test_nothing_found_and_nobody_there():
    metric = PeakMetric(SIGMAS)
    nobody = np.zeros((0, 2, 3), np.float32)
    metric.update_peaks(np.zeros((2, 3, 3), np.float32), nobody, np.zeros(0))
    assert metric.result()["recall"] == 0.0
