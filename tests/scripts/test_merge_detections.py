import json
import subprocess
import sys
from pathlib import Path

import pytest
from script_runs import help_at_once

ROOT = Path(__file__).parents[2]
BOXES = [[10, 10, 40, 60], [100, 20, 50, 100]]


def people(image_id=5):
    shared = {"image_id": image_id, "category_id": 1, "iscrowd": 0, "area": 2000}
    return [shared | {"id": 10 * image_id + i, "bbox": box} for i, box in enumerate(BOXES)]


TRUTH = {
    "images": [{"id": 5}, {"id": 6}],
    "annotations": people(5) + people(6),
    "categories": [{"id": 1, "name": "person"}],
}


def entry(image_id, box, score, category_id=1):
    return {"image_id": image_id, "category_id": category_id, "bbox": box, "score": score}


# One detector finds all in image 5, the other all in image 6 and one person of 5 again, worse.
FIRST = [entry(5, box, 0.9) for box in BOXES]
SECOND = [entry(6, box, 0.8) for box in BOXES] + [entry(5, [12, 10, 40, 60], 0.7)]
SECOND += [entry(6, [0, 0, 9, 9], 0.99, 18), entry(6, [0, 0, 0, 9], 0.99)]


def run(*words):
    command = [sys.executable, ROOT / "scripts" / "merge_detections.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


@pytest.fixture
def files(tmp_path):
    for name, value in {"a": FIRST, "b": SECOND, "truth": TRUTH}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    return tmp_path


def test_help_answers_at_once():
    said = help_at_once("merge_detections")
    for word in ("FOLDER", "--method", "--annotations", "weights 2 1"):
        assert word in said


def test_person_ap_of_each_and_of_all(files):
    words = files / "a.json", files / "b.json", "--output", files / "out.json"
    done = run(*words, "--annotations", files / "truth.json", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    first, second = report["sources"]
    assert (first["file"], first["boxes"], first["images"]) == ("a.json", 2, 1)
    assert (second["boxes"], second["images"]) == (3, 2)
    assert second["dropped"] == {"other_category": 1, "no_area": 1, "below_minimum": 0}
    # Half of the people at full precision; 101 recalls, of which 0 to 0.5 are reached.
    assert first["AP"] == pytest.approx(51 / 101) and first["on_unknown_images"] == 0
    merged = report["merged"]
    assert (merged["boxes"], merged["images"], merged["AP"]) == (4, 2, pytest.approx(1))
    assert report["protocol"]["threshold"] == 0.6
    assert json.loads((files / "out.json").read_text())[0] == FIRST[0]


def test_table_folder_and_weights(files):
    folder = files / "sequences"
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps(FIRST[:1]))
    (folder / "2.json").write_text(json.dumps(FIRST[1:]))
    words = "--output", files / "out.json.gz", "--method", "wbf", "--weights", 3, 1
    done = run(folder, files / "b.json", *words)
    assert done.returncode == 0, done.stderr
    assert "method wbf, threshold 0.55, weights [3.0, 1.0]" in done.stdout
    assert "left out: other category 1, no area 1" in done.stdout
    assert "out.json.gz" in done.stdout and "AP" not in done.stdout
    from posekit.detections import read_detections

    found = read_detections(files / "out.json.gz")
    assert found.images == [5, 6] and found.of_image(5)[0][0, 0] == pytest.approx(10.41, abs=0.01)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.json", "absent.json"], "absent.json"),
        (["a.json", "--weights", "1", "2"], "--weights: expected one for each of 1 files"),
        (["a.json", "--weights", "1"], "weights for wbf only"),
        (["a.json", "--threshold", "1.5"], "received 1.5"),
        (["a.json", "--output", "nowhere/at/all.json"], "nowhere"),
        (["truth.json"], "expected a list of results"),
        (["a.json", "--annotations", "b.json"], "b.json"),
        (["a.json", "--method", "vote"], "vote"),
        ([], "at least one file of boxes"),
    ],
)
def test_rejected_input_exits_with_two(files, words, message):
    named = [files / word if word in ("a.json", "b.json", "truth.json") else word for word in words]
    if "--output" not in words:
        named += ["--output", files / "out.json"]
    done = run(*named)
    assert done.returncode == 2 and message in done.stderr and not done.stdout
    assert "Traceback" not in done.stderr and not (files / "out.json").exists()
