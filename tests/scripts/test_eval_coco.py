import json
import subprocess
import sys
from pathlib import Path

import pytest
from script_runs import help_at_once

ROOT = Path(__file__).parents[2]
NAMES = ["nose", "left_hip", "right_hip"]
PERSON = {"id": 1, "image_id": 5, "category_id": 1, "bbox": [10, 10, 40, 60], "area": 2000}
PERSON |= {"iscrowd": 0, "keypoints": [20, 15, 2, 30, 50, 2, 15, 50, 1], "num_keypoints": 3}
TRUTH = {
    "images": [{"id": 5, "file_name": "5.jpg"}, {"id": 6, "file_name": "6.jpg"}],
    "annotations": [PERSON],
    "categories": [{"id": 1, "name": "person", "keypoints": NAMES}],
}


def entry(kind, **fields):
    return {"image_id": 5, "category_id": 1, kind: PERSON[kind], "score": 0.5, **fields}


def run(*words):
    command = [sys.executable, ROOT / "scripts" / "eval_coco.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def run_on(folder, results, *words):
    (folder / "truth.json").write_text(json.dumps(TRUTH))
    (folder / "results.json").write_text(json.dumps(results))
    files = "--annotations", folder / "truth.json", "--results", folder / "results.json"
    return run(*files, *words)


def test_help_answers_at_once():
    said = help_at_once("eval_coco")
    for word in ("--annotations", "--curves", "--data", "--grouping", "MODEL"):
        assert word in said


@pytest.mark.parametrize("kind, names", [("keypoints", 10), ("bbox", 12)])
def test_ground_truth_as_results_in_json(tmp_path, kind, names):
    done = run_on(tmp_path, [entry(kind)], "--json", "--curves", tmp_path / "curves.png")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["kind"] == kind and len(report["stats"]) == len(report["names"]) == names
    assert report["stats"][0] == pytest.approx(1) == report["metrics"]["AP"]
    assert report["metrics"]["APL"] is None and -1 in report["stats"]
    counts = {"ground_truth": 2, "predicted": 1, "evaluated": 2, "skipped": 0, "unknown": 0}
    assert report["images"] == counts
    assert report["protocol"]["tool"].startswith("pycocotools")
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_table_and_warnings(tmp_path):
    done = run_on(tmp_path, [entry("keypoints")], "--only-predicted")
    assert done.returncode == 0 and "AP     1.0000" in done.stdout
    assert "evaluated 1, skipped 1" in done.stdout and "OKS 0.50 to 0.95" in done.stdout
    assert "skipped: 1" in done.stderr and str(tmp_path) not in done.stdout


def test_no_results_is_an_answer(tmp_path):
    done = run_on(tmp_path, [], "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["stats"][0] == 0
    assert "no results" in done.stderr


@pytest.mark.parametrize(
    "results, words, message",
    [
        ([entry("bbox", score=float("nan"))], (), "entry 0, field score"),
        ([entry("bbox", image_id=9)], (), "unknown ids in 1 entries: 9"),
        ([entry("bbox")], ("--curves", "nowhere/at/all.png"), "nowhere"),
        ([entry("bbox")], ("--kind", "segm"), "segm"),
    ],
)
def test_rejected_input_exits_with_two(tmp_path, results, words, message):
    done = run_on(tmp_path, results, *words)
    assert done.returncode == 2 and message in done.stderr and not done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [(), ("--data", "d", "--results", "r"), ("m.keras",), ("--annotations", "a")]
)
def test_forms_that_are_mixed_or_not_whole_exit_with_two(words):
    done = run(*words)
    assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr
    assert "--data" in done.stderr


def test_a_model_on_a_folder(tmp_path):
    from tiny_networks import joined

    from posekit.datasets.synthetic import write_coco

    write_coco(tmp_path, "val", 3, (64, 80), seed=0, people=(1, 2))
    joined().save(tmp_path / "tiny.keras")
    broken = sorted((tmp_path / "val").iterdir())[0]
    broken.write_bytes(b"no picture")
    model = tmp_path / "tiny.keras", "--data", tmp_path
    done = run(*model, "--json", "--images", 2, "--curves", tmp_path / "c.png")
    assert done.returncode == 3, done.stderr  # half of the images are more than --bad-images
    report = json.loads(done.stdout)
    assert set(report["keypoints"]["metrics"]) >= {"AP", "APM"} and 0 <= report["mask_iou"] <= 1
    counts = {"ground_truth": 3, "evaluated": 1, "skipped": 2, "unknown": 0, "damaged": 1}
    assert report["images"] == counts | {"predicted": 1}
    assert report["damaged"][0]["path"] == broken.name in done.stderr
    assert report["protocol"]["scales"] == [1.0] and report["protocol"]["split"] == "val"
    assert (tmp_path / "c.png").stat().st_size > 5000
