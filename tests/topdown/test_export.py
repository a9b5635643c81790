import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from posekit.affine import rotation
from posekit.commands import UsageError
from posekit.export import bytes_of_variables, bytes_of_weights
from posekit.export_command import within_limits
from posekit.images import decode_image
from posekit.oks import oks_nms
from posekit.poses import Poses
from posekit.reloading import run_saved_model
from posekit.skeletons import COCO, MPII
from topdown.crops import crop_people, crop_transforms
from topdown.export import OUTPUTS, export, signatures
from topdown.export_check import (
    LIMITS,
    Expected,
    cases_of,
    differences,
    drawn_files,
    expect,
    requests_for,
)
from topdown.export_run import exported_options
from topdown.graph_people import crop_people_in_graph, crop_transforms_in_graph, oks_nms_in_graph
from topdown.prediction import TopDownPredictor
from topdown.settings import Crop, PoseReading, Reading, Settings

ROOT = Path(__file__).parents[2]
READING = Reading(keypoint_threshold=0.4, box_threshold=0.55, oks_threshold=0.7)
CROPS = (Crop(), Crop(1.0, 60.0), Crop(1.0, 0.0, (0.1, 0.15)), Crop(stretch=True))


def make_model(reading=READING):
    """A random network of two heads with maps that differ from place to place."""
    keras.utils.set_random_seed(3)
    settings = Settings({"coco": COCO, "mpii": MPII}, size=(64, 48), reading=reading)
    crops = keras.Input((64, 48, 3), name="crops")
    x = keras.layers.Rescaling(1 / 255)(PoseReading(settings, name="reading")(crops))
    x = keras.layers.Conv2D(16, 9, 4, "same", activation="relu", name="trunk")(x)
    heads = {
        name: keras.layers.Conv2D(s.num_keypoints, 3, padding="same", name=f"head_{name}")(x)
        for name, s in settings.domains.items()
    }
    return keras.Model(crops, heads)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A SavedModel with flip test, the cases of its check, and both sides' answers."""
    folder, model = tmp_path_factory.mktemp("models"), make_model()
    version = export(model, folder, "people", flip=True)
    cases = cases_of(drawn_files())
    predictor = TopDownPredictor(model, flip=True)
    expected = [expect(predictor, case) for case in cases]
    answers = run_saved_model(version, requests_for(cases, expected))
    return SimpleNamespace(
        version=version, model=model, cases=cases, expected=expected, answers=answers
    )


def test_all_signatures_equal_the_python_path(served):
    found = differences(served.answers, served.expected)
    assert found.keys() == {"serving_default", "from_boxes", "from_jpeg_boxes"}
    assert within_limits(found, LIMITS), found
    poses = np.concatenate([one.poses.keypoints for one in served.expected])
    assert np.ptp(poses[..., 2]) > 0.1 and len(poses) > 12


def test_boxes_of_low_scores_and_doubles_are_left_out(served):
    for case, answer in zip(served.cases[:-1], served.answers[1::3], strict=False):
        kept = answer["kept"]
        np.testing.assert_array_equal(answer["boxes"], case.boxes[kept])
        np.testing.assert_array_equal(answer["box_scores"], case.box_scores[kept])
        assert answer["num_poses"] == len(kept) and (answer["box_scores"] >= 0.55).all()
        assert (np.diff(answer["scores"]) <= 0).all()
    assert 5 not in np.concatenate([answer["kept"] for answer in served.answers[1::3]])


def test_no_boxes_and_no_crops_give_nobody(served):
    crops, boxes, file = served.answers[-3:]
    assert crops["keypoints"].shape == boxes["keypoints"].shape == (0, 17, 3)
    assert boxes["num_poses"] == file["num_poses"] == 0 and len(file["kept"]) == 0


@pytest.mark.parametrize(
    "name, shift", [("boxes", 0.1), ("keypoints", 0.01), ("scores", 0.01), ("keypoints", np.nan)]
)
def test_a_difference_in_one_output_is_found_out(served, name, shift):
    """The Python path is played by the answers themselves."""
    expected = [
        Expected(
            case_expected.crops,
            crops["keypoints"],
            Poses(boxes["keypoints"], boxes["scores"], boxes["boxes"], COCO),
            case_expected.scales,
        )
        for crops, boxes, case_expected in zip(
            served.answers[::3], served.answers[1::3], served.expected, strict=True
        )
    ]
    assert within_limits(differences(served.answers, expected), LIMITS)
    wrong = [dict(answer) for answer in served.answers]
    wrong[5][name] = wrong[5][name] + np.float32(shift)
    found = differences(wrong, expected)
    assert within_limits({"from_boxes": found["from_boxes"]}, LIMITS)
    assert not within_limits(found, LIMITS)


