import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_topdown import random_network

from posekit.datasets.synthetic import write_coco

ROOT = Path(__file__).parents[2]


def run(script, *words):
    command = [sys.executable, ROOT / "scripts" / script, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_coco(folder, "val", 3, (64, 80), seed=0, people=(1, 2))
    random_network().save(folder / "tiny.keras")
    box = {"category_id": 1, "bbox": [10, 5, 40, 50], "score": 0.5}
    (folder / "boxes.json").write_text(json.dumps([{"image_id": i, **box} for i in (1, 3)]))
    return folder


def test_a_topdown_model_in_boxes_of_a_file(folder, tmp_path):
    model = folder / "tiny.keras", "--data", folder, "--boxes", folder / "boxes.json"
    done = run("eval_coco.py", *model, "--json", "--flip", "--curves", tmp_path / "c.png")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["protocol"]["boxes"] == "boxes.json" and report["protocol"]["flip"] is True
    assert report["boxes"]["results"]["read"] == 2 == report["images"]["predicted"]
    assert report["images"]["evaluated"] == 3 and len(report["keypoints"]["stats"]) == 10
    assert "images without any in boxes.json: 1" in done.stderr
    assert (tmp_path / "c.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--grouping", "max"), "options of a top-down model, received --grouping"),
        (("--boxes", "nowhere.json"), "--boxes: expected gt or a file"),
        (("--domain", "a", "b"), "--domain: expected one head"),
    ],
)
def test_options_that_do_not_belong_to_it(folder, words, message):
    done = run("eval_coco.py", folder / "tiny.keras", "--data", folder, *words)
    assert done.returncode == 2 and message in done.stderr and not done.stdout
    assert "Traceback" not in done.stderr


def test_topdown_options_do_not_belong_to_the_pretrained_multiposenet(folder):
    done = run("eval_coco.py", "--data", folder, "--offset", "sign")
    assert done.returncode == 2 and "options of a joined model, received --offset" in done.stderr
    done = run("eval_coco.py", "--data", folder, "--boxes", "gt")
    assert done.returncode == 2 and "expected predicted or truth" in done.stderr


def test_the_encodings_ceiling(folder):
    words = "--data", folder, "--images", 2, "--size", 128, 96
    done = run("encoding_ceiling.py", *words, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["keypoints"]["metrics"]["AP"] > 0.5 and report["protocol"]["sigma"] == 1
    assert report["keypoints"]["images"]["evaluated"] == 2
    done = run("encoding_ceiling.py", "--data", folder, "--size", 130, 96)
    assert done.returncode == 2 and "--size: expected multiples of 4" in done.stderr
