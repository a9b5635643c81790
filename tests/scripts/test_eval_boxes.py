import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PERSON = {"id": 1, "image_id": 5, "category_id": 1, "bbox": [10, 10, 40, 60], "area": 2000}
TRUTH = {
    "images": [{"id": 5}, {"id": 6}],
    "annotations": [PERSON, PERSON | {"id": 2, "image_id": 6}],
    "categories": [{"id": 1, "name": "person"}],
}


def entry(**fields):
    return {"image_id": 5, "category_id": 1, "bbox": PERSON["bbox"], "score": 0.4, **fields}


def run(folder, results, *words):
    for name, value in {"truth": TRUTH, "results": results}.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    command = [sys.executable, ROOT / "scripts" / "eval_boxes.py"]
    command += ["--annotations", folder / "truth.json", "--results", folder / "results.json"]
    command = [str(word) for word in (*command, *words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def test_both_rules_in_json(tmp_path):
    results = [entry(), entry(image_id=6, score=0.2), entry(image_id=9, score=0.9)]
    done = run(tmp_path, results, "--confidence", 0.1, 0.3, 0.5, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [row["confidence"] for row in report["voc"]] == [0.1, 0.3, 0.5]
    assert [row["every_point"] for row in report["voc"]] == [1, 0.5, 0]
    assert report["voc"][1]["eleven_point"] == pytest.approx(6 / 11)
    assert [row["unknown_image"] for row in report["voc"]] == [1, 1, 1]
    assert report["coco"]["metrics"]["AP"] == pytest.approx(1)
    assert report["coco"]["results"]["read"] == 3 and report["coco"]["images"]["unknown"] == 1
    assert report["results"] == "results.json"


def test_table(tmp_path):
    done = run(tmp_path, [entry()])
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()[:2] == "0."]
    assert [row[:2] for row in rows] == [["0.15", "1"], ["0.3", "1"], ["0.5", "0"]]
    assert rows[0][3] == "0.5000" and rows[2][3:] == ["0.0000", "0.0000", "none", "0.0000"]
    assert "overlap 0.5" in done.stdout and "AP50" in done.stdout
    assert "results: results.json" in done.stdout and "missed: 1" in done.stderr


@pytest.mark.parametrize(
    ("results", "words", "message"),
    [
        ([entry(score=float("nan"))], (), "entry 0, field score"),
        ([entry()], ("--iou", 0), "--iou"),
        ([entry()], ("--confidence",), "--confidence"),
        ({}, (), "expected a list of results"),
    ],
)
def test_rejected_input_exits_with_two(tmp_path, results, words, message):
    done = run(tmp_path, results, *words)
    assert done.returncode == 2 and message in done.stderr and not done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_real_files(tmp_path, shared):
    folder = shared / "data" / "coco_annotations"
    command = [sys.executable, ROOT / "scripts" / "eval_boxes.py", "--json"]
    command += ["--annotations", folder / "person_keypoints_val2017_rebuilt.json.gz"]
    command += ["--results", folder / "person_detections_val2017_yolo11n.json.gz"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    report = json.loads(done.stdout)
    assert report["coco"]["metrics"]["AP"] == pytest.approx(0.5325, abs=5e-5)
    figures = [row["every_point"] for row in report["voc"]]
    assert figures == pytest.approx([0.6890, 0.6141, 0.5019], abs=1e-4)
