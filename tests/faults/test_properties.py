"""Properties of the geometry that has no such tests beside it: for any numbers, not some."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from multiposenet import anchors
from posekit.box_merging import nms, soft_nms, weighted_box_fusion
from posekit.boxes import box_areas, iou_matrix
from posekit.datasets.masks import decode_runs, mask_of_runs
from posekit.datasets.people_index import boxes_round_keypoints
from posekit.detections import Detections, read_detections, union, write_detections
from posekit.draw import draw_poses, track_colour
from posekit.draw_tracks import TrackDrawer
from posekit.metrics.mpii import pckh
from posekit.metrics.voc_boxes import ImageTruth, voc_average_precision
from posekit.orientation import stored_size, turn_back, turn_upright
from posekit.poses import Poses
from posekit.skeletons import COCO, MPII
from topdown import default_boxes
from topdown.ssd_targets import match_boxes, ssd_targets
from tracking.flow_field import Flow
from tracking.propagation import move_keypoints
from tracking.similarity import box_similarity, pose_similarity

FEW = settings(max_examples=30)
ANY = st.floats(-(2.0**99), 2.0**99, width=32)
SIDE = 64
ANCHORS = anchors.make_anchors((SIDE, SIDE))
DEFAULTS = default_boxes.make_default_boxes(300)


def boxes(low=-50, high=150, most=8, least_side=0.5):
    """(N, 4) float32 xyxy with areas."""
    corner, side = st.floats(low, high, width=32), st.floats(least_side, 200, width=32)
    row = st.tuples(corner, corner, side, side).map(lambda b: (*b[:2], b[0] + b[2], b[1] + b[3]))
    return st.lists(row, max_size=most).map(lambda b: np.array(b, np.float32).reshape(-1, 4))


def people(num_keypoints=17, places=ANY, most=4):
    """(N, K, 3) float32 x, y, score."""
    count = st.integers(0, most)
    values = st.one_of(places, st.floats(0, 1, width=32))
    shapes = count.map(lambda n: (n, num_keypoints, 3))
    return arrays(np.float32, shapes, elements=values).map(
        lambda rows: np.concatenate([rows[..., :2], np.abs(rows[..., 2:]) % 1], axis=-1)
    )


@FEW
@given(boxes(0, 300, 6), boxes(0, 300, 3))
def test_detector_targets_belong_to_the_box_that_overlaps_most(own, ignored):
    targets, weights = anchors.anchor_targets(ANCHORS, own, ignored)
    match = anchors.match_anchors(ANCHORS, own)
    found = match >= 0
    np.testing.assert_array_equal(targets["class"][:, 0], found)
    assert all(np.isfinite(value).all() for value in (*targets.values(), *weights.values()))
    overlap = iou_matrix(ANCHORS, own)
    best = overlap.max(axis=1, initial=0)
    assert (best[found] >= 0.5 - 1e-6).all() and (best[~found] < 0.5 + 1e-6).all()
    back = anchors.decode_boxes(ANCHORS, targets["box_deltas"])[found]
    np.testing.assert_allclose(back, own[match[found]], atol=0.01)


@FEW
@given(boxes(0, 300, 6), boxes(0, 300, 3), st.integers(300, 10_000))
def test_anchors_in_parts_are_anchors_at_once(own, ignored, pairs):
    whole = anchors.anchor_targets(ANCHORS, own, ignored)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchors, "_PAIRS", pairs)
        parts = anchors.anchor_targets(ANCHORS, own, ignored)
    for one, other in zip(whole, parts, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@FEW
@given(boxes(0, 250, 6), boxes(0, 250, 3))
def test_ssd_gives_everybody_a_default_box_of_their_own(own, ignored):
    match = match_boxes(DEFAULTS, own)
    assert set(match[match >= 0]) == set(range(len(own)))
    targets, weights = ssd_targets(DEFAULTS, own, ignored)
    found = match >= 0
    assert all(np.isfinite(value).all() for value in (*targets.values(), *weights.values()))
    back = default_boxes.decode_boxes(DEFAULTS, targets["box_deltas"])[found]
    np.testing.assert_allclose(back, own[match[found]], rtol=1e-3, atol=0.05)


@FEW
@given(arrays(np.float32, (5, 4), elements=ANY))
def test_decoded_boxes_are_finite_whatever_a_network_says(deltas):
    for module, given_boxes in ((anchors, ANCHORS), (default_boxes, DEFAULTS)):
        with np.errstate(over="ignore"):
            found = module.decode_boxes(given_boxes[:5], np.clip(deltas, -1e6, 1e6))
        assert np.isfinite(found).all() and (found[:, 2:] >= found[:, :2]).all()


@FEW
@given(boxes(most=12), st.data())
def test_merged_boxes_are_some_of_those_or_lie_between_them(given_boxes, data):
    count = len(given_boxes)
    scores = data.draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32)))
    kept = nms(given_boxes, scores, 0.5)
    assert (np.diff(scores[kept]) <= 0).all() and len(set(kept.tolist())) == len(kept)
    overlap = iou_matrix(given_boxes[kept], given_boxes[kept])
    assert (overlap[~np.eye(len(kept), dtype=bool)] <= 0.5 + 1e-5).all()
    rows, softened = soft_nms(given_boxes, scores)[:2]
    assert (softened <= scores[rows] + 1e-6).all() and np.isfinite(softened).all()
    sources = np.arange(count) % 2
    fused = weighted_box_fusion(given_boxes, scores, sources, (1.0, 2.0))[0]
    if count:
        low, high = given_boxes.min(axis=0), given_boxes.max(axis=0)
        assert len(fused) <= count and (fused >= low - 0.01).all() and (fused <= high + 0.01).all()


@FEW
@given(people(), boxes(-1e6, 1e6), st.integers(0, 2**62))
def test_drawing_leaves_the_image_and_takes_any_place(keypoints, given_boxes, track_id):
    count = min(len(keypoints), len(given_boxes))
    image = np.full((30, 40, 3), 90, np.uint8)
    poses = Poses(keypoints[:count], np.ones(count), given_boxes[:count], COCO)
    drawn = draw_poses(image, poses, threshold=0.0)
    assert drawn.shape == image.shape and drawn.dtype == np.uint8 and (image == 90).all()
    tracked = dataclasses.replace(poses, track_ids=track_id + np.arange(count))
    drawer = TrackDrawer(COCO)
    for _ in range(2):
        assert drawer.draw(image, tracked).shape == image.shape
    assert (image == 90).all() and all(0 <= value < 256 for value in track_colour(track_id))


@FEW
@given(people(15, most=3), people(15, most=3), st.floats(0, 1))
def test_similarities_are_between_0_and_1_and_alike_both_ways(old, new, threshold):
    sigmas = [0.1] * 15
    found = pose_similarity(old, new, sigmas, threshold)
    assert found.shape == (len(old), len(new)) and ((found >= 0) & (found <= 1 + 1e-5)).all()
    np.testing.assert_allclose(pose_similarity(new, old, sigmas, threshold).T, found, atol=1e-5)
    own = np.diag(pose_similarity(old, old, sigmas, threshold))
    there = ((old[..., 2] > 0) & (old[..., 2] >= threshold)).any(axis=1)
    np.testing.assert_allclose(own, there, atol=1e-5)


@FEW
@given(arrays(np.float32, (4, 4), elements=ANY))
def test_boxes_of_any_numbers_have_a_similarity(given_boxes):
    found = box_similarity(given_boxes, given_boxes)
    assert ((found >= 0) & (found <= 1)).all()


@FEW
@given(people(places=st.floats(-1e4, 1e4, width=32)), st.floats(-30, 30), st.floats(-30, 30))
def test_a_constant_flow_moves_everybody_alike(keypoints, dx, dy):
    flow = Flow(np.full((48, 64, 2), (dx, dy), np.float32))
    moved = move_keypoints(keypoints, flow)
    np.testing.assert_allclose(moved[..., :2], keypoints[..., :2] + [dx, dy], rtol=1e-5, atol=1e-2)
    assert (moved[..., 2] <= keypoints[..., 2]).all()
    x, y = np.moveaxis(moved[..., :2], -1, 0)
    away = (x < -1) | (x > 64) | (y < -1) | (y > 48)
    assert (moved[away, 2] == 0).all()


@FEW
@given(boxes(most=20), st.data())
def test_detections_written_are_read_back(tmp_path_factory, given_boxes, data):
    count = len(given_boxes)
    scores = data.draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32)))
    ids = data.draw(arrays(np.int64, count, elements=st.integers(-(2**62), 2**62)))
    written = Detections(ids, given_boxes, scores)
    path = tmp_path_factory.mktemp("d") / "boxes.json.gz"
    write_detections(path, written)
    found = read_detections(path)
    np.testing.assert_array_equal(found.image_ids, ids)
    np.testing.assert_array_equal(found.scores, scores)
    np.testing.assert_allclose(found.boxes, given_boxes, rtol=1e-5, atol=1e-3)
    assert len(union([found, found])) == 2 * count


@FEW
@given(boxes(most=6), boxes(most=6), boxes(most=2))
def test_voc_precision_counts_every_box_once(true, found, crowds):
    scores = np.linspace(1, 0.5, len(found))
    detections = Detections(np.ones(len(found), int), found, scores)
    truth = {1: ImageTruth(true, crowds=crowds)}
    result = voc_average_precision(truth, detections, 0.5, 0.0)
    assert result.boxes == len(found) >= result.ignored and result.people == len(true)
    for value in (result.every_point, result.eleven_point, result.precision, result.recall):
        assert value is None or 0 <= value <= 1
    alone = voc_average_precision({1: ImageTruth(true[:1])}, detections, 0.5, 0.0)
    near = bool(len(found) and len(true) and (iou_matrix(found, true[:1]) >= 0.5).any())
    assert alone.recall == (float(near) if len(true) else None)


@FEW
@given(people(16, st.floats(-1e4, 1e4, width=32)), st.floats(1, 100))
def test_pckh_of_the_truth_is_100_and_of_nothing_0(keypoints, size):
    truth = np.concatenate([keypoints[..., :2], np.ceil(keypoints[..., 2:])], axis=-1)
    sizes = np.full(len(truth), size)
    exact, nothing = (
        pckh(places, truth, sizes, 0.5)
        for places in (truth[..., :2], np.full_like(truth[..., :2], np.nan))
    )
    for scores, value in ((exact, 100), (nothing, 0)):
        assert scores.mean in (None, pytest.approx(value))
    assert len(exact.counts) == MPII.num_keypoints


@FEW
@given(people(places=st.floats(-1e4, 1e4, width=32)))
def test_boxes_round_keypoints_hold_them(keypoints):
    found = boxes_round_keypoints(keypoints)
    labelled = keypoints[..., 2] > 0
    assert (np.isnan(found).any(axis=1) == ~labelled.any(axis=1)).all()
    for box, row, there in zip(found, keypoints, labelled, strict=True):
        edges = row[there, :2] + 0.5
        assert ((edges >= box[:2] - 0.01) & (edges <= box[2:] + 0.01)).all()
    assert not (box_areas(found) < 1 - 1e-5).any()


@FEW
@given(st.integers(1, 8), arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_turning_a_picture_and_back(orientation, pixels):
    upright = turn_upright(pixels, orientation)
    np.testing.assert_array_equal(turn_back(upright, orientation), pixels)
    assert stored_size(upright.shape[:2], orientation) == pixels.shape[:2]


@FEW
@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_run_lengths_of_any_mask_are_read_as_pycocotools_writes_them(mask):
    from pycocotools import mask as reference

    runs = reference.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    np.testing.assert_array_equal(mask_of_runs(decode_runs(runs), mask.shape), mask)


@FEW
@given(st.text(max_size=40))
def test_run_lengths_of_any_text_are_numbers_or_refused(text):
    try:
        assert decode_runs(text).dtype == np.int64
    except ValueError as error:
        assert "run lengths" in str(error) or "surrogates" in str(error)
