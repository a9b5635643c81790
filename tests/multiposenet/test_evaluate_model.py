import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_networks import joined, photo

from multiposenet.evaluate_model import evaluate, evaluate_model, to_json, to_text, warnings_of
from multiposenet.evaluate_options import Evaluation, check
from multiposenet.evaluation_outputs import EvaluationOutputs, draw_pair, evaluation_outputs
from multiposenet.group_files import group_files
from multiposenet.grouping_rows import RowPredictor
from multiposenet.model import ModelError, pose_head
from multiposenet.prediction import Prediction, Predictor
from posekit.commands import UsageError
from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from posekit.metrics.coco import EvaluationError
from posekit.metrics.coco_files import evaluate_files
from posekit.poses import Poses
from posekit.skeletons import COCO, MPII

BOXES = np.float32([[0, 0, 50, 50], [20, 10, 80, 60]])


def tiny():
    return joined(canvas=(64, 64), box_weight=0.5)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_coco(folder, "val", 6, (60, 80), seed=1, people=(1, 3))
    return folder


def truth_of(example):
    """The truth as a prediction."""
    seen = example["keypoints"][..., 2:] > 0
    keypoints = np.concatenate([example["keypoints"][..., :2] * seen, seen], axis=-1)
    count = len(keypoints)
    poses = Poses(keypoints, keypoints[..., 2].mean(axis=1), example["boxes"], COCO)
    return Prediction(poses, np.ones(count, np.float32), example["person_mask"])


def test_the_truth_is_perfect(data):
    dataset = load_coco(data, "val")
    scores = evaluate(lambda found: [(truth_of(e), None) for e in found], COCO, dataset)
    assert scores.keypoints.metrics["AP"] == pytest.approx(1)
    assert scores.boxes.metrics["AP"] == pytest.approx(1) and scores.mask["iou"] == 1
    counts = {"ground_truth": 6, "predicted": 6, "evaluated": 6, "skipped": 0, "unknown": 0}
    assert scores.keypoints.images == scores.boxes.images == counts and not scores.damaged


def test_people_without_keypoints_are_boxes_only(data):
    def predict(found):
        empty = [truth_of(example) for example in found]
        blank = [
            Poses(0 * p.poses.keypoints, 0 * p.poses.scores, p.poses.boxes, COCO) for p in empty
        ]
        return [
            (dataclasses.replace(one, poses=poses, mask=~one.mask), None)
            for one, poses in zip(empty, blank, strict=True)
        ]

    scores = evaluate(predict, COCO, load_coco(data, "val"))
    assert scores.keypoints.results["read"] == 0 and scores.keypoints.metrics["AP"] == 0
    assert scores.boxes.metrics["AP"] == pytest.approx(1) and scores.mask["iou"] == 0
    assert "keypoints: no results were evaluated" in warnings_of(scores)


def test_unknown_pixels_do_not_count(data):
    dataset = load_coco(data, "val")

    def predict(found):
        for example in found:
            example["unknown_mask"] = ~example["person_mask"]
        everywhere = [np.ones_like(example["person_mask"]) for example in found]
        pairs = zip(found, everywhere, strict=True)
        return [(dataclasses.replace(truth_of(e), mask=mask), None) for e, mask in pairs]

    assert evaluate(predict, COCO, dataset).mask["iou"] == 1


