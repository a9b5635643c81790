import numpy as np
import pytest
from work_done import steps

from posekit.boxes import xyxy_to_xywh
from posekit.oks import keypoint_similarity, oks_matrix, oks_nms, soft_oks_nms
from posekit.skeletons import COCO, POSETRACK

SIGMAS = COCO.sigmas


def random_people(rng, count):
    people = rng.uniform(0, 300, (count, 17, 3))
    people[..., 2] = rng.integers(0, 3, (count, 17))
    return people


def near(rng, people, count, spread=8):
    """Detections scattered about the given people, so that similarities are not all 0."""
    if len(people) == 0:
        return random_people(rng, count)
    chosen = people[rng.integers(0, len(people), count)]
    return chosen + rng.normal(0, spread, chosen.shape) * [1, 1, 0]


def reference(detections, truths, areas, boxes):
    """What COCOeval.computeOks gives; it sorts by score, so scores descend."""
    from pycocotools.cocoeval import COCOeval

    evaluation = COCOeval(iouType="keypoints")
    evaluation.params.catIds, evaluation.params.imgIds = [1], [1]
    evaluation._gts[1, 1] = [
        {"keypoints": truth.ravel().tolist(), "area": area, "bbox": box.tolist()}
        for truth, area, box in zip(truths, areas, xyxy_to_xywh(boxes), strict=True)
    ]
    evaluation._dts[1, 1] = [
        {"keypoints": detection.ravel().tolist(), "score": 1 - place / 100}
        for place, detection in enumerate(detections)
    ]
    return np.array(evaluation.computeOks(1, 1)).reshape(len(detections), len(truths))


@pytest.mark.parametrize("seed", range(12))
def test_oks_matrix_equals_pycocotools(seed):
    rng = np.random.default_rng(seed)
    num_truths, num_detections = rng.integers(1, 21, 2)
    truths = random_people(rng, num_truths)
    truths[rng.random(num_truths) < 0.3, :, 2] = 0  # nobody labelled these: the box decides
    areas = rng.uniform(0, 9000, num_truths) * (rng.random(num_truths) < 0.9)  # some areas are 0
    corner = rng.uniform(-20, 300, (num_truths, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, (60, 150), (num_truths, 2))], axis=1)
    detections = near(rng, truths, num_detections)
    ours = oks_matrix(detections, truths, areas, SIGMAS, boxes)
    theirs = reference(detections, truths, areas, boxes)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-300)
    assert (theirs > 0.01).any()


def test_similarity_by_hand():
    # d² = 3² + 4² = 25, area 100, sigma 0.5: exp(-25 / (2 * 100 * 1²)) = exp(-0.125)
    a, b = np.array([[[3.0, 4.0, 1.0]]]), np.zeros((1, 1, 3))
    expected = np.exp(-0.125)
    np.testing.assert_allclose(keypoint_similarity(a, b, [100], [0.5]), [[[expected]]])


def test_similarity_uses_the_area_of_the_second():
    a, b = np.zeros((1, 2, 3)), np.full((2, 2, 3), 5.0)
    found = keypoint_similarity(a, b, [50, 200], [0.1, 0.2])
    assert found.shape == (1, 2, 2)
    exponents = [[-50 / (2 * area * (2 * s) ** 2) for s in (0.1, 0.2)] for area in (50, 200)]
    np.testing.assert_allclose(found[0], np.exp(exponents))


def test_unlabelled_truth_without_boxes_resembles_nobody():
    truths = np.zeros((1, 17, 3))
    assert oks_matrix(np.zeros((2, 17, 3)), truths, [100], SIGMAS).tolist() == [[0], [0]]


def test_box_grown_by_its_own_size_on_every_side():
    truths, boxes = np.zeros((1, 17, 3)), [[100, 100, 110, 130]]
    inside = np.tile([91.0, 71.0, 1.0], (1, 17, 1))  # grown: x 90..120, y 70..160
    assert oks_matrix(inside, truths, [400], SIGMAS, boxes) == 1
    assert oks_matrix(inside - [2, 0, 0], truths, [400], SIGMAS, boxes) < 1
    assert oks_matrix(inside - [0, 2, 0], truths, [400], SIGMAS, boxes) < 1


def test_nobody():
    nobody = np.zeros((0, 17, 3))
    assert oks_matrix(nobody, np.ones((3, 17, 3)), [1, 1, 1], SIGMAS).shape == (0, 3)
    assert oks_matrix(np.ones((3, 17, 3)), nobody, [], SIGMAS).shape == (3, 0)
    assert oks_nms(nobody, [], [], SIGMAS).shape == (0,)
    assert [part.shape for part in soft_oks_nms(nobody, [], [], SIGMAS)] == [(0,), (0,)]


def people_at(*offsets):
    """Copies of one person shifted to the right; the OKS of a shift is known from its formula."""
    person = np.random.default_rng(3).uniform(0, 100, (17, 3))
    return person + np.array([[[offset, 0, 0]] for offset in offsets])


def shifted_oks(offset, area):
    return np.mean(np.exp(-(offset**2) / (2 * area * (2 * np.array(SIGMAS)) ** 2)))


