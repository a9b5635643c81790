import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from posekit import affine
from posekit.datasets.coco import load_coco
from posekit.datasets.posetrack import load_posetrack
from posekit.datasets.synthetic import write_coco
from posekit.detections import Detections
from posekit.images import ImageError
from posekit.metrics.coco_boxes import evaluate_detections
from posekit.metrics.voc_boxes import truths_of_coco, voc_average_precision
from posekit.skeletons import POSETRACK
from topdown.ssd_augment import SsdAugmentation
from topdown.ssd_evaluation import evaluate_ssd, truth_with_ignored
from topdown.ssd_pipeline import JoinedDatasets, SsdSamples
from topdown.ssd_settings import SsdReading, SsdSettings

SETTINGS = SsdSettings(size=300, scales=(0.15, 0.3))


class People:
    """A dataset of one dark image, 120 x 160, whose person is a bright rectangle."""

    image_folder = Path("val")

    def __init__(self, boxes=((60, 30, 100, 90),), is_crowd=(False,), image_id=7):
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)
        self.is_crowd = np.array(is_crowd, bool)
        self.image_ids = np.array([image_id])

    def __len__(self):
        return 1

    def image(self, index):
        image = np.full((120, 160, 3), 40, np.uint8)
        for x1, y1, x2, y2 in self.boxes.astype(int):
            image[y1:y2, x1:x2] = 255
        return image

    def annotations(self, index):
        return {"image_id": self.image_ids[index], "boxes": self.boxes, "is_crowd": self.is_crowd}


class Damaged(People):
    def image(self, index):
        raise ImageError("truncated", path="bad.jpg")


GEOMETRY = SsdAugmentation(colour=0.0, expand=2.0)


def samples(dataset=None, **options):
    return SsdSamples(dataset or People(), SETTINGS, **options)


def test_held_out_images_are_stretched_whole():
    example = samples(augmentation=GEOMETRY).example(0)
    assert example["image"].shape == (300, 300, 3) and example["image_id"] == 7
    np.testing.assert_allclose(example["boxes"], [[112.5, 75, 187.5, 225]], atol=1e-4)


@pytest.mark.parametrize("draw", range(8))
def test_the_box_stays_round_its_person(draw):
    example = samples(augmentation=GEOMETRY).example(0, draw)
    rows, columns = np.nonzero(example["image"][..., 0] > 190)  # the mean colour is 124
    shown = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    np.testing.assert_allclose(example["boxes"], [shown], atol=4)


def test_people_whose_centre_is_cut_off_are_gone():
    pair = People(boxes=((5, 5, 35, 95), (110, 20, 150, 110)), is_crowd=(False, False))
    made = [samples(pair, augmentation=GEOMETRY).example(0, draw) for draw in range(40)]
    centres = np.array([[19.5, 49.5], [129.5, 64.5]])  # of pixels
    cut = 0
    for example in made:
        moved = affine.transform_points(centres, example["transform"])
        kept = ((moved >= -0.5) & (moved < 299.5)).all(axis=1)
        assert len(example["boxes"]) == kept.sum() > 0
        shown = affine.transform_boxes(pair.boxes, example["transform"])
        seen = (shown[:, 2:] > 0).all(axis=1) & (shown[:, :2] < 300).all(axis=1)
        cut += int((seen & ~kept).sum())
    assert cut > 2  # people who are seen in part


def test_half_of_the_images_are_mirrored():
    made = [samples(augmentation=GEOMETRY).example(0, draw) for draw in range(40)]
    assert 10 < sum(affine.is_mirrored(example["transform"]) for example in made) < 30


def test_crowds_are_neither_person_nor_background():
    made = samples(People(is_crowd=(True,)))
    example = made.example(0)
    assert len(example["boxes"]) == 0
    np.testing.assert_allclose(example["ignored_boxes"], [[112.5, 75, 187.5, 225]], atol=1e-4)
    targets, weights = made.targets(example)
    assert not targets["class"].any() and 0 < (weights["class"] == 0).sum() < 2000


class Ignoring(People):
    """In the right half of the image people may be without annotation."""

    def annotations(self, index):
        return super().annotations(index) | {"ignored_boxes": np.float32([[80, 0, 160, 120]])}


def test_ignored_regions_are_no_background():
    plain, made = samples(), samples(Ignoring())
    example = made.example(0)
    np.testing.assert_allclose(example["ignored_boxes"], [[150, 0, 300, 300]], atol=1e-4)
    (targets, weights), (same, all_count) = made.targets(example), plain.targets(plain.example(0))
    np.testing.assert_array_equal(targets["class"], same["class"])  # the person still counts
    ignored = weights["class"][:, 0] == 0
    centres = made.default_boxes.reshape(-1, 2, 2).mean(axis=1)[:, 0]
    assert ignored.sum() > 2000 and (centres[ignored] > 140).all() and all_count["class"].all()


