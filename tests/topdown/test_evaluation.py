import json
from pathlib import Path

import numpy as np
import pytest
from tiny_topdown import random_network

from posekit.commands import UsageError
from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from posekit.detections import Detections, write_detections
from posekit.metrics.coco import EvaluationError
from posekit.metrics.coco_files import evaluate_files
from posekit.metrics.coco_truth import read_truth
from posekit.poses import Poses
from posekit.skeletons import COCO, POSETRACK
from topdown.combination import CombinationError
from topdown.evaluate_model import check_images, evaluate, evaluate_model
from topdown.evaluate_options import TopDownEvaluation, check
from topdown.evaluation import detected_boxes, evaluate_keypoints, truth_boxes
from topdown.evaluation_report import to_json, to_text, warnings_of
from topdown.oracle import OraclePredictor, encoding_ceiling, oracle_settings
from topdown.settings import Reading


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_coco(folder, "val", 6, (96, 120), seed=1, people=(1, 3))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny.keras"
    random_network("coco", "mpii", "posetrack").save(path)
    return path


class Knows:
    """Returns the true pose of a box of the truth; of others nothing."""

    skeleton = COCO

    def __init__(self, dataset):
        people = [dataset.annotations(i) for i in range(len(dataset))]
        self.boxes = np.concatenate([p["boxes"] for p in people])
        self.keypoints = np.concatenate([p["keypoints"] for p in people])

    def predict(self, images, boxes, scores):
        assert all(len(b) == len(s) for b, s in zip(boxes, scores, strict=True))
        return [self.find(*pair) for pair in zip(boxes, scores, strict=True)]

    def find(self, boxes, scores):
        same = (np.reshape(boxes, (-1, 1, 4)) == self.boxes).all(-1)
        known = same.any(axis=1)
        keypoints = self.keypoints[same.argmax(axis=1)[known]]
        keypoints = keypoints * [1, 1, 0.5]
        return Poses(keypoints, scores[known], boxes[known], COCO)


def test_the_truth_is_perfect_in_its_own_boxes(data):
    dataset = load_coco(data, "val")
    assert evaluate_keypoints(Knows(dataset), dataset).metrics["AP"] == pytest.approx(1)


def some_detections(dataset):
    """The truth's boxes of all images but the first, and a false one on each."""
    rows = [
        (int(dataset.image_ids[i]), box) for i in range(1, 6) for box in truth_boxes(dataset)(i)[0]
    ]
    rows += [(int(i), np.float32([1, 1, 9, 9])) for i in dataset.image_ids]
    scores = np.linspace(0.9, 0.1, len(rows))
    return Detections(np.array([i for i, _ in rows]), np.array([b for _, b in rows]), scores)


def test_boxes_of_a_file_count_with_their_own_figures(data, tmp_path):
    dataset = load_coco(data, "val")
    found = some_detections(dataset)
    truth = read_truth(dataset.annotation_file)
    entries = []
    boxes = detected_boxes(dataset, found)
    scores, pictures = evaluate(Knows(dataset), dataset, boxes, truth, entries, True)
    # All people of five images of six are found, none of them wrongly.
    missed = len(truth_boxes(dataset)(0)[0])
    recall = 1 - missed / scores.keypoints.people["ground_truth"]
    assert scores.keypoints.metrics["AR"] == pytest.approx(recall)
    write_detections(tmp_path / "boxes.json", found)
    again = evaluate_files(dataset.annotation_file, tmp_path / "boxes.json")
    assert scores.boxes.stats == again.stats and 0.3 < again.stats[0] < 1
    (tmp_path / "keypoints.json").write_text(json.dumps(entries))
    again = evaluate_files(dataset.annotation_file, tmp_path / "keypoints.json")
    assert scores.keypoints.stats == again.stats
    assert len(pictures) == 8 and pictures[0].shape == pictures[1].shape


def test_boxes_for_other_images_are_refused(data):
    truth = read_truth(load_coco(data, "val").annotation_file)
    alien = Detections([70, 80], np.float32([[1, 1, 5, 5]] * 2), [0.5, 0.5])
    with pytest.raises(EvaluationError, match=r"ids are 1, 2, .* the ids 70, 80; give the file"):
        check_images(alien, truth, Path("f.json"))
    check_images(alien.select([]), truth, Path("f.json"))
    check_images(Detections([6], alien.boxes[:1], [1]), truth, Path("f.json"))


