import dataclasses
import json
import zlib

import cv2
import numpy as np
import pycocotools.coco
import pytest

from posekit.datasets import synthetic
from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import render_image, render_video, write_coco
from posekit.datasets.synthetic_annotation import annotate
from posekit.datasets.synthetic_crowd import Path as Walk
from posekit.datasets.synthetic_crowd import random_crowd, random_ground
from posekit.datasets.synthetic_frame import Scene, draw, optical_flow, person_map
from posekit.datasets.synthetic_pose import JOINT, Proportions, body_joints, random_pose
from posekit.datasets.synthetic_scene import paint, random_lens
from posekit.skeletons import COCO, MDPN_UNION, MPII, POSETRACK


@pytest.fixture(scope="module")
def examples():
    return [
        render_image(seed, (160, 192), skeleton=MDPN_UNION, with_masks=True) for seed in range(12)
    ]


@pytest.fixture
def clean_pictures(monkeypatch):
    """No blur and no noise."""
    monkeypatch.setattr(synthetic, "take_picture", lambda rng, image, lens: image)


def standing_pose():
    pose = random_pose(np.random.default_rng(0), ("stand",))
    zero = {
        name: np.zeros_like(getattr(pose, name)) for name in ("limbs", "swing", "trunk", "head")
    }
    return dataclasses.replace(pose, **zero, roll=0.0)


def scene_of(*yaws_and_scales):
    """People in the middle of a grey picture; larger ones are nearer."""
    rng = np.random.default_rng(3)
    ground = dataclasses.replace(random_ground(rng, (200, 200)), horizon=60.0, eye=0.8, pitch=0.0)
    crowd = []
    while len(crowd) < len(yaws_and_scales):
        people, _ = random_crowd(rng, ground, (1, 1), 0, (0.6, 0.6), False)
        yaw, scale = yaws_and_scales[len(crowd)]
        path = Walk(np.array([0, 200 / scale]), np.zeros(2), 0.0, 0.0, yaw)
        crowd.append(dataclasses.replace(people[-1], pose=standing_pose(), path=path, far=False))
    grey = np.full((200, 200, 3), 128, np.uint8)
    return Scene(ground, crowd, [], grey, 0, np.zeros((3, 2)), random_lens(rng))


def keypoints_seen_at(yaw):
    scene = scene_of((yaw, 130.0))
    figures = scene.figures(0)
    _, owner = draw(scene, figures, 0)
    keypoints = annotate(scene, figures, owner, MDPN_UNION, False)["keypoints"][0]
    return dict(zip(MDPN_UNION.names, keypoints, strict=True))


def test_same_seed_same_bits_and_other_seed_other_picture():
    first, again, other = (render_image(seed) for seed in (5, 5, 6))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["image"], other["image"])
    assert np.array_equal(render_image((1, 2))["image"], render_image((1, 2))["image"])


def test_example_has_the_promised_types(examples):
    for seed, example in enumerate(examples):
        n = len(example["boxes"])
        assert example["image"].shape == (160, 192, 3) and example["image"].dtype == np.uint8
        assert example["image_id"] == seed and example["image_id"].dtype == np.int64
        assert example["keypoints"].shape == (n, 21, 3)
        assert example["boxes"].shape == (n, 4) and example["areas"].shape == (n,)
        assert all(example[key].dtype == np.float32 for key in ("keypoints", "boxes", "areas"))
        for key in ("person_mask", "ignore_mask", "unknown_mask"):
            assert example[key].shape == (160, 192) and example[key].dtype == bool


def test_masks_boxes_areas_and_keypoints_agree(examples):
    assert sum(len(example["boxes"]) for example in examples) > 24
    for example in examples:
        masks, keypoints = example["masks"], example["keypoints"]
        assert masks.sum(0).max(initial=0) <= 1  # nobody is seen through somebody else
        assert np.array_equal(masks.any(0), example["person_mask"])
        assert np.array_equal(masks.sum((1, 2)), example["areas"])
        for mask, box in zip(masks, example["boxes"], strict=True):
            (y, x), (x0, y0, x1, y1) = np.nonzero(mask), box
            assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == (x0, y0, x1, y1)
        unlabelled = ~(keypoints[..., 2] > 0).any(1)
        assert np.array_equal(masks[unlabelled].any(0), example["ignore_mask"])
        assert not keypoints[keypoints[..., 2] == 0].any()
        x, y = np.moveaxis(np.rint(keypoints[..., :2]).astype(int), -1, 0)
        assert ((x >= 0) & (x < 192) & (y >= 0) & (y < 160)).all()
        person = np.broadcast_to(np.arange(len(masks))[:, None], x.shape)
        assert masks[person, y, x][keypoints[..., 2] == 2].all()