def test_the_folder_holds_each_weight_once_and_a_description(served):
    assert bytes_of_variables(served.version) < 1.5 * bytes_of_weights(served.model)
    extra = served.version / "assets.extra"
    description = json.loads((extra / "model.json").read_text("utf-8"))
    assert description["skeleton"]["names"] == list(COCO.names)
    assert description["settings"]["flip"] is True
    assert description["settings"]["domain"] == "coco"
    outputs = description["signatures"]["from_jpeg_boxes"]["outputs"]
    assert outputs.keys() == OUTPUTS.keys()
    assert outputs["keypoints"] == {"dtype": "float32", "shape": [None, 17, 3]}
    records = tf.data.TFRecordDataset(str(extra / "tf_serving_warmup_requests"))
    assert [b"from_jpeg_boxes" in record.numpy() for record in records] == [False, False, True]


@pytest.mark.parametrize("offset, blur_sigma", [("second_peak", 3.5), ("none", None)])
def test_another_head_and_another_reading(offset, blur_sigma):
    model = make_model(Reading(offset, blur_sigma, shift=False, oks_threshold=0.95))
    case = cases_of(drawn_files()[:1])[0]
    image = decode_image(case.data)
    found = signatures(model, flip=True, domain="mpii")["from_boxes"](
        image, case.boxes, case.box_scores
    )
    predictor = TopDownPredictor(model, flip=True, domain="mpii")
    expected = predictor.predict([image], [case.boxes], [case.box_scores])[0]
    assert found["keypoints"].shape == expected.keypoints.shape == (len(expected), 16, 3)
    np.testing.assert_allclose(found["scores"], expected.scores, atol=1e-3)
    close = np.abs(found["keypoints"] - expected.keypoints) < 0.01
    assert close.mean() > 0.97


@pytest.mark.parametrize("box", [[5, 5, 5, 20], [0, 0, np.nan, 9], [0, 0, 9, np.inf]])
def test_unusable_boxes_fail_unless_their_score_is_low(box):
    serve = signatures(make_model())["from_boxes"]
    image = np.zeros((40, 50, 3), np.uint8)
    boxes = np.float32([[0, 0, 30, 30], box])
    assert serve(image, boxes, np.float32([1, 0.5]))["num_poses"] == 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected finite xyxy boxes"):
        serve(image, boxes, np.float32([1, 0.9]))


def test_a_version_says_how_it_was_exported(served, tmp_path):
    assert exported_options(served.version) == (True, "coco")
    with pytest.raises(UsageError, match="expected a top-down network"):
        exported_options(tmp_path)


def test_an_unknown_head_is_refused(tmp_path):
    with pytest.raises(ValueError, match="coco, mpii, received voc"):
        export(make_model(), tmp_path, "people", domain="voc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("crop", CROPS)
def test_crops_in_the_graph_equal_those_outside(crop):
    rng = np.random.default_rng(0)
    corner, extent = rng.uniform(-20, 80, (8, 2)), rng.uniform(4, 90, (8, 2))
    boxes = np.concatenate([corner, corner + extent], axis=1).astype(np.float32)
    settings = Settings({"coco": COCO}, size=(64, 48), crop=crop)
    transforms = crop_transforms(boxes, settings)
    found = crop_transforms_in_graph(boxes, settings.size, crop)
    np.testing.assert_allclose(found, transforms, rtol=1e-6, atol=1e-5)
    image = rng.integers(0, 256, (100, 120, 3), np.uint8)
    # Turned, so that every crop has oblique borders as well.
    turned = np.stack([t @ np.vstack([rotation(9), [0, 0, 1]]) for t in transforms])
    for used in (transforms, turned.astype(np.float32)):
        crops = crop_people([image], [used], settings).astype(int)
        found = crop_people_in_graph(image, used, settings.size).numpy()
        difference = np.abs(crops - found.astype(int))
        assert difference.max() <= 1 and (difference > 0).mean() < 1e-3 and np.ptp(crops) > 200


@pytest.mark.parametrize("threshold", [0.5, 0.9, 1.0])
def test_doubles_in_the_graph_are_those_outside(threshold):
    rng = np.random.default_rng(1)
    for count in (0, 1, 2, 30):
        middle = rng.integers(0, 4, (count, 1, 2)) * 40.0
        places = middle + rng.normal(0, rng.choice([0, 2, 9], (count, 1, 1)), (count, 17, 2))
        keypoints = np.concatenate([places, np.ones((count, 17, 1))], -1).astype(np.float32)
        scores = rng.choice(np.float32([0.25, 0.5, 0.75]), count)  # many are equal
        areas = rng.uniform(500, 2000, count)
        expected = oks_nms(keypoints, scores, areas, COCO.sigmas, threshold)
        found = oks_nms_in_graph(keypoints, scores, areas, COCO.sigmas, threshold)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_script_writes_and_verifies(tmp_path):
    make_model().save(tmp_path / "tiny.keras")

    def run(*words):
        command = [sys.executable, str(ROOT / "scripts" / "export.py"), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    done = run("tiny.keras", "--name", "people", "--flip", "--verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("models/people/1: ") and "from_jpeg_boxes" in done.stdout
    make_model(Reading("none")).save(tmp_path / "other.keras")
    other = run("other.keras", "--verify-only", "models/people/1")
    assert other.returncode == 1, other.stdout
    pretrained = run(str(ROOT / "pretrained" / "multiposenet-mobilenetv2.keras"), "--flip")
    assert pretrained.returncode == 2 and "expected a top-down network" in pretrained.stderr
