import csv
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from script_runs import help_at_once

from multiposenet.detection_subnet import backbone_of
from multiposenet.keypoint_subnet import keypoint_model
from posekit.resnet import resnet

ROOT = Path(__file__).parents[2]


def run(*words, check=True):
    command = [sys.executable, ROOT / "scripts" / "train_detector.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=check, cwd=ROOT)


def test_help_answers_at_once_and_lists_the_rows_of_table_5():
    text = help_at_once("train_detector")
    for name in ("demo", "detector-small", "detector-r50", "detector-r101"):
        assert name in text


TINY = (
    *("--synthetic.train", 8, "--synthetic.val", 3, "--synthetic.people", 1, 2),
    *("--batch-size", 4, "--shorter-edge", 64, "--longer-edge", 96, "--eval-images", 3),
    *("--depth", 8, "--fpn-depth", 8, "--learning-rate", 0.05),
)


def test_demo_trains_pyramid_and_heads_on_a_frozen_backbone(tmp_path):
    _, keypoints = keypoint_model(resnet(18, width=8), 17, fpn_depth=8, depth=4)
    (tmp_path / "demo").mkdir()
    keypoints.save(tmp_path / "demo" / "best.keras")  # where the keypoint demo leaves it
    done = run("demo", *TINY, "--epochs", 2, "--output", tmp_path)
    folder = tmp_path / "detector-demo"
    for name in ("recipe.json", "last.keras", "best.keras", "curves.png", "predictions.png"):
        assert (folder / name).stat().st_size > 100
    rows = list(csv.DictReader((folder / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    report = json.loads((folder / "metrics.json").read_text())
    assert report["protocol"]["images_evaluated"] == 3 and report["protocol"]["nms"] == 0.3
    assert f"{report['metrics']['val_loss']:.4g}" in done.stdout
    model = keras.saving.load_model(folder / "last.keras")
    assert set(model.output) == {"class_logits", "box_deltas"}
    # The loss has reached the heads, and nothing has reached the backbone.
    assert np.abs(model.get_layer("box_readout").bias).max() > 0
    kept = zip(backbone_of(model).weights, backbone_of(keypoints).weights, strict=True)
    for new, old in kept:
        np.testing.assert_array_equal(new, old)


def test_without_a_keypoint_run_the_script_says_what_to_do(tmp_path):
    done = run("demo", *TINY, "--output", tmp_path, check=False)
    assert done.returncode == 2
    assert "train_keypoint.py" in done.stderr and "Traceback" not in done.stderr
