from pathlib import Path

import numpy as np
import pytest

from multiposenet.detector_evaluation import evaluate_boxes
from multiposenet.detector_pipeline import DetectorAugmentation, DetectorSamples
from posekit import affine
from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from posekit.images import ImageError


class People:
    """A dataset of one dark image, 120 x 160, whose person is a bright rectangle."""

    image_ids = np.array([7])
    image_folder = Path("val")

    def __init__(self, boxes=((60, 30, 100, 90),), is_crowd=(False,)):
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)
        self.is_crowd = np.array(is_crowd, bool)

    def __len__(self):
        return 1

    def example(self, index):
        image = np.full((120, 160, 3), 40, np.uint8)
        for x1, y1, x2, y2 in self.boxes.astype(int):
            image[y1:y2, x1:x2] = 255
        return {
            "image": image,
            "image_id": np.int64(7),
            "boxes": self.boxes,
            "is_crowd": self.is_crowd,
        }


class Damaged(People):
    def example(self, index):
        raise ImageError("truncated", path="bad.jpg")


def samples(dataset=None, **options):
    options = {"shorter_edge": 96, "longer_edge": 160, **options}
    return DetectorSamples(dataset or People(), **options)


AUGMENTATION = DetectorAugmentation(flip=0.5, scale=(0.8, 1.2))


@pytest.mark.parametrize("draw", range(6))
def test_the_box_stays_round_its_person(draw):
    example = samples(augmentation=AUGMENTATION).example(0, draw)
    rows, columns = np.nonzero(example["image"][..., 0] > 147)  # half way from 40 to 255
    shown = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    np.testing.assert_allclose(example["boxes"], [shown], atol=1.1)


@pytest.mark.parametrize(
    ("image_size", "scale"),
    [
        ((120, 160), 0.8),  # the shorter edge gets 96
        ((160, 120), 0.8),
        ((100, 200), 0.8),  # the longer edge gets 160
        ((48, 48), 2.0),
    ],
)
def test_the_shorter_edge_rules_within_the_canvas(image_size, scale):
    transform = samples().transform(image_size)
    np.testing.assert_allclose(transform[:, :2], scale * np.eye(2))
    whole = affine.transform_boxes([[0, 0, *image_size[::-1]]], transform)
    np.testing.assert_allclose(whole, [[0, 0, scale * image_size[1], scale * image_size[0]]])


def test_in_training_the_whole_image_lies_anywhere_on_the_canvas():
    made = samples(augmentation=DetectorAugmentation(flip=0.5))
    transforms = [made.transform((120, 160), np.random.default_rng(draw)) for draw in range(40)]
    images = np.concatenate([affine.transform_boxes([[0, 0, 160, 120]], t) for t in transforms])
    np.testing.assert_allclose(images[:, 2:] - images[:, :2], [[128, 96]] * 40, rtol=1e-5)
    assert images[:, :2].min() >= -1e-3 and images[:, 2:].max() <= 160.001
    assert np.ptp(images[:, :2], axis=0).min() > 24  # of 32 and 64 free pixels
    assert 8 < sum(map(affine.is_mirrored, transforms)) < 32


def test_people_are_positive_and_their_deltas_lead_back_to_them():
    made = samples()
    image, targets, weights = made.sample(0)
    assert image.shape == (160, 160, 3) and targets["image_id"] == 7
    found = targets["class"][:, 0] == 1
    assert found.sum() > 0 and weights["class"].min() == 0  # anchors between the thresholds
    np.testing.assert_array_equal(weights["box_deltas"], targets["class"])
    assert np.abs(targets["box_deltas"][found]).max() > 0
    assert not targets["box_deltas"][~found].any()


def test_an_image_without_people_is_all_background():
    _, targets, weights = samples(People((), ()), augmentation=AUGMENTATION).sample(0, 1)
    assert not targets["class"].any() and weights["class"].all()


def test_crowds_and_people_cut_off_are_neither_person_nor_background():
    crowd = samples(People(is_crowd=(True,))).example(0)
    assert len(crowd["boxes"]) == 0
    np.testing.assert_allclose(crowd["ignored_boxes"], [[48, 24, 80, 72]])
    large = DetectorAugmentation(flip=0.0, scale=(4.0, 4.0))  # 512 pixels on a canvas of 160
    corner = samples(People(boxes=((0, 0, 60, 60),)), augmentation=large)
    made = [corner.example(0, draw) for draw in range(20)]
    for example in made:
        assert len(example["boxes"]) + len(example["ignored_boxes"]) == 1
    assert any(len(example["ignored_boxes"]) for example in made)


def test_a_damaged_image_is_a_sample_of_weight_zero_and_is_reported():
    bad = samples(Damaged())
    image, targets, weights = bad.sample(0, 0)
    assert not image.any() and not any(weight.any() for weight in weights.values())
    assert targets["image_id"] == 7
    assert bad.rejected.entries() == [{"path": "bad.jpg", "reason": "truncated", "count": 1}]


def test_tf_data_yields_the_same_samples_in_order():
    made = samples(augmentation=AUGMENTATION)
    loaded = made.load(np.zeros(3, np.int64), np.arange(3)).as_numpy_iterator()
    for draw, (image, *dicts) in enumerate(loaded):
        expected_image, *expected = made.sample(0, draw)
        np.testing.assert_array_equal(image, expected_image)
        for one, other in zip(dicts, expected, strict=True):
            assert set(one) == set(other)
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])


def test_colours_change_on_the_image_and_not_on_the_black_round_it():
    options = {"flip": 0.0, "scale": (0.5, 0.5)}
    plain, coloured = (
        samples(augmentation=DetectorAugmentation(colour=colour, **options)).example(0, 5)
        for colour in (0.0, 0.5)
    )
    np.testing.assert_array_equal(plain["boxes"], coloured["boxes"])
    changed = (plain["image"] != coloured["image"]).any(axis=-1)
    assert changed.any() and not changed[plain["image"].max(axis=-1) == 0].any()


def test_a_sample_depends_on_seed_and_draw_alone():
    one, again, other = (samples(augmentation=AUGMENTATION).sample(0, d)[0] for d in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_edges_the_network_cannot_take_are_refused():
    for edges in ((96, 150), (200, 160), (0, 160)):
        with pytest.raises(ValueError, match="multiples of 32"):
            DetectorSamples(People(), *edges)


class Oracle:
    """Answers a batch of all images with their own targets."""

    def __init__(self, samples, shift=0.0):
        targets = [samples.sample(i)[1] for i in range(len(samples.dataset))]
        self.logits = 20 * np.stack([one["class"] for one in targets]) - 10
        self.deltas = np.stack([one["box_deltas"] for one in targets]) + np.float32(shift)

    def __call__(self, images, training):
        return {"class_logits": self.logits, "box_deltas": self.deltas}


def test_perfect_answers_have_perfect_ap(tmp_path):
    write_coco(tmp_path, "val", 3, size=(90, 130), seed=1, people=(1, 2), heights=(0.5, 0.9))
    made = DetectorSamples(load_coco(tmp_path, "val"), 128, 192)
    figures = evaluate_boxes(Oracle(made), made, 3, nms_threshold=0.9)
    assert figures["person_ap"] == pytest.approx(1.0) and figures["person_ar"] == 1.0
    assert figures["val_loss"] < 1e-3 and (figures["images"], figures["skipped"]) == (3, 0)
    moved = evaluate_boxes(Oracle(made, shift=1.0), made, 3, nms_threshold=0.9)  # by a tenth
    assert 0 < moved["person_ap"] < 0.8
