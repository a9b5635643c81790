import dataclasses
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from av.format import formats_available
from PIL import Image
from script_runs import help_at_once
from tiny_networks import joined, photo
from tiny_topdown import random_network

from posekit.checkpoints import save_keras
from posekit.datasets.posetrack_results import read_results
from posekit.video.reading import open_video
from posekit.video.writing import VideoWriter
from tracking.recipes import RECIPES
from tracking.run.lines import read_tracks

ROOT = Path(__file__).parents[2]
EASY = ("--tracker.box-threshold", 0, "--tracker.keypoint-threshold", 0, "--tracker.shortest", 1)


def command(*words):
    return [sys.executable, ROOT / "scripts" / "track.py", *map(str, words)]


def run(folder, *words):
    return subprocess.run(command(*words), capture_output=True, text=True, cwd=folder, timeout=300)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with random networks and a video of noise."""
    folder = tmp_path_factory.mktemp("made")
    save_keras(joined(), folder / "joined.keras")
    save_keras(random_network(), folder / "poses.keras")
    (folder / "run").mkdir()
    os.link(folder / "joined.keras", folder / "run" / "best.keras")
    with VideoWriter(folder / "noise.mp4", 10.0) as writer:
        for index in range(9):
            writer.write(photo(index // 3))
    return folder


def test_help_answers_at_once(tmp_path):
    said = help_at_once("track")
    for word in ("--topdown", "--recipe", "--flow", "--resume", "--tracker.queue", "--formats"):
        assert word in said
    listed = run(tmp_path, "--recipe", "list")
    assert listed.returncode == 0 and len(listed.stdout.splitlines()) == len(RECIPES)


def test_a_video_becomes_files(made, tmp_path):
    words = "--model", made / "joined.keras", *EASY, "--output", tmp_path / "out", "--json"
    done = run(tmp_path, made / "noise.mp4", *words)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        *("tracks.jsonl", "posetrack18.json", "coco.json", "tracks.csv", "mot.txt"),
        *("video.mp4", "report.json", ".lock"),
    }
    report = json.loads(done.stdout)
    assert report["complete"] and report["frames"] == 9 and report["people"] > 9
    assert sum(1 for _ in open_video(out / "video.mp4").frames()) == 9
    tracks = read_tracks(out / "tracks.jsonl")
    assert sum(len(frame.poses) for frame in tracks) == report["people"]
    assert tracks.header.source == "noise.mp4" and tracks.header.skeleton.name == "coco"
    assert [model["name"] for model in tracks.header.models] == ["joined.keras"]
    assert read_results(out / "posetrack18.json").num_frames == 9
    texts = [path.read_text() for path in out.iterdir() if path.suffix in (".json", ".jsonl")]
    assert not any(str(folder) in text for text in texts for folder in (made, tmp_path))
    again = run(tmp_path, made / "noise.mp4", *words)
    assert again.returncode == 2 and "give --resume" in again.stderr


def test_pictures_top_down_with_a_recipe(made, tmp_path):
    folder = tmp_path / "000342_mpii_test"
    folder.mkdir()
    for index in range(4):
        Image.fromarray(photo(index // 2)).save(folder / f"{4 * index:06d}.png")
    (folder / "000008.png").write_bytes(b"\x89PNG cut")
    models = "--topdown", "--detector", made / "run", "--model", made / "poses.keras"
    words = "--recipe", "simple-baselines-a2", "--no-video", "--formats", "posetrack18", "--flip"
    done = run(tmp_path, folder, *models, *words, *EASY, "--heads", "coco")
    assert done.returncode == 3, done.stderr
    assert "frame 2: picture: 000008.png" in done.stderr
    assert "3 frames, " in done.stdout and "frames per second" in done.stdout
    out = tmp_path / "tracks"
    results = read_results(out / "posetrack18.json")
    assert results.image_ids.tolist() == [10003420000 + frame for frame in (0, 4, 8, 12)]
    assert not (results.frame == 2).any()
    assert not (out / "video.mp4").exists()
    header = read_tracks(out / "tracks.jsonl").header
    assert header.settings["tracker"]["similarity"] == "pose" and header.settings["topdown"]
    assert header.settings["tracker"]["box_threshold"] == 0  # words after the recipe's
    assert header.skeleton.name == "posetrack" and np.isfinite(results.keypoints).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Required options"),
        (("none.mp4",), "Cannot use video none.mp4: No such file"),
        (("noise.mp4", "--recipe", "best"), "--recipe: expected one of simple-baselines-a1"),
        (("noise.mp4", "--detector", "a.keras"), "--detector: expected --topdown"),
        (("noise.mp4", "--flow", "fast"), "--flow: expected dis, none, a folder"),
        (("noise.mp4", "--flow", "run"), "--flow: expected .flo files in run, found none"),
        (("noise.mp4", "--flow-cache", "noise.mp4"), "received noise.mp4 (File exists)"),
        (("noise.mp4", "--frames", 0), "--frames: expected at least 1"),
        (("noise.mp4", "--resume", "--overwrite"), "expected --resume or --overwrite"),
        (("noise.mp4", "--formats", "xml"), "xml"),
        (("noise.mp4", "--tracker.queue", 0), "queue: expected at least 1"),
        (("noise.mp4", "--rate", 0.00001), "--rate: expected 0.0001 to 1000"),
        (("noise.mp4", "--flow-size", 8), "--flow-size: expected at least 16, received 8"),
        (("noise.mp4", "--model", "none.keras"), "none.keras is missing"),
        (("noise.mp4", "--model", "poses.keras"), "received a model of kind topdown"),
        (("noise.mp4", "--topdown", "--model", "run"), "received a model of kind multiposenet"),
        (("noise.mp4", "--flow", "poses.keras"), "expected a flow network, received: a model of"),
    ],
)
def test_options_that_are_refused(made, words, message):
    done = run(made, *words)
    assert done.returncode == 2 and message in done.stderr + done.stdout, done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) < 10
    assert not (made / "tracks" / "tracks.jsonl").exists()


def test_what_has_no_effect_is_said_in_a_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["track.py"])
    script = runpy.run_path(str(ROOT / "scripts/track.py"))
    options = script["Tracking"]("a.mp4", flow="none", flow_cache=Path("cache"))
    script["say_what_is_ignored"](options)
    script["say_what_is_ignored"](dataclasses.replace(options, flow=str(ROOT / "tests")))
    script["say_what_is_ignored"](dataclasses.replace(options, flow="dis"))
    rated = dataclasses.replace(options, flow="dis", rate=10.0)
    script["say_what_is_ignored"](rated)
    script["say_what_is_ignored"](dataclasses.replace(rated, source=str(ROOT)))
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.startswith("ignored beside --flow none: propagation, similarity flow (")
    assert first.endswith("), --flow-cache") and second.endswith("tests: --flow-cache")
    assert third.endswith(": --rate")


# FFmpeg draws what the camera sees, frame by frame in real time; all but the name of its driver is
# as with a real one.
CAMERA = """
import os, runpy, sys
from posekit.video import reading

