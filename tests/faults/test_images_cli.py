"""Pictures of strange shapes and names, through the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from script_runs import run_script
from tiny_networks import joined, photo

from posekit.checkpoints import save_keras
from posekit.strict_json import read_json
from tracking.run.lines import read_tracks

ROOT = Path(__file__).parents[2]
SHAPES = {
    "1x1": (1, 1),
    "1x300": (1, 300),
    "20000x1": (20000, 1),
    "1x20000": (1, 20000),
    "8000x6000": (8000, 6000),
}
LONGEST_SIDE = 16384
"""Of a video in H.264."""
SLOW = pytest.mark.slow
PREDICTED = [
    pytest.param(words, shape, marks=[] if (words, shape) == ((), "1x1") else SLOW)
    for words in ((), ("--topdown",))
    for shape in SHAPES
]


@pytest.fixture
def pictures(tmp_path):
    """Returns a function that makes a folder of one picture of noise, in blocks."""

    def make(shape):
        height, width = SHAPES[shape]
        noise = photo(1, (min(height, 500), min(width, 500)))
        folder = tmp_path / "pictures"
        folder.mkdir()
        Image.fromarray(noise).resize((width, height), Image.Resampling.NEAREST).save(
            folder / "a.png"
        )
        return folder

    return make


def check_numbers(people, shape):
    """Reading refuses NaN already; a keypoint that was found is near its image."""
    height, width = SHAPES[shape]
    for person in people:
        keypoints = np.array(person["keypoints"]).reshape(-1, 3)
        found = keypoints[keypoints[:, 2] > 0]
        assert (found[:, :2] >= -10).all() and (found[:, :2] <= [width + 10, height + 10]).all()


@pytest.mark.parametrize(("words", "shape"), PREDICTED)
def test_i7_photos_of_any_shape_are_predicted(words, shape, pictures, tmp_path):
    done = run_script("predict", pictures(shape), *words, "--output", tmp_path / "out")
    assert done.code == 0, done.err
    found = read_json(tmp_path / "out" / "a.json")
    assert (found["height"], found["width"]) == SHAPES[shape]
    check_numbers(found["people"], shape)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_i7_frames_of_any_shape_are_tracked(shape, pictures, tmp_path):
    words = pictures(shape), "--output", tmp_path / "out"
    done = run_script("track", *words)
    if max(SHAPES[shape]) > LONGEST_SIDE:
        assert done.code == 2 and "H.264 takes 16384 pixels a side" in done.err
        done = run_script("track", *words, "--overwrite", "--no-video")
    assert done.code == 0, done.err
    assert read_json(tmp_path / "out" / "report.json")["frames"] == 1
    check_numbers(read_json(tmp_path / "out" / "coco.json"), shape)


NAMES = (
    "ünï 日本 ☃.png",
    "  two  spaces .png",
    "new\nline.png",
    "-dash.png",
    "quote'\".png",
    "%s{}$(true).png",
    "n" * 246 + ".png",
    "日" * 82 + ".png",
    os.fsdecode(b"\xff\xfe.png"),
)


@pytest.fixture
def named(tmp_path):
    """A folder of pictures of those names, one more by a link, a loop of links; and a model."""
    folder = tmp_path / "fol der\nü"
    folder.mkdir()
    for name in NAMES:
        Image.fromarray(photo()).save(folder / name)
    (folder / "linked.png").symlink_to(folder / NAMES[0])
    (folder / "loop.png").symlink_to(folder / "loop.png")
    save_keras(joined(), tmp_path / "tiny.keras")
    return folder


def run(script, *words):
    command = [sys.executable, ROOT / "scripts" / script, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def test_i8_photos_of_any_name_are_predicted(named, tmp_path):
    out = tmp_path / "out pût\n"
    alone = os.path.join(named, NAMES[2])  # named as well as found
    words = named, alone, "--model", tmp_path / "tiny.keras", "--output", out, "--as-annotations"
    done = run("predict.py", *words)
    assert done.returncode == 3 and "Traceback" not in done.stderr, done.stderr
    listed = {entry["file_name"]: entry["name"] for entry in read_json(out / "images.json")}
    assert listed.keys() == {*NAMES, "linked.png"}
    (rejected,) = read_json(out / "rejected.json")
    assert rejected["path"] == "loop.png" and "symbolic links" in rejected["reason"]
    assert len(set(listed.values())) == len(listed)
    for file_name, name in listed.items():
        assert read_json(out / f"{name}.json")["image"] == file_name
        assert (out / f"{name}.jpg").stat().st_size > 500


@pytest.mark.slow
def test_i8_frames_of_any_name_are_tracked(named, tmp_path):
    out = tmp_path / "out pût\n"
    words = named, "--model", tmp_path / "tiny.keras", "--flow", "none", "--output", out, "--json"
    done = run("track.py", *words)
    assert done.returncode == 3 and "Traceback" not in done.stderr, done.stderr
    report = json.loads(done.stdout)
    assert report["decoded"] == len(NAMES) + 1 == report["declared"] - 1
    reason = report["faults"][0]["reason"]
    assert reason.startswith("loop.png: ") and "symbolic links" in reason
    assert len(list(read_tracks(out / "tracks.jsonl"))) == len(NAMES) + 1