def test_a_body_at_rest_measures_as_planned():
    pose, body = standing_pose(), Proportions()
    pose.limbs[0, 0, 1] = 90  # the left arm points to the left, the others hang
    pose.limbs[1, 0, 1] = 90
    joints, head = body_joints(pose, body, phase=0.0)
    expected = {
        "left_shoulder": (0.112, 0.295, 0),
        "left_elbow": (0.282, 0.295, 0),
        "left_wrist": (0.427, 0.295, 0),
        "right_wrist": (-0.112, -0.02, 0),
        "right_knee": (-0.058, -0.236, 0),
    }
    for name, point in expected.items():
        np.testing.assert_allclose(joints[JOINT[name]], point, atol=1e-9)
    assert joints[JOINT["left_ankle"], 2] < 0  # a knee gives way backwards
    assert joints[JOINT["nose"], 2] > joints[JOINT["head"], 2] + 0.05


@pytest.mark.parametrize(
    ("yaw", "left_minus_right", "seen", "hidden"),
    [
        (0, 1, "nose left_eye right_eye left_shoulder right_hip", ""),
        (180, -1, "left_ear right_ear left_shoulder right_shoulder", "nose left_eye right_eye"),
        (90, 0, "nose right_eye right_ear right_shoulder", "left_eye left_ear left_shoulder"),
        (-90, 0, "nose left_eye left_ear left_shoulder", "right_eye right_ear right_shoulder"),
    ],
)
def test_left_is_where_a_facing_person_has_it(yaw, left_minus_right, seen, hidden):
    points = keypoints_seen_at(yaw)
    for name in ("shoulder", "hip", "wrist", "ankle"):
        difference = points[f"left_{name}"][0] - points[f"right_{name}"][0]
        assert np.sign(round(difference / 5)) == left_minus_right, name
    assert all(points[name][2] == 2 for name in seen.split())
    assert all(points[name][2] == 1 for name in hidden.split())
    assert np.sign(round((points["nose"][0] - points["neck"][0]) / 3)) == np.sign(
        np.sin(np.radians(yaw)).round(3)
    )
    order = [
        points[name][1]
        for name in ("head_top", "neck", "thorax", "pelvis", "left_knee", "left_ankle")
    ]
    assert order == sorted(order)


def test_the_nearer_person_hides_the_other():
    both, far = scene_of((0, 90.0), (0, 130.0)), scene_of((0, 90.0))
    near = dataclasses.replace(both, crowd=both.crowd[1:])
    areas = [
        [(person_map(draw(scene, scene.figures(0), 0)[1], 2) == i).sum() for i in range(2)]
        for scene in (both, far, near)
    ]
    assert areas[0][1] == areas[2][0]  # the nearer one is whole
    assert areas[0][0] < 0.7 * areas[1][0]


def test_paint_covers_its_outline_and_nothing_else():
    image, owner = np.full((12, 12, 3), 50, np.uint8), np.zeros((12, 12), np.uint16)
    square = np.array([(3, 4), (8, 4), (8, 7), (3, 7)], np.float32)
    red = np.full((4, 4, 3), (255, 0, 9), np.uint8)
    paint(image, owner, square, red, np.array([[1.0, 0, 0], [0, 1, 0]]), 7)
    expected = np.zeros((12, 12), np.uint16)
    expected[4:8, 3:9] = 7
    assert np.array_equal(owner, expected)
    assert (image[5:7, 4:8] == (255, 0, 9)).all()
    assert (image[[0, 1, 2, 9, 10, 11]] == 50).all()


def test_background_flows_with_the_camera():
    nobody, still = np.zeros((40, 60), np.uint16), np.array([[1.0, 0, 0], [0, 1, 0]])
    pan, zoom = still + [[0, 0, 2], [0, 0, -1]], still * 2
    flow = optical_flow(nobody, [], [], (still, pan))
    assert flow.dtype == np.float32 and (flow == (2, -1)).all()
    flow = optical_flow(nobody, [], [], (still, zoom))
    assert np.allclose(flow[30, 50], (50, 30))  # twice as far from the corner


def test_flow_carries_seen_keypoints_to_the_next_frame():
    errors, moved = [], []
    for seed in (1, 2, 3):
        frames = list(render_video(seed, 8, (160, 160), (2, 4), MDPN_UNION))
        for now, after in zip(frames, frames[1:], strict=False):
            _, i, j = np.intersect1d(now["track_ids"], after["track_ids"], return_indices=True)
            start, end = now["keypoints"][i], after["keypoints"][j]
            both = (start[..., 2] == 2) & (end[..., 2] > 0)
            x, y = np.rint(start[both][:, :2]).astype(int).T
            step = end[both][:, :2] - start[both][:, :2]
            errors.append(np.linalg.norm(now["flow"][y, x] - step, axis=-1))
            moved.append(np.linalg.norm(step, axis=-1))
    errors, moved = np.concatenate(errors), np.concatenate(moved)
    assert len(errors) > 500 and moved.mean() > 0.5
    assert errors.max() < 0.5 and errors.mean() < 0.05


