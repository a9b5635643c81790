import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from script_runs import help_at_once

from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from topdown.detector import PersonDetector
from topdown.ssd_recipes import SSD_RECIPES

ROOT = Path(__file__).parents[2]


def run(*words, check=True):
    command = [sys.executable, ROOT / "scripts" / "train_ssd.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=check, cwd=ROOT)


def test_help_answers_at_once_and_lists_the_rows():
    text = help_at_once("train_ssd")
    for name in SSD_RECIPES:
        assert name in text


def test_rows_have_the_schedule_of_the_report():
    for name in SSD_RECIPES.keys() - {"ssd-demo"}:
        recipe = SSD_RECIPES[name][1]
        assert (recipe.steps, recipe.drop_steps) == (15_000, (10_000, 12_000, 14_000))
        assert (recipe.optimizer, recipe.learning_rate, recipe.momentum) == ("sgd", 1e-3, 0.9)
        assert recipe.val_dataset.startswith("posetrack:")


TINY = (
    *("--synthetic.train", 8, "--synthetic.val", 3, "--synthetic.people", 1, 2),
    *("--width", 4, "--batch-size", 4, "--eval-images", 3),
)


def test_demo_trains_and_its_file_finds_boxes(tmp_path):
    done = run("ssd-demo", *TINY, "--epochs", 1, "--output", tmp_path)
    folder = tmp_path / "ssd-demo"
    for name in ("recipe.json", "last.keras", "best.keras", "curves.png", "predictions.png"):
        assert (folder / name).stat().st_size > 100
    report = json.loads((folder / "metrics.json").read_text())
    assert report["protocol"]["images_evaluated"] == 3
    assert report["protocol"]["settings"]["size"] == 300
    assert f"{report['metrics']['val_loss']:.4g}" in done.stdout
    (data,) = (tmp_path / "synthetic").glob("300px*")
    images = [load_coco(data, "val").image(0)]
    ((boxes, scores),) = PersonDetector(folder / "best.keras").predict(images)
    assert len(boxes) == len(scores) > 0 and np.isfinite(boxes).all()


@pytest.mark.slow
def test_several_data_sets_are_trained_on_together_and_a_run_resumes(tmp_path):
    data = tmp_path / "people"
    for split, count in (("train", 8), ("val", 3)):
        write_coco(data, split, count, size=(160, 213), seed=1, people=(1, 2))
    words = "ssd-demo", "--datasets", f"coco:{data}:train", f"coco:{data}:val"
    words = *words, "--output", tmp_path, "--schedule", "plateau", *TINY[-6:]
    done = run(*words, "--epochs", 1)
    assert "11 training images, 3 held-out images" in done.stderr
    run(*words, "--epochs", 2)
    rows = list(csv.DictReader((tmp_path / "ssd-demo" / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]


def test_a_wrong_word_is_named(tmp_path):
    done = run("ssd-demo", "--output", tmp_path, "--datasets", "coco:nowhere", check=False)
    assert done.returncode == 2 and "nowhere" in done.stderr and "Traceback" not in done.stderr
