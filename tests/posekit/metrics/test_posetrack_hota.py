import numpy as np
import pytest
from posetrack_people import prediction, truth

from posekit.metrics.posetrack import evaluate


def figures(annotated, predicted, num_frames):
    found = evaluate([truth(annotated, num_frames)], [prediction(predicted, num_frames)]).hota
    return [values[0] for values in (found.hota, found.deta, found.assa)]


def at(x):
    return {0: (x, 50)}


def test_two_tracks_for_one_person():
    # All found; of 4 frames 3 with track 7 and 1 with track 8.
    annotated = [(f, 1, at(100)) for f in range(4)]
    predicted = [(f, 7 if f < 3 else 8, at(100)) for f in range(4)]
    association = (3 * 3 / 4 + 1 * 1 / 4) / 4
    expected = [100 * np.sqrt(association), 100, 100 * association]
    np.testing.assert_allclose(figures(annotated, predicted, 4), expected)


def test_misses_and_false_positives():
    # Frame 0 and 1 found, 2 missed, a stray of another track in frame 0: TP 2, FN 1, FP 1.
    annotated = [(f, 1, at(100)) for f in range(3)]
    predicted = [(0, 7, at(100)), (0, 9, at(500)), (1, 7, at(100))]
    detection, association = 2 / 4, 2 / 3
    expected = [np.sqrt(detection * association), detection, association]
    np.testing.assert_allclose(figures(annotated, predicted, 3), 100 * np.array(expected))


def test_distance_counts_at_each_threshold():
    # 3 px of a head of 30: similarity 0.9, a match at 18 of 19 thresholds, 0.9 itself included;
    # 22.5 px, too far for MOTA: similarity 0.25, at 5.
    for pixels, matched in ((3, 18), (22.5, 5)):
        found = figures([(0, 1, at(100))], [(0, 7, at(100 + pixels))], 1)
        np.testing.assert_allclose(found, 100 * matched / 19)


def test_whole_tracks_decide_who_belongs_together():
    # In frame 2 tracks 7 and 8 are both near person 1; 7 has been his before, 8 is nearer.
    annotated = [(f, 1, at(100)) for f in range(3)]
    predicted = [(0, 7, at(100)), (1, 7, at(100)), (2, 7, at(103)), (2, 8, at(101.5))]
    hota, deta, assa = figures(annotated, predicted, 3)
    # Track 7 is there at 18 thresholds in frame 2; never track 8, which is a false positive.
    np.testing.assert_allclose(assa, 100 * (18 * 1 + 1 * 2 / 4) / 19)
    np.testing.assert_allclose(deta, 100 * (18 * 3 / 4 + 1 * 2 / 5) / 19)


def test_sequences_add_up_and_nobody_has_none():
    one = [(f, 1, at(100)) for f in range(2)]
    lost = [(0, 7, at(100))]
    truths = [truth(one, 2), truth(one, 2, file="another")]
    found = evaluate(truths, [prediction(lost, 2), prediction(one, 2)])
    detection, association = 3 / 4, (1 / 2 + 2 * 1) / 3
    assert found.hota.deta[0] == pytest.approx(100 * detection)
    assert found.hota.assa[0] == pytest.approx(100 * association)
    assert found.mean("hota") == pytest.approx(100 * np.sqrt(detection * association))
    assert np.isnan(found.hota.hota[1:]).all()
    assert figures(one, [], 2) == [0, 0, 0]