def test_next_frame_warped_back_shows_this_one(clean_pictures):
    for seed in (4, 10):
        now, after = list(render_video(seed, 6, (160, 160), (3, 5), with_masks=True))[4:]
        grid = np.stack(np.meshgrid(np.arange(160), np.arange(160)), -1)
        x, y = np.moveaxis((grid + now["flow"]).astype(np.float32), -1, 0)
        back = cv2.remap(after["image"], x, y, cv2.INTER_LINEAR)
        error = np.abs(back.astype(int) - now["image"]).mean(-1)
        # Unoccluded: the same person, or nobody, is on top at both ends.
        labels = [(f["masks"] * (f["track_ids"][:, None, None] + 1)).sum(0) for f in (now, after)]
        ends = cv2.remap(labels[1].astype(np.float32), x, y, cv2.INTER_NEAREST, borderValue=-1)
        for same in ((ends == labels[0]) & (labels[0] > 0), (ends == 0) & (labels[0] == 0)):
            assert np.median(error[same]) < 3
            assert (error[same] > 25).mean() < 0.08
            unmoved = np.abs(after["image"].astype(int) - now["image"]).mean(-1)
            assert error[same].mean() < 0.75 * unmoved[same].mean()


def test_video_frames_do_not_depend_on_its_length():
    short, long = list(render_video(7, 2, (96, 96))), list(render_video(7, 4, (96, 96)))
    assert all(np.array_equal(a[k], b[k]) for a, b in zip(short, long, strict=False) for k in a)
    heads = long[0]["head_boxes"]
    assert heads.shape == (len(long[0]["track_ids"]), 4) and (heads[:, 2:] > heads[:, :2]).all()


def test_crowding_brings_people_together():
    def overlap(crowding):
        total = 0
        for seed in range(12):
            size, count = (96, 192), (5, 5)
            boxes = render_image(seed, size, count, crowding=crowding, heights=(0.5, 0.6))["boxes"]
            low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
            high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
            total += np.triu(np.maximum(high - low, 0).prod(-1), 1).sum()
        return total

    assert overlap(1.0) > 2 * overlap(0.0)


def test_written_files_hold_what_was_drawn(tmp_path):
    file = write_coco(tmp_path, "val", 12, (96, 128), seed=9, skeleton=POSETRACK)
    data = load_coco(tmp_path, "val")
    assert data.skeleton.names == POSETRACK.names and len(data) == 12
    official = pycocotools.coco.COCO(str(file))
    unlabelled = 0
    for i in range(12):
        seeds = (9, zlib.crc32(b"val"), i + 1)
        drawn = render_image(seeds, (96, 128), skeleton=POSETRACK, with_masks=True)
        read = data.example(i)
        for key in ("boxes", "areas", "is_crowd", "person_mask", "ignore_mask", "unknown_mask"):
            assert np.array_equal(read[key], drawn[key]), key
        np.testing.assert_allclose(read["keypoints"], drawn["keypoints"], atol=1e-3)
        assert np.abs(read["image"].astype(int) - drawn["image"]).mean() < 10  # JPEG
        found = official.loadAnns(official.getAnnIds(imgIds=i + 1))
        masks = [official.annToMask(annotation).astype(bool) for annotation in found]
        assert np.array_equal(masks, drawn["masks"])
        unlabelled += sum(annotation["num_keypoints"] == 0 for annotation in found)
    assert unlabelled  # or the ignore mask has no work


def test_splits_differ_and_do_not_depend_on_their_length(tmp_path):
    for split, count in (("a", 1), ("b", 1), ("a2", 2)):
        write_coco(tmp_path, split, count, (64, 64))
    write_coco(tmp_path / "again", "a", 2, (64, 64))
    name = "000000000001.jpg"
    first = (tmp_path / "a" / name).read_bytes()
    assert first == (tmp_path / "again" / "a" / name).read_bytes()
    assert first != (tmp_path / "b" / name).read_bytes()


def test_a_broken_run_leaves_no_annotation_file(tmp_path, monkeypatch):
    file = write_coco(tmp_path, "train", 2, (64, 64))
    assert len(json.loads(file.read_text())["images"]) == 2

    def fail(example, number):
        if number == 2:
            raise OSError("disk full")
        return []

    monkeypatch.setattr(synthetic, "coco_annotations", fail)
    with pytest.raises(OSError, match="disk full"):
        write_coco(tmp_path, "train", 3, (64, 64))
    assert list(file.parent.iterdir()) == []


def test_nobody_and_other_skeletons():
    example = next(
        e for e in (render_image(s, (64, 64), (0, 0)) for s in range(9)) if not e["boxes"].size
    )
    assert example["keypoints"].shape == (0, 17, 3) and not example["person_mask"].any()
    assert render_image(1, (64, 64), (3, 3), MPII)["keypoints"].shape[1:] == (16, 3)
    assert next(render_video(1, 1, (64, 64), (0, 0), COCO))["flow"].shape == (64, 64, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": (16, 64)},
        {"people": (3, 2)},
        {"people": (-1, 2)},
        {"crowding": 1.5},
        {"heights": (0.0, 1.0)},
    ],
)
def test_arguments_out_of_range_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        render_image(0, **arguments)
    with pytest.raises(ValueError, match=next(iter(arguments))):
        render_video(0, 2, **arguments)
