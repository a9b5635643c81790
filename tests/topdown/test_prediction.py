import dataclasses

import keras
import numpy as np
import pytest
from tiny_topdown import SPOTS, random_network, spots, spotter

from posekit.heatmaps import average_flipped, decode_heatmaps
from posekit.skeletons import COCO
from topdown.combination import Combination, CombinationError
from topdown.crops import crop_people, crop_transforms, to_image
from topdown.pose_reader import crop_areas, rescore
from topdown.prediction import (
    ModelError,
    TopDownPredictor,
    load_topdown,
    maps_in_graph,
    with_reading,
)
from topdown.settings import Crop, Settings

PLACES = np.array([[[60.0, 40], [90, 100], [40, 150]], [[200, 60], [230, 110], [190, 160]]])
BOXES = np.float32([[20, 20, 110, 180], [170, 40, 250, 180]])
IMAGE = spots(PLACES, (200, 280))


@pytest.mark.parametrize(
    ("crop", "flip", "offset"),
    [
        (Crop(), False, "sign"),
        (Crop(), True, "second_peak"),
        (Crop(1.0, 60), False, "second_peak"),
        (Crop(1.0, 0, (0.1, 0.15)), True, "sign"),
        (Crop(1.1, 9, (0, 0), True), False, "sign"),
    ],
)
def test_spots_are_found_where_they_are(crop, flip, offset):
    """To half a heatmap cell, 2 pixels of the crop."""
    model = spotter(crop=crop)
    reading = with_reading(model, offset=offset)
    predictor = TopDownPredictor(model, flip, reading=reading)
    [poses] = predictor.predict([IMAGE], [BOXES], [np.float32([0.5, 0.9])])
    assert poses.skeleton == SPOTS and len(poses) == 2
    np.testing.assert_array_equal(poses.boxes, BOXES[::-1])
    transforms = crop_transforms(BOXES[::-1], predictor.settings)
    cell = 4 / np.abs(transforms[:, [0, 1], [0, 1]])  # image pixels, along x and y
    errors = (poses.keypoints[..., :2] - PLACES[::-1]) / cell[:, None]
    assert np.abs(errors).max() < 0.45 and np.abs(errors.mean(axis=(0, 1))).max() < 0.25
    assert (poses.keypoints[..., 2] > 0.7).all()
    np.testing.assert_allclose(
        poses.scores, poses.keypoints[..., 2].mean(axis=1) * [0.9, 0.5], rtol=1e-5
    )


@pytest.mark.parametrize("width", [64, 48])
def test_the_flip_test_is_that_of_the_numpy_reference(width):
    """At 48 pixels the network gives 16 columns of cells, the crop has 12."""
    model = random_network("coco", "mpii", size=(64, width))
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, width, 3), np.uint8)
    plain = model(np.float32(crops), training=False)
    mirrored = model(np.float32(crops[:, :, ::-1]), training=False)
    for shift in (False, True):
        found = maps_in_graph(model, crops, True, shift)
        assert list(found) == ["coco", "mpii"]
        for name, skeleton in model.get_layer("reading").settings.domains.items():
            pair = [np.asarray(maps[name])[:, :, : width // 4] for maps in (plain, mirrored)]
            expected = average_flipped(*pair, skeleton.flip, shift)
            np.testing.assert_allclose(np.asarray(found[name]), expected, atol=1e-5)


def test_crops_of_several_images_share_batches_and_nothing_else():
    model = random_network()
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (h, 90, 3), np.uint8) for h in (70, 120, 50)]
    boxes = [np.float32([[5, 5, 60, 60], [20, 3, 80, 50]]), np.zeros((0, 4)), [[1, 2, 40, 45]]]
    predictor = TopDownPredictor(model, batch_size=2)
    together = predictor.predict(images, boxes)
    alone = [predictor.predict([image], [b])[0] for image, b in zip(images, boxes, strict=True)]
    assert [len(poses) for poses in together] == [2, 0, 1]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
    assert predictor.predict([], []) == []


def test_few_crops_exist_at_once(monkeypatch):
    model, made = random_network(), []
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (80, 90, 3), np.uint8) for _ in range(3)]
    low = rng.uniform(0, 40, (23, 2))
    boxes = np.split(np.float32(np.hstack([low, low + rng.uniform(15, 40, (23, 2))])), [1, 20])

    def noted(*arguments):
        made.append(crop_people(*arguments))
        return made[-1]

    monkeypatch.setattr("topdown.prediction.crop_people", noted)
    everybody = with_reading(model, oks_threshold=1.0)
    found = {
        size: TopDownPredictor(model, reading=everybody, batch_size=size).predict(images, boxes)
        for size in (2, 64)
    }
    assert [len(crops) for crops in made] == [8, 8, 7, 23]
    for few, many in zip(*found.values(), strict=True):
        np.testing.assert_allclose(few.keypoints, many.keypoints, atol=1e-3)
        np.testing.assert_array_equal(few.boxes, many.boxes)


