import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from script_runs import help_at_once

from posekit.datasets.synthetic import write_coco

ROOT = Path(__file__).parents[2]


def run(*words, check=True):
    command = [sys.executable, ROOT / "scripts" / "train_keypoint.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=check, cwd=ROOT)


def test_help_answers_at_once_and_lists_the_rows_of_table_2():
    text = help_at_once("train_keypoint")
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
    assert report["protocol"]["images_evaluated"] == 3 and report["protocol"]["data"] == "synthetic"
    assert f"{report['metrics']['recall']:.4g}" in first.stdout
    again = run("demo", *TINY, "--epochs", 2, "--output", tmp_path)
    assert again.stdout == first.stdout  # nothing left to train; the same figures


def test_a_missing_data_folder_is_named(tmp_path):
    done = run("demo", "--data", tmp_path / "nowhere", "--output", tmp_path, check=False)
    assert done.returncode == 2
    assert "nowhere" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> Path:
    """A COCO folder whose first training and first held-out image are cut in half."""
    root = tmp_path_factory.mktemp("coco")
    for split, count in (("train", 8), ("val", 6)):
        write_coco(root, split, count, size=(64, 64), people=(1, 2))
        image = sorted((root / split).iterdir())[0]
        image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    return root


def test_a_damaged_image_is_passed_over_and_reported(damaged, tmp_path):
    words = ("--data", damaged, "--output", tmp_path, "--epochs", 1, "--bad-images", 0.4)
    done = run("demo", *TINY, *words)
    folder = tmp_path / "demo"
    for split in ("train", "val"):
        (entry,) = map(json.loads, (folder / f"rejected-{split}.jsonl").read_text().splitlines())
        assert entry["path"] == "000000000001.jpg" and entry["reason"] and entry["count"] >= 1
    report = json.loads((folder / "metrics.json").read_text())["protocol"]
    assert (report["images_evaluated"], report["images_skipped"]) == (2, 1)
    assert "1 of 8 images are damaged" in done.stderr


def test_too_many_damaged_images_stop_before_anything_is_called_best(damaged, tmp_path):
    words = ("--data", damaged, "--output", tmp_path, "--epochs", 1)
    done = run("demo", *TINY, *words, check=False)
    assert done.returncode == 3 and "--bad-images" in done.stderr
    assert not (tmp_path / "demo" / "best.keras").exists()