def test_files_give_the_same_numbers_again(data, tmp_path):
    rng = np.random.default_rng(0)

    def predict(found):
        return [(blurred(truth_of(example)), None) for example in found]

    def blurred(one):
        keypoints = one.poses.keypoints + rng.normal(
            scale=1.5, size=(*one.poses.scores.shape, 17, 3)
        )
        boxes = one.poses.boxes + rng.normal(scale=3, size=(len(one.poses), 4))
        scores = rng.random(len(one.poses))
        return Prediction(Poses(keypoints, scores, boxes, COCO), scores / 3, one.mask)

    dataset, folder = load_coco(data, "val"), tmp_path / "out"
    with evaluation_outputs(folder) as outputs:
        scores = evaluate(predict, COCO, dataset, outputs)
    for first, name in ((scores.keypoints, "keypoints"), (scores.boxes, "boxes")):
        again = evaluate_files(dataset.annotation_file, folder / f"{name}.json")
        assert again.kind == first.kind and again.stats == first.stats
        assert 0.05 < first.stats[0] < 0.95


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A model run on images of its own size, so that pixels and canvas pixels are the same."""
    folder = tmp_path_factory.mktemp("run")
    write_coco(folder, "val", 3, (64, 64), seed=2, people=(1, 2))
    model = tiny()
    model.save(folder / "tiny.keras")
    pose_head(model).prn.save(folder / "prn.keras")
    paths = {"peaks": "peaks.json", "write": "out", "picture": "picture.png"}
    paths = {name: folder / path for name, path in paths.items()}
    options = Evaluation(models=(folder / "tiny.keras",), data=folder, **paths)
    return folder, evaluate_model(options)


def test_a_model_is_evaluated_with_its_protocol(outputs):
    folder, scores = outputs
    report = json.loads(json.dumps(to_json(scores), allow_nan=False))
    assert report["mask_iou"] == scores.mask["iou"] and report["images"]["damaged"] == 0
    assert len(report["keypoints"]["stats"]) == 10 and len(report["boxes"]["stats"]) == 12
    protocol = report["protocol"]
    assert protocol["models"] == ["tiny.keras"] and protocol["settings"]["max_people"] == 7
    assert protocol["parameters"] == [tiny().count_params()]
    assert "person mask IoU" in to_text(scores) and "skeleton: coco" in to_text(scores)
    assert (folder / "picture.png").stat().st_size > 10000


def test_our_peaks_and_boxes_through_files_are_our_poses(outputs):
    folder, _ = outputs
    files = folder / "peaks.json", folder / "out" / "boxes.json", folder / "grouped.json"
    counts = group_files(*files, folder / "prn.keras", box_weight=0.5)
    ours = json.loads((folder / "out" / "keypoints.json").read_text())
    again = json.loads((folder / "grouped.json").read_text())
    assert counts.poses == len(ours) == len(again) > 6
    for one, other in zip(ours, again, strict=True):
        assert one["image_id"] == other["image_id"]
        np.testing.assert_allclose(other["keypoints"], one["keypoints"], atol=1e-3)


def test_the_row_without_exchange_is_the_joined_model():
    model = tiny()
    images = [photo(0), photo(1, (90, 33))]
    plain = Predictor(model).predict(images)
    rows = RowPredictor(model).predict([{"image": image} for image in images])
    for one, (row, peaks) in zip(plain, rows, strict=True):
        np.testing.assert_allclose(row.poses.boxes, one.poses.boxes, atol=1e-4)
        np.testing.assert_allclose(row.poses.keypoints, one.poses.keypoints, atol=1e-3)
        np.testing.assert_allclose(row.poses.scores, one.poses.scores, atol=1e-6)
        np.testing.assert_array_equal(row.box_scores, one.box_scores)
        np.testing.assert_array_equal(row.mask, one.mask)
        found = one.poses.keypoints[one.poses.keypoints[..., 2] > 0]
        every = peaks[peaks[..., 2] > 0]
        gaps = np.abs(found[:, None] - every[None]).max(axis=-1).min(axis=1)
        assert len(found) and (gaps < 1e-3).all()


def example_of(image, boxes=BOXES):
    keypoints = np.zeros((len(boxes), 17, 3), np.float32)
    middle = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    keypoints[..., :2] = middle + np.random.default_rng(0).uniform(-12, 12, (len(boxes), 17, 2))
    keypoints[..., 2] = 2
    return {
        "image": image,
        "keypoints": keypoints,
        "boxes": boxes,
        "is_crowd": np.zeros(len(boxes), bool),
    }


def test_truth_takes_the_place_of_keypoints_and_boxes():
    """Far apart, true keypoints in true boxes are the truth again, whatever the network."""
    image = photo(0, (90, 200))
    example = example_of(image, np.float32([[10, 10, 60, 80], [130, 10, 190, 80]]))
    example["keypoints"][1, 3] = 0
    predictor = RowPredictor(tiny(), keypoints="truth", boxes="truth")
    [(found, peaks)] = predictor.predict([example])
    expected = example["keypoints"] / [1, 1, 2]
    guessed = found.poses.keypoints[..., 2] == 0
    assert np.argwhere(guessed).tolist() == [[1, 3]]
    there = np.where(guessed[..., None], 0, found.poses.keypoints)
    np.testing.assert_allclose(there, expected, atol=1e-3)
    np.testing.assert_allclose(found.poses.boxes, example["boxes"], atol=1e-3)
    np.testing.assert_allclose(found.poses.scores, [1, 16 / 17], atol=1e-6)
    np.testing.assert_allclose(peaks, expected, atol=1e-3)
    assert found.box_scores.tolist() == [1, 1]
    example["is_crowd"][0] = True
    [(found, peaks)] = predictor.predict([example])
    assert len(found.poses) == 1 and len(peaks) == 2


def test_baselines_take_the_place_of_the_network():
    """A prior of everything in the lower half makes people take the lower peak."""
    example = example_of(photo(0, (64, 64)), np.float32([[8, 4, 44, 60]]))
    low, high = example["keypoints"].copy(), example["keypoints"].copy()
    low[..., :2], high[..., :2] = (26, 50), (26, 14)
    example["keypoints"] = np.concatenate([high, low])
    example["boxes"], example["is_crowd"] = example["boxes"][[0]], np.zeros(1, bool)
    prior = np.zeros((56, 36, 17), np.float32)
    for half, y in ((slice(28, None), 50), (slice(28), 14)):
        prior[:] = 0
        prior[half] = 1
        row = RowPredictor(tiny(), "truth", "truth", "ucr", prior)
        [(found, _)] = row.predict([example])
        np.testing.assert_allclose(found.poses.keypoints[0, :, 1], y, atol=1e-3)
    example["keypoints"] = np.concatenate([high, low, low + (0, 1, 0)])  # twice as high a peak
    [(found, _)] = RowPredictor(tiny(), "truth", "truth", "max").predict([example])
    assert (found.poses.keypoints[0, :, 1] > 49).all()
    with pytest.raises(ModelError, match=r"prior of \(56, 36, 17\)"):
        RowPredictor(tiny(), grouping="ucr")


def test_damaged_images_are_named_and_others_skipped(tmp_path):
    write_coco(tmp_path, "val", 4, (60, 80), seed=1, people=(1, 2))
    dataset = load_coco(tmp_path, "val")
    dataset.path(1).write_bytes(dataset.path(1).read_bytes()[:200])
    scores = evaluate(
        lambda found: [(truth_of(e), None) for e in found], COCO, dataset.subset(np.arange(3))
    )
    assert scores.keypoints.images["evaluated"] == 2 and scores.keypoints.images["skipped"] == 2
    assert [one["path"] for one in scores.damaged] == [dataset.path(1).name]
    assert dataset.path(1).name in warnings_of(scores)[0]


def test_other_keypoints_are_refused(data):
    with pytest.raises(EvaluationError, match="skeleton 'mpii'"):
        evaluate(lambda found: [], MPII, load_coco(data, "val"))


def test_pictures_show_truth_and_prediction_of_the_first_images(data):
    dataset = load_coco(data, "val")
    example = dataset.example(0)
    truth, found = draw_pair(example, truth_of(example))
    assert truth.shape == found.shape == (360, 480, 3)
    limbs = truth.astype(int) - found  # only the printed pose scores differ
    assert (limbs != 0).any(axis=-1).mean() < 0.05
    outputs = EvaluationOutputs(drawing=True)
    evaluate(lambda found: [(truth_of(e), None) for e in found], COCO, dataset, outputs)
    assert len(outputs.pictures) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "expected MODEL --data FOLDER, or --annotations FILE --results FILE, .* neither"),
        ({"annotations": "a"}, "received --annotations"),
        ({"data": "d", "results": "r"}, "received --data .* and --results"),
        ({"annotations": "a", "results": "r", "flip": True}, "received --flip"),
        ({"models": ("m",)}, "expected --data, the COCO folder, beside MODEL"),
        ({"data": "d", "drop_unknown": True}, "and --drop-unknown of the form"),
        ({"data": "d", "grouping": "ucr"}, "--prior"),
        ({"data": "d", "prior": "p"}, "--prior"),
        ({"data": "d", "models": ("m", "n"), "rule": "clean"}, "one model"),
        ({"data": "d", "flip": True, "peaks": "p"}, "one model"),
        ({"data": "d", "images": 0}, "--images"),
        ({"data": "d", "batch_size": 0}, "--batch-size"),
        ({"data": "d", "scales": (1.0, 0.0)}, "--scales"),
        ({"data": "d", "picture": "nowhere/p.png"}, "--picture: .* nowhere"),
    ],
)
def test_options_that_do_not_belong_together(options, message):
    paths = {"annotations", "results", "data", "prior", "peaks", "picture"}
    given = {name: Path(v) if name in paths else v for name, v in options.items()}
    given |= {"models": tuple(map(Path, given["models"]))} if "models" in given else {}
    with pytest.raises(UsageError, match=message):
        check(Evaluation(**given))
