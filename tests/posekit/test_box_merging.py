import numpy as np
import pytest
from work_done import steps

from posekit.box_merging import merge, nms, soft_nms, weighted_box_fusion
from posekit.boxes import iou_matrix
from posekit.detections import Detections, DetectionsError

# Boxes 10 high: the overlap of those shifted by s is (10 - s) / (10 + s).
TWINS = np.array([[0.0, 0, 10, 10], [2.5, 0, 12.5, 10], [5, 0, 15, 10], [100, 0, 110, 10]])


def crowd(count, seed=0, side=600):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, side, (count, 2))
    sizes = rng.uniform(20, 120, (count, 2))
    return np.concatenate([corners, corners + sizes], axis=1), rng.random(count)


def detections(rows):
    """From (image id, x, score), boxes 10 x 10."""
    ids, x, scores = np.array(rows, np.float64).reshape(-1, 3).T
    boxes = np.stack([x, 0 * x, x + 10, 0 * x + 10], axis=-1)
    return Detections(ids.astype(int), boxes, scores)


def test_nms_keeps_the_best_and_spares_what_only_a_dropped_box_overlaps():
    # Overlaps of the best, box 1, with its twins: 7.5 / 12.5 = 0.6 both; 0 and 2 have 1 / 3.
    scores = [0.8, 0.9, 0.7, 0.1]
    assert nms(TWINS, scores, 0.59).tolist() == [1, 3]
    assert nms(TWINS, scores, 0.6).tolist() == [1, 0, 2, 3]  # 0.6 is not above 0.6
    assert nms(TWINS, [0.9, 0.8, 0.7, 0.1], 0.5).tolist() == [0, 2, 3]  # 1 goes, so 2 stays
    assert nms(TWINS, [0.5, 0.5, 0.5, 0.5], 0.5).tolist() == [0, 2, 3]  # ties in order


def test_nms_by_a_loop_over_pairs():
    boxes, scores = crowd(300)
    kept = []
    for i in np.argsort(-scores):
        if all(iou_matrix(boxes[i, None], boxes[j, None]).item() <= 0.3 for j in kept):
            kept.append(i)
    assert 100 < len(kept) < 300 and nms(boxes, scores, 0.3).tolist() == kept


def test_nms_of_a_thousand_boxes_is_not_a_loop_over_pairs():
    boxes, scores = crowd(1000)
    # Measured: 3,138; there are 500,000 pairs.
    assert steps(lambda: nms(boxes, scores)) < 6000


def test_soft_nms_by_hand():
    scores = [0.8, 0.9, 0.7, 0.1]
    gauss = np.exp(-(0.6**2) / 0.5), np.exp(-((1 / 3) ** 2) / 0.5)
    kept, lowered = soft_nms(TWINS, scores, 0.5)
    assert kept.tolist() == [1, 0, 2, 3]
    np.testing.assert_allclose(lowered, [0.9, 0.8 * gauss[0], 0.7 * gauss[0] * gauss[1], 0.1])
    kept, lowered = soft_nms(TWINS, scores, 0.5, "linear")  # 1 / 3 is below 0.5: no effect
    assert kept.tolist() == [1, 0, 2, 3]
    np.testing.assert_allclose(lowered, [0.9, 0.8 * 0.4, 0.7 * 0.4, 0.1])


def test_fusion_by_hand():
    # A and B found one person (overlap 0.6), only A another one.
    boxes, scores = TWINS[[0, 1, 3]], [0.8, 0.4, 0.6]
    found, fused = weighted_box_fusion(boxes, scores, [0, 1, 0], [1, 1])
    left = 2.5 * 0.4 / 1.2
    np.testing.assert_allclose(found, [[left, 0, left + 10, 10], [100, 0, 110, 10]])
    np.testing.assert_allclose(fused, [0.6, 0.6 / 2])  # mean; mean times one of two detectors
    # B counts three times: pull 0.8 to 1.2, mean score 2 / 4; the other is one of four.
    found, fused = weighted_box_fusion(boxes, scores, [0, 1, 0], [1, 3])
    np.testing.assert_allclose(found[0], [1.5, 0, 11.5, 10])
    np.testing.assert_allclose(fused, [0.5, 0.15])


