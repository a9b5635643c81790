import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from script_runs import help_at_once

ROOT = Path(__file__).parents[2]


def run(*words):
    command = [sys.executable, ROOT / "scripts" / "group.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def test_help_answers_at_once():
    said = help_at_once("group")
    assert "--drop-unknown" in said and "image_id" in said


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    from multiposenet.prn import prn

    folder = tmp_path_factory.mktemp("files")
    prn(17, nodes=2, rank=2).save(folder / "prn.keras")
    peaks = {"nose": [[20, 10, 0.5]], "left_ankle": [[30, 90, 1]]}
    (folder / "peaks.json").write_text(json.dumps({"images": [{"image_id": 5, "peaks": peaks}]}))
    bbox = {"image_id": 5, "category_id": 1, "bbox": [10, 0, 40, 100], "score": 0.5}
    (folder / "boxes.json").write_text(json.dumps([bbox]))
    return folder


def words(folder, *more):
    paths = {name: folder / f"{name}.json" for name in ("peaks", "boxes", "output")}
    options = [word for name, path in paths.items() for word in (f"--{name}", path)]
    return *options, "--model", folder / "prn.keras", *more


def test_results_are_those_that_the_evaluation_reads(files):
    from posekit.poses import read_coco_results

    done = run(*words(files))
    assert done.returncode == 0, done.stderr
    assert "poses: 1" in done.stdout and "images: 1" in done.stdout
    [pose] = read_coco_results(files / "output.json", 17)
    keypoints = np.array(pose["keypoints"]).reshape(17, 3)
    np.testing.assert_array_equal(keypoints[[0, 15]], [[20, 10, 0.5], [30, 90, 1]])
    assert np.count_nonzero(keypoints[:, 2]) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--boxes", "README.md"), "README.md"),
        (("--output", "nowhere/out.json"), "nowhere"),
    ],
)
def test_rejected_input_exits_with_two(files, more, message):
    done = run(*words(files, *more))
    assert done.returncode == 2 and message in done.stderr and not done.stdout
    assert "Traceback" not in done.stderr