def test_boxes_in_ignored_regions_are_not_false(tmp_path):
    folder = tmp_path / "annotations/val"
    folder.mkdir(parents=True)
    corners = {"ignore_regions_x": [[49.5, 99.5, 99.5]], "ignore_regions_y": [[-0.5, -0.5, 49.5]]}
    images = [
        {"id": 9, "file_name": "b", "height": 60, "width": 100, "is_labeled": True},
        {"id": 4, "file_name": "a", "height": 60, "width": 100, "is_labeled": True} | corners,
    ]
    points = [[9.5, 9.5, 1], [29.5, 39.5, 1], *[[0, 0, 0]] * 13]
    people = [{"id": i, "image_id": i, "track_id": 0, "keypoints": sum(points, [])} for i in (4, 9)]
    category = {"name": "person", "keypoints": list(POSETRACK.names)}
    content = {"images": images, "annotations": people, "categories": [category]}
    (folder / "a.json").write_text(json.dumps(content))
    truth = truth_with_ignored(load_posetrack(tmp_path, "val"))
    assert truth.first.tolist() == [0, 2, 3] and truth.is_crowd.tolist() == [False, True, False]
    assert truth.boxes_xywh[1].tolist() == [50, 0, 50, 50] and truth.areas[1] == 2500
    own = truths_of_coco(truth)[4].boxes[0]
    found = Detections([4, 4, 9], [own, [60, 5, 90, 45], own], [0.5, 0.9, 0.7])
    assert evaluate_detections(truth, found).metrics["AP"] == pytest.approx(1)
    assert voc_average_precision(truths_of_coco(truth), found).ignored == 1


def test_a_damaged_image_is_a_sample_without_people_and_is_reported():
    bad = samples(Damaged())
    image, targets, weights = bad.sample(0, 0)
    assert np.unique(image.reshape(-1, 3), axis=0).tolist() == [[124, 116, 104]]
    assert not targets["class"].any() and not weights["box_deltas"].any()  # so its loss is 0
    assert targets["image_id"] == 7
    assert bad.rejected.entries() == [{"path": "bad.jpg", "reason": "truncated", "count": 1}]


def test_tf_data_yields_the_same_samples_in_order():
    joined = JoinedDatasets([People(), People(((10, 10, 50, 100),), image_id=9)])
    made = samples(joined, augmentation=SsdAugmentation())
    indices = np.array([1, 0, 1])
    loaded = made.load(indices, np.arange(3)).as_numpy_iterator()
    for draw, (image, *dicts) in enumerate(loaded):
        expected_image, *expected = made.sample(indices[draw], draw)
        np.testing.assert_array_equal(image, expected_image)
        for one, other in zip(dicts, expected, strict=True):
            assert set(one) == set(other)
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])


def test_joined_datasets_follow_each_other():
    joined = JoinedDatasets([People(image_id=1), People(image_id=2), People(image_id=3)])
    assert len(joined) == 3 and joined.image_ids.tolist() == [1, 2, 3]
    assert [int(joined.annotations(i)["image_id"]) for i in range(3)] == [1, 2, 3]


def test_a_sample_depends_on_seed_and_draw_alone():
    one, again, other = (samples(augmentation=GEOMETRY).sample(0, d)[0] for d in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (one != samples(augmentation=GEOMETRY, seed=1).sample(0, 3)[0]).any()


class Oracle:
    """Answers a batch of all images with their own targets."""

    def __init__(self, samples, settings, shift=0.0):
        targets = [samples.sample(i)[1] for i in range(len(samples.dataset))]
        sure = 20 * np.stack([one["class"] for one in targets]) - 10
        self.logits = np.concatenate([-sure, sure], axis=-1)
        self.deltas = np.stack([one["box_deltas"] for one in targets]) + np.float32(shift)
        self.layers = [SsdReading(settings)]

    def __call__(self, images, training):
        return {"class_logits": self.logits, "box_deltas": self.deltas}


def test_perfect_answers_have_perfect_ap(tmp_path):
    write_coco(tmp_path, "val", 3, size=(90, 130), seed=1, people=(1, 2), heights=(0.5, 0.9))
    settings = dataclasses.replace(SETTINGS, nms_threshold=0.9)
    made = SsdSamples(load_coco(tmp_path, "val"), settings)
    figures = evaluate_ssd(Oracle(made, settings), made, 3)
    for name in ("person_ap", "person_ar", "voc_ap_15", "voc_ap_50"):
        assert figures[name] == pytest.approx(1.0)
    assert figures["val_loss"] < 1e-3 and (figures["images"], figures["skipped"]) == (3, 0)
    moved = evaluate_ssd(Oracle(made, settings, shift=1.0), made, 3)  # by a tenth
    assert 0 < moved["person_ap"] < 0.8