def test_fusion_compares_with_the_mean_box_and_takes_the_nearest():
    # The third overlaps the first by 1 / 3 only, but the mean of the two by 6.25 / 13.75 = 0.4545.
    boxes, scores, sources = TWINS[:3], [0.5, 0.5, 0.5], [0, 1, 2]
    assert len(weighted_box_fusion(boxes, scores, sources, [1] * 3, 0.45)[0]) == 1
    assert len(weighted_box_fusion(boxes, scores, sources, [1] * 3, 0.46)[0]) == 2
    # Between two clusters, a box joins that of the greater overlap: 0.6 beats 1 / 3.
    places = np.array([[0.0, 0, 10, 10], [7.5, 0, 17.5, 10], [5, 0, 15, 10]])
    found, _ = weighted_box_fusion(places, [0.9, 0.8, 0.1], [0, 0, 1], [1, 1], 0.3)
    assert found[np.argsort(found[:, 0])][0, 0] == 0 and len(found) == 2


def test_fusion_of_more_boxes_than_detectors_and_of_score_zero():
    _, fused = weighted_box_fusion(TWINS[[0, 0, 0]], [0.6, 0.6, 0.6], [0, 0, 0], [1])
    np.testing.assert_allclose(fused, [0.6])
    found, fused = weighted_box_fusion(TWINS[:1], [0.0], [0], [1, 1])
    np.testing.assert_allclose(found, TWINS[:1])
    assert fused[0] < 1e-9


def test_merge_image_by_image():
    a = detections([(7, 0, 0.9), (3, 0, 0.5), (3, 50, 0.05)])
    b = detections([(7, 2, 0.8), (9, 0, 0.7), (3, 20, 0.6)])  # overlap of 0 and 2: 8 / 12
    merged = merge([a, b], minimum=0.1)
    assert merged.image_ids.tolist() == [3, 3, 7, 9]
    np.testing.assert_allclose(merged.scores, [0.6, 0.5, 0.9, 0.7], rtol=1e-6)
    assert merged.boxes[:, 0].tolist() == [20, 0, 0, 0]
    assert len(merge([a, b], threshold=0.7)) == 6
    soft = merge([a, b], "soft-nms-linear", minimum=0.3)  # 0.8 falls to 0.8 / 3
    assert soft.image_ids.tolist() == [3, 3, 7, 9]
    fused = merge([a, b], "wbf", minimum=0.1, weights=[1, 1])
    np.testing.assert_allclose(fused.scores, [0.3, 0.25, 0.85, 0.35], rtol=1e-6)
    np.testing.assert_allclose(fused.of_image(7)[0][0, 0], 2 * 0.8 / 1.7, rtol=1e-6)
    alone = merge([a, detections([(3, 2, 0.04)])], "wbf", minimum=0.05)  # 0.04 moves nothing
    assert alone.boxes[:, 0].tolist() == [0, 0]
    assert len(merge([detections([]), detections([])])) == 0


@pytest.mark.parametrize("method", ["nms", "soft-nms", "soft-nms-linear", "wbf"])
def test_boxes_far_apart_stay_as_they_are(method):
    alone = detections([(1, 0, 0.9), (1, 100, 0.5)])
    merged = merge([alone], method)
    np.testing.assert_allclose(merged.boxes, alone.boxes)
    np.testing.assert_allclose(merged.scores, alone.scores)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nms(TWINS, [1.0] * 3), r"scores \(N,\), received \(4, 4\) and \(3,\)"),
        (lambda: nms(TWINS, [1, 1, 1, np.nan]), "finite"),
        (lambda: nms(TWINS, [1.0] * 4, 1.5), "threshold above 0 and at most 1, received 1.5"),
        (lambda: soft_nms(TWINS, [1.0] * 4, 0.5, "cubic"), "'gaussian' or 'linear'"),
        (lambda: soft_nms(TWINS, [-1.0] * 4), "of at least 0"),
        (lambda: weighted_box_fusion(TWINS, [1.0] * 4, [0, 1, 2, 0], [1, 1]), "needs a weight"),
        (lambda: weighted_box_fusion(TWINS, [1.0] * 4, [0] * 4, [0]), "weights above 0"),
        (lambda: merge([]), "received 0 parts"),
        (lambda: merge([detections([])], "nms", weights=[1]), "weights for wbf"),
        (lambda: merge([detections([])], "vote"), "'vote'"),
    ],
)
def test_what_cannot_be_merged_is_refused(call, message):
    with pytest.raises(DetectionsError, match=message):
        call()