def test_nms_keeps_the_best_first():
    kept = oks_nms(people_at(0, 1, 500), [0.5, 0.9, 0.7], [5000.0] * 3, SIGMAS, 0.9)
    assert kept.tolist() == [1, 2] and kept.dtype == np.int64


def test_nms_spares_what_only_a_dropped_pose_resembles():
    # 0 resembles 6 and 6 resembles 12, but 0 does not resemble 12: 6 goes, 12 stays.
    threshold = (shifted_oks(6, 3000) + shifted_oks(12, 3000)) / 2
    poses = people_at(0, 6, 12)
    assert oks_nms(poses, [0.9, 0.8, 0.7], [3000.0] * 3, SIGMAS, threshold).tolist() == [0, 2]


def test_nms_takes_the_mean_of_the_two_areas_and_keeps_at_the_threshold():
    poses, exact = people_at(0, 6), shifted_oks(6, (2000 + 6000) / 2)
    for areas in ([2000.0, 6000.0], [6000.0, 2000.0]):
        assert len(oks_nms(poses, [0.9, 0.8], areas, SIGMAS, exact + 1e-9)) == 2
        assert len(oks_nms(poses, [0.9, 0.8], areas, SIGMAS, exact - 1e-9)) == 1
    same = people_at(0, 0)
    assert oks_nms(same, [0.9, 0.8], [1.0, 1.0], SIGMAS, 1.0).tolist() == [0, 1]  # 1 is not above


def test_nms_counts_keypoints_without_score_and_breaks_ties_by_order():
    poses = people_at(0, 1)
    poses[..., 2] = 0
    assert oks_nms(poses, [0.5, 0.5], [5000.0] * 2, SIGMAS, 0.9).tolist() == [0]


def test_nms_by_a_loop_over_pairs():
    rng = np.random.default_rng(5)
    poses = near(rng, random_people(rng, 5), 30, spread=5)
    scores, areas = rng.random(30), rng.uniform(1000, 9000, 30)
    kept = []
    for i in np.argsort(-scores):
        pairs = [
            oks_matrix(
                poses[[i]], poses[[j]] + [0, 0, 9], [(areas[i] + areas[j]) / 2], SIGMAS
            ).item()
            for j in kept
        ]
        kept += [i] if all(oks <= 0.5 for oks in pairs) else []
    assert 1 < len(kept) < 30
    assert oks_nms(poses, scores, areas, SIGMAS, 0.5).tolist() == kept


def test_soft_nms_lowers_scores_by_the_gaussian():
    kept, scores = soft_oks_nms(people_at(0, 6, 500), [0.9, 0.8, 0.6], [3000.0] * 3, SIGMAS, 0.5)
    lowered = 0.8 * np.exp(-(shifted_oks(6, 3000) ** 2) / 0.5)
    assert kept.tolist() == [0, 2, 1]  # the near twin falls behind the one far away
    np.testing.assert_allclose(scores, [0.9, 0.6, lowered])


def test_soft_nms_keeps_twenty():
    poses = people_at(*range(0, 30000, 1000))
    scores = np.linspace(0.1, 0.9, 30)
    kept, _ = soft_oks_nms(poses, scores, np.full(30, 3000.0), SIGMAS)
    assert kept.tolist() == list(range(29, 9, -1))
    assert len(soft_oks_nms(poses, scores, np.full(30, 3000.0), SIGMAS, limit=3)[0]) == 3


def test_nms_of_sixty_people_is_not_a_loop_over_pairs():
    rng = np.random.default_rng(0)
    people, scores, areas = random_people(rng, 60), rng.random(60), np.full(60, 5000.0)
    # Measured: 449; there are 1,770 pairs.
    assert steps(lambda: oks_nms(people, scores, areas, SIGMAS, 0.9)) < 900


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    people = np.ones((2, 17, 3))
    people[1, 4, 0] = bad
    for call in (
        lambda: oks_matrix(people, np.ones((1, 17, 3)), [1], SIGMAS),
        lambda: oks_matrix(np.ones((1, 17, 3)), people, [1, 1], SIGMAS),
        lambda: oks_matrix(np.ones((1, 17, 3)), np.ones((1, 17, 3)), [bad], SIGMAS),
        lambda: oks_nms(people, [0.1, 0.2], [1, 1], SIGMAS),
        lambda: oks_nms(np.ones((2, 17, 3)), [0.1, bad], [1, 1], SIGMAS),
        lambda: soft_oks_nms(people, [0.1, 0.2], [1, 1], SIGMAS),
    ):
        with pytest.raises(ValueError, match="finite"):
            call()


def test_shapes_that_do_not_belong_together_are_refused():
    people = np.ones((2, 17, 3))
    with pytest.raises(ValueError, match=r"expected keypoints \(people, 15, 3\), one per sigma"):
        oks_matrix(people, people, [1, 1], POSETRACK.sigmas)
    with pytest.raises(ValueError, match=r"expected areas \(2,\)"):
        oks_matrix(people, people, [1], SIGMAS)
    with pytest.raises(ValueError, match=r"expected finite scores \(2,\)"):
        oks_nms(people, [1], [1, 1], SIGMAS)
    with pytest.raises(ValueError, match=r"boxes \(2, 4\)"):
        oks_matrix(people, people * 0, [1, 1], SIGMAS, np.ones((1, 4)))