def test_doubles_and_weak_boxes_are_left_out():
    model = spotter()
    boxes = np.float32([BOXES[0], BOXES[0] + 1, BOXES[1]])
    scores = np.float32([0.7, 0.8, 0.3])
    [found] = TopDownPredictor(model).predict_boxed([IMAGE], [boxes], [scores])
    np.testing.assert_allclose(found.box_scores, [0.8, 0.3])
    np.testing.assert_array_equal(found.poses.boxes, boxes[1:])
    everybody = with_reading(model, oks_threshold=1.0)
    assert len(TopDownPredictor(model, reading=everybody).predict([IMAGE], [boxes])[0]) == 3
    strict = with_reading(model, box_threshold=0.75)
    [poses] = TopDownPredictor(model, reading=strict).predict([IMAGE], [boxes], [scores])
    assert len(poses) == 1


def test_scores():
    keypoints = np.zeros((3, 4, 3))
    keypoints[..., 2] = [[0.9, 0.5, 0.2, 0.1], [0.2, 0.1, 0.2, 0], [1, 1, 1, 1]]
    box_scores = np.array([0.5, 1, 0.25])
    np.testing.assert_allclose(rescore(keypoints, box_scores, 0.2), [0.35, 0, 0.25])
    np.testing.assert_allclose(rescore(keypoints, box_scores, -1), [0.2125, 0.125, 0.25])
    assert rescore(keypoints[:0], box_scores[:0], 0.2).shape == (0,)


def test_crops_show_what_transforms_say():
    settings = Settings({"spots": SPOTS}, (128, 96))
    boxes = np.float32([[0, 0, 48, 32], [-10, 5, 30, 95]])  # widened and heightened
    transforms = crop_transforms(boxes, settings)
    areas = [(48 * 1.25) * (64 * 1.25), (67.5 * 1.25) * (90 * 1.25)]
    np.testing.assert_allclose(crop_areas(transforms, settings.size), areas, rtol=1e-5)
    crops = crop_people([IMAGE], [transforms], settings)
    assert crops.shape == (2, 128, 96, 3) and crops.dtype == np.uint8
    middles = to_image(np.full((2, 1, 3), [48.0, 64, 0.5]), transforms)
    np.testing.assert_allclose(middles[:, 0], [[24, 16, 0.5], [10, 50, 0.5]], atol=1e-3)
    assert crop_people([IMAGE], [transforms[:0]], settings).shape == (0, 128, 96, 3)
    with pytest.raises(ValueError, match="x1 < x2"):
        crop_transforms([[5, 5, 5, 9]], settings)


def test_a_combination_gives_its_own_skeleton():
    model = random_network("coco", "mpii", "posetrack")
    combination = Combination("vote")
    predictor = TopDownPredictor(model, combination=combination)
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    found = predictor.predict_crops(crops)
    assert predictor.skeleton.name == "posetrack" and found.shape == (2, 15, 3)
    maps = {name: np.asarray(value) for name, value in model(np.float32(crops)).items()}
    neck = (maps["mpii"][..., 8:9] + maps["posetrack"][..., 12:13]) / 2
    np.testing.assert_allclose(found[:, 12:13], decode_heatmaps(neck, 4, "sign"), atol=1e-4)


def test_heads_that_are_not_there():
    model = random_network()
    with pytest.raises(ValueError, match="a head out of coco, received mpii"):
        TopDownPredictor(model, domain="mpii")
    with pytest.raises(CombinationError, match="out of coco, received mpii"):
        TopDownPredictor(model, combination=Combination("first", ("coco", "mpii")))
    with pytest.raises(ValueError, match="received both"):
        TopDownPredictor(model, domain="coco", combination=Combination())


def test_files_that_are_no_topdown_network(tmp_path):
    with pytest.raises(ModelError, match=r"none\.keras is missing"):
        load_topdown(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("text")
    with pytest.raises(ModelError, match=r"text\.keras: expected a top-down"):
        load_topdown(tmp_path / "text.keras")
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    plain.save(tmp_path / "plain.keras")
    with pytest.raises(ModelError, match="without crop settings"):
        load_topdown(tmp_path / "plain.keras")
    spotter().save(tmp_path / "spots.keras")
    [poses] = TopDownPredictor(load_topdown(tmp_path / "spots.keras")).predict([IMAGE], [BOXES])
    [expected] = TopDownPredictor(spotter()).predict([IMAGE], [BOXES])
    np.testing.assert_array_equal(poses.keypoints, expected.keypoints)


def test_a_reading_is_changed_in_parts():
    reading = with_reading(random_network(), offset="none")
    assert dataclasses.replace(reading, offset="sign") == with_reading(random_network())


def test_mirrored_maps_come_back_with_left_and_right_exchanged():
    model = random_network("coco")
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    plain, mirrored = (
        model(c.astype(np.float32))["coco"].numpy() for c in (crops, crops[:, :, ::-1])
    )
    back = mirrored[:, :, ::-1][..., list(COCO.flip)]
    found = maps_in_graph(model, crops, flip=True, shift=False)["coco"].numpy()
    wrong = (plain + mirrored[:, :, ::-1]) / 2  # an untrained head gives 1e-9 and alike
    scale = abs(found - wrong).max()
    assert scale > 0
    np.testing.assert_allclose(found / scale, (plain + back) / 2 / scale, atol=0.02)
