import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*words, check=True):
    command = [sys.executable, ROOT / "scripts" / "train_keypoint.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=check, cwd=ROOT)


def test_help_answers_at_once_and_lists_the_rows_of_table_2():
    start = time.perf_counter()
    text = run("--help").stdout
    assert time.perf_counter() - start < 2  # importing TensorFlow alone takes longer
    for name in ("demo", "coco-r50", "coco-r101-dil", "coco-r101-no-int", "coco-r101-no-concat"):
        assert name in text


@pytest.mark.parametrize("words", [["coco-r5"], ["demo", "--batch-size", "many"]])
def test_wrong_usage_exits_with_two(words):
    assert run(*words, check=False).returncode == 2


TINY = (
    *("--synthetic.train", 12, "--synthetic.val", 3, "--synthetic.people", 1, 2),
    *("--batch-size", 4, "--patch-size", 64, "--eval-images", 3),
)


def test_demo_trains_resumes_and_leaves_what_the_readme_says(tmp_path):
    first = run("demo", *TINY, "--epochs", 2, "--output", tmp_path)
    folder = tmp_path / "demo"
    for name in ("recipe.json", "last.keras", "best.keras", "curves.png", "predictions.png"):
        assert (folder / name).stat().st_size > 100
    rows = list(csv.DictReader((folder / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    report = json.loads((folder / "metrics.json").read_text())
    assert report["protocol"]["images"] == 3 and report["protocol"]["data"] == "synthetic"
    assert f"{report['metrics']['recall']:.4g}" in first.stdout
    again = run("demo", *TINY, "--epochs", 2, "--output", tmp_path)
    assert again.stdout == first.stdout  # nothing left to train; the same figures


def test_a_missing_data_folder_is_named(tmp_path):
    done = run("demo", "--data", tmp_path / "nowhere", "--output", tmp_path, check=False)
    assert done.returncode == 2
    assert "nowhere" in done.stderr and "Traceback" not in done.stderr