class Drawn(reading.VideoFile):
    def __init__(self, path, max_pixels, device, threads):
        assert (str(path), device) == ("/dev/video0", "v4l2")
        os.symlink(os.devnull, picture := "testsrc=size=160x96:rate=10,realtime")
        super().__init__(picture, max_pixels, "lavfi", threads)

reading.VideoFile = Drawn
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.skipif("lavfi" not in formats_available, reason="FFmpeg draws no pictures here")
def test_a_camera_is_read_until_ctrl_c(made, tmp_path):
    words = "0", "--model", made / "joined.keras", *EASY, "--flow", "dis"
    start = [sys.executable, "-c", f"import sys; sys.argv[:] = sys.argv[1:]; {CAMERA}"]
    assert _stop(tmp_path, words, signal.SIGINT, 5, start) == 0
    tracks = read_tracks(tmp_path / "out" / "tracks.jsonl")
    frames = list(tracks)
    assert tracks.complete and len(frames) == tracks.footer["decoded"] >= 5
    times = np.arange(len(frames)) / 10
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=1e-6)
    drawn = list(open_video(tmp_path / "out" / "video.mp4").frames())
    np.testing.assert_allclose([frame.time for frame in drawn], times, atol=1e-3)


@pytest.mark.slow
def test_the_weights_that_come_along_killed_and_interrupted(shared, tmp_path):
    video = shared / "data" / "videos" / "opencv_vtest.avi"
    words = video, "--frames", 40, "--checkpoint-every", 10
    assert run(tmp_path, *words, "--output", "whole").returncode == 0
    _stop(tmp_path, words, signal.SIGKILL, 12)
    assert _stop(tmp_path, (*words, "--resume"), signal.SIGINT, 25) == 130
    done = run(tmp_path, *words, "--output", "out", "--resume")
    assert done.returncode == 0, done.stderr
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert (out / "tracks.jsonl").read_bytes() == (whole / "tracks.jsonl").read_bytes()
    assert (out / "coco.json").read_bytes() == (whole / "coco.json").read_bytes()
    assert sum(1 for _ in open_video(out / "video.mp4").frames()) == 40
    footer = json.loads((out / "tracks.jsonl").read_text().splitlines()[-1])
    assert footer["people"] > 80 and 3 <= footer["identities"] <= 15


def _stop(folder, words, number, lines, start=(sys.executable,)):
    """Starts a run, sends a signal as soon as so many lines are there; returns the exit code."""
    tracks = folder / "out" / "tracks.jsonl"
    words = [*start, *command(*words, "--output", "out")[1:]]
    with subprocess.Popen(words, cwd=folder) as process:
        while process.poll() is None:
            if tracks.exists() and tracks.read_bytes().count(b"\n") > lines:
                os.kill(process.pid, number)
                break
            time.sleep(0.02)
        return process.wait()
