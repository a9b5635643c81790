import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from script_runs import help_at_once
from tiny_networks import joined, photo

from multiposenet.prediction import Predictor
from posekit.checkpoints import save_keras
from posekit.poses import read_coco_results
from posekit.strict_json import read_json

ROOT = Path(__file__).parents[2]


def run(folder, *words):
    command = [sys.executable, ROOT / "scripts" / "predict.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny.keras"
    save_keras(joined(), path)
    return path


def save_photos(folder):
    (folder / "photos").mkdir()
    for seed, size in enumerate([(60, 80), (90, 33), (1, 1)]):
        Image.fromarray(photo(seed, size)).save(folder / f"photos/photo {seed}.png")
    (folder / "photos/bad.jpg").write_text("<html>")


def test_photos_become_files(model, tmp_path):
    save_photos(tmp_path)
    words = "photos", "photos/photo*", "--model", model, "--score", 0
    done = run(tmp_path, *words, "--as-annotations")
    assert done.returncode == 3, done.stderr
    out = tmp_path / "predictions"
    wholes = {"results.json", "images.json", "annotations.json", "rejected.json"}
    each = {f"photo {i}.{suffix}" for i in range(3) for suffix in ("json", "jpg")}
    assert {path.name for path in out.iterdir()} == wholes | each
    assert [entry["path"] for entry in read_json(out / "rejected.json")] == ["bad.jpg"]
    assert "skipped: " in done.stderr and "bad.jpg" in done.stderr
    assert "\x1b" not in done.stderr and "━" not in done.stderr  # no progress: not a terminal
    found = read_json(out / "photo 0.json")
    direct = Predictor(joined()).predict([photo(0)])[0]
    people = found["people"]
    assert len(people) == len(direct.poses) > 0 and found["model"] == ["tiny.keras"]
    np.testing.assert_allclose([p["box"] for p in people], direct.poses.boxes, atol=0.01)
    np.testing.assert_allclose([p["keypoints"] for p in people], direct.poses.keypoints, atol=0.01)
    counts = [len(read_json(out / f"photo {i}.json")["people"]) for i in range(3)]
    assert done.stdout.startswith(f"3 photos, {sum(counts)} people, ")
    assert len(read_json(out / "annotations.json")["images"]) == 3
    assert {entry["image_id"] for entry in read_coco_results(out / "results.json")} <= {2, 3, 4}


@pytest.mark.slow
def test_an_ensemble_with_flip_and_scales(model, tmp_path):
    save_photos(tmp_path)
    save_keras(joined(1), tmp_path / "other.keras")
    words = "photos/photo 0.png", "--model", model, "other.keras"
    done = run(tmp_path, *words, "--flip", "--scales", 0.7, 1, "--output", "out/deep")
    assert done.returncode == 0, done.stderr
    found = read_json(tmp_path / "out/deep/photo 0.json")
    assert found["model"] == ["tiny.keras", "other.keras"] and found["people"]


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "received none"),
        (["nowhere/*.jpg"], "'nowhere/*.jpg'"),
        (["photos", "--output", "photos"], "--output: expected"),
        (["photos", "--scales", "0"], "--scales: expected"),
        (["photos", "--model", "none.keras"], "none.keras is missing"),
        (["photos", "--modell", "none.keras"], "--model"),
    ],
)
def test_wrong_options_exit_with_two(tmp_path, words, message):
    save_photos(tmp_path)
    done = run(tmp_path, *words)
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not done.stdout


def test_help_answers_at_once():
    assert "--as-annotations" in help_at_once("predict")