def test_the_report_says_how_it_was_measured(data, model, tmp_path):
    dataset = load_coco(data, "val")
    dataset.path(5).write_bytes(dataset.path(5).read_bytes()[:200])
    found = some_detections(dataset)
    found = Detections(
        np.append(found.image_ids, 99),
        np.append(found.boxes, [[1, 1, 5, 5]], 0),
        np.append(found.scores, 0.5),
    )
    write_detections(tmp_path / "boxes.json.gz", found)
    options = TopDownEvaluation(
        models=(model,), data=data, boxes=str(tmp_path / "boxes.json.gz"), flip=True, shift=False,
        domain=("mpii", "posetrack"), combination="first", offset="second_peak", blur_sigma=3.5,
        keypoint_threshold=-1, box_threshold=0.2, oks_threshold=0.5,
        write=tmp_path / "out", picture=tmp_path / "p.png",
    )  # fmt: skip
    check(options)
    scores = evaluate_model(options)
    report = json.loads(json.dumps(to_json(scores), allow_nan=False))
    counts = {"ground_truth": 6, "evaluated": 5, "skipped": 1, "unknown": 0, "damaged": 1}
    assert {name: report["images"][name] for name in counts} == counts
    protocol = report["protocol"]
    assert protocol["boxes"] == "boxes.json.gz" and protocol["skeleton"] == "coco"
    assert protocol["box_counts"]["boxes_on_other_images"] == 1
    assert protocol["boxes_person_AP"] == report["boxes"]["metrics"]["AP"] > 0
    assert protocol["heads"] == ["mpii", "posetrack"] and protocol["combination"] == "first"
    assert protocol["keypoints_without_prediction"] == list(COCO.names[1:5])  # eyes and ears
    assert protocol["crop"]["margin"] == 1.25 and protocol["flip"] is True
    assert protocol["reading"] == {
        "offset": "second_peak", "blur_sigma": 3.5, "shift": False, "keypoint_threshold": -1,
        "box_threshold": 0.2, "oks_threshold": 0.5,
    }  # fmt: skip
    text = "\n".join(warnings_of(scores))
    assert dataset.path(5).name in text and "left_eye" in text and "ground truth: 1" in text
    assert "boxes: boxes.json.gz" in to_text(scores) and "bbox by pycocotools" in to_text(scores)
    again = evaluate_files(
        dataset.annotation_file, tmp_path / "out" / "keypoints.json", only_predicted=True
    )
    assert again.results["read"] == scores.keypoints.results["read"] > 0
    assert (tmp_path / "p.png").stat().st_size > 10000


def test_heads_that_a_model_does_not_have(data, model):
    options = TopDownEvaluation(models=(model,), data=data, domain=("voc", "coco"))
    with pytest.raises(UsageError, match="--domain: expected one head"):
        check(options)
    with pytest.raises(CombinationError, match="received voc"):
        evaluate_model(TopDownEvaluation(models=(model,), data=data, domain=("voc",)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": "none.json"}, r"--boxes: expected gt or a file .* none\.json"),
        ({"models": (Path("a"), Path("b"))}, "one top-down model, received 2"),
        ({"blur_sigma": -1.0}, "--blur-sigma"),
        ({"keypoint_threshold": 7.0}, "--keypoint-threshold"),
        ({"box_threshold": float("nan")}, "--box-threshold"),
        ({"images": 0}, "--images"),
    ],
)
def test_options_that_are_refused(changes, message):
    options = {"models": (Path("m.keras"),), "data": Path("d")} | changes
    with pytest.raises(UsageError, match=message):
        check(TopDownEvaluation(**options))


@pytest.mark.parametrize(
    ("offset", "least"), [("none", 0.75), ("sign", 0.94), ("second_peak", 0.9)]
)
def test_the_encoding_hardly_loses_anything(data, offset, least):
    """Drawn people of 96 pixels; real ones see below."""
    dataset = load_coco(data, "val")
    oracle = OraclePredictor(oracle_settings(COCO), Reading(offset))
    assert least < encoding_ceiling(oracle, dataset).metrics["AP"] <= 1


def test_the_oracle_of_nobody():
    oracle = OraclePredictor(oracle_settings(POSETRACK))
    assert len(oracle.predict(np.zeros((0, 15, 3)), np.zeros((0, 4)))) == 0
    assert oracle_settings(COCO, (384, 288)).sigma == 3


@pytest.mark.parametrize(
    ("size", "offset", "expected"),
    [
        ((256, 192), "sign", 0.975),
        ((256, 192), "second_peak", 0.964),
        ((384, 288), "sign", 0.978),
        ((384, 288), "second_peak", 0.977),
    ],
)
def test_ceilings_on_real_people(shared, size, offset, expected):
    dataset = load_coco(shared / "data" / "coco_small", "val")
    oracle = OraclePredictor(oracle_settings(COCO, size), Reading(offset))
    scores = encoding_ceiling(oracle, dataset)
    assert scores.metrics["AP"] == pytest.approx(expected, abs=6e-4)
    assert scores.images["evaluated"] == len(dataset)
