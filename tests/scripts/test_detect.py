import json
import subprocess
import sys
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from tiny_networks import joined

from multiposenet.prediction import Predictor
from posekit.commands import UsageError
from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from posekit.detections import read_detections

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import detect  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("coco")
    write_coco(root, "val", 3, (64, 80), seed=0, people=(1, 2))
    joined().save(root / "tiny.keras")
    for name, layer in {"ssd": "topdown>SsdReading", "other": None}.items():
        with zipfile.ZipFile(root / f"{name}.keras", "w") as file:
            file.writestr("config.json", json.dumps({"registered_name": layer}))
    return root


def run(*words):
    command = [sys.executable, ROOT / "scripts" / "detect.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def run_here(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["detect.py", *map(str, words)])
    return detect.main()


def test_boxes_of_a_joined_model_and_a_damaged_image(folder, tmp_path, monkeypatch, capsys):
    root, loaded = tmp_path / "coco", []
    write_coco(root, "val", 3, (64, 80), seed=0, people=(1, 2))
    broken = sorted((root / "val").iterdir())[0]
    broken.write_bytes(b"no picture")
    # Not read again from the file: networks are compiled once for each model in memory.
    load = "multiposenet.detector.load_multiposenet"
    monkeypatch.setattr(load, lambda path: loaded.append(path) or joined())
    model, output = folder / "tiny.keras", tmp_path / "boxes.json.gz"
    words = "--data", root, "--model", model, "--output", output, "--json"
    assert run_here(monkeypatch, *words) == 3 and loaded == [model]
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["images"] == 2 and report["skipped"] == 1
    assert report["damaged"][0]["path"] == broken.name in printed.err
    found = read_detections(output)
    assert report["boxes"] == len(found) > 0 and len(found.images) == report["with_boxes"] == 2
    dataset = load_coco(root, "val")
    for i in (1, 2):
        expected = Predictor(joined()).predict([dataset.image(i)])[0]
        boxes, scores = found.of_image(dataset.image_ids[i])
        np.testing.assert_allclose(boxes, expected.poses.boxes, atol=1e-2)
        np.testing.assert_allclose(scores, expected.box_scores, atol=1e-5)


def test_nothing_is_written_where_no_image_can_be_read(folder, tmp_path, monkeypatch):
    write_coco(tmp_path, "val", 1, (64, 80), seed=0, people=(1, 2))
    next((tmp_path / "val").iterdir()).write_bytes(b"no picture")
    monkeypatch.setattr("multiposenet.detector.PersonDetector", mock.Mock())
    with pytest.raises(UsageError, match="none of 1 images"):
        run_here(monkeypatch, "--data", tmp_path, "--output", tmp_path / "boxes.json")
    assert not (tmp_path / "boxes.json").exists()


def test_boxes_of_an_ssd_above_a_score(folder, monkeypatch):
    seen = []

    class PersonDetector:
        def __init__(self, path):
            seen.append(path)

        def predict(self, images):
            return [(np.array([[1, 2, 3, 4], [0, 0, 9, 9]]), np.array([0.5, 0.2])) for _ in images]

    monkeypatch.setattr("topdown.detector.PersonDetector", PersonDetector)
    path, output = folder / "ssd.keras", folder / "one.json"
    words = "--data", folder, "--model", path, "--output", output, "--images", 2, "--minimum", 0.3
    assert run_here(monkeypatch, *words) == 0 and seen == [path]
    found = read_detections(output)
    assert found.boxes.tolist() == [[1, 2, 3, 4]] * 2 and found.scores.tolist() == [0.5] * 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--images", 0], "--images"),
        (["--batch-size", 0], "--batch-size"),
        (["--output", "nowhere/at/all.json"], "nowhere"),
        (["--model", "README.md"], "README.md"),
        (["--model", "other.keras"], "of kind other"),
        (["--split", "test"], "person_keypoints_test.json"),
    ],
)
def test_rejected_input_exits_with_two(folder, words, message):
    words = [folder / word if str(word).endswith(".keras") else word for word in words]
    done = run("--data", folder, *words)
    assert done.returncode == 2 and message in done.stderr and not done.stdout
    assert "Traceback" not in done.stderr
