import dataclasses
import errno
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tracked_walks as here
from tracked_walks import (
    DIRECT,
    FRAMES,
    PLAIN,
    Interrupted,
    crash,
    frames_of,
    terminate,
    track,
    write_walk,
)

from posekit.video.writing import VideoWriter
from tracking.benchmark_stream import patches_at
from tracking.run.checkpoint import CheckpointError, read_track_checkpoint
from tracking.run.folder import OutputError, opened_output
from tracking.run.lines import read_tracks


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_walk(tmp_path_factory.mktemp("source") / "walk.mp4")


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    """The folders of unbroken runs, by settings."""
    folders = {}
    for settings in (PLAIN, DIRECT):
        folders[settings] = tmp_path_factory.mktemp("whole") / "out"
        assert track(source, folders[settings], settings).exit_code == 0
    return folders


@pytest.mark.parametrize(
    ("settings", "at"), [(PLAIN, 3), (PLAIN, 10), (PLAIN, 59), (DIRECT, 27), (DIRECT, 43)]
)
def test_a_run_that_crashed_goes_on_to_the_same_bytes(source, whole, tmp_path, settings, at):
    with pytest.raises(RuntimeError, match="as if killed"):
        track(source, tmp_path / "out", settings, Interrupted(at=at, act=crash))
    left = read_tracks(tmp_path / "out" / "tracks.jsonl")
    assert len(list(left)) <= at and not left.complete
    report = track(source, tmp_path / "out", settings, resume=True)
    assert report.exit_code == 0 and report.read == FRAMES
    for name in ("tracks.jsonl", "coco.json", "tracks.csv", "mot.txt"):
        assert (tmp_path / "out" / name).read_bytes() == (whole[settings] / name).read_bytes()
    pictures = frames_of(tmp_path / "out" / "video.mp4"), frames_of(whole[settings] / "video.mp4")
    assert len(pictures[0]) == FRAMES
    # Encoded in pieces of the same length, trails and all.
    np.testing.assert_array_equal(*pictures)
    assert not (tmp_path / "out" / "checkpoint.npz").exists()


def test_a_run_may_crash_again_and_again(source, whole, tmp_path):
    often = {"checkpoint_every": 1, "drawn": False}
    for at in (20, 21, 22, 40):
        crashing = Interrupted(at=at, act=crash)
        with pytest.raises(RuntimeError):
            track(source, tmp_path, DIRECT, crashing, resume=at > 20, **often)
    track(source, tmp_path, DIRECT, resume=True, **often)
    expected = (whole[DIRECT] / "tracks.jsonl").read_bytes()
    assert (tmp_path / "tracks.jsonl").read_bytes() == expected


def test_a_signal_is_followed_after_the_frame_at_hand(source, whole, tmp_path):
    report = track(source, tmp_path, PLAIN, Interrupted(at=24, act=terminate))
    assert report.exit_code == 143 and report.read == 25
    assert "25 frames tracked so far" in report.to_text()
    assert read_track_checkpoint(tmp_path / "checkpoint.npz").read == 25
    assert not (tmp_path / "coco.json").exists()
    assert track(source, tmp_path, PLAIN, resume=True).read == FRAMES
    expected = (whole[PLAIN] / "tracks.jsonl").read_bytes()
    assert (tmp_path / "tracks.jsonl").read_bytes() == expected
    assert len(frames_of(tmp_path / "video.mp4")) == FRAMES


def test_a_process_killed_anywhere_goes_on_to_the_same_bytes(source, whole, tmp_path):
    program = f"""
import sys, time
sys.path[:0] = [{str(Path(here.__file__).parent)!r}]
import tracked_walks as here
slow = here.Interrupted(at=35, act=lambda: (print("there", flush=True), time.sleep(600)))
here.track({str(source)!r}, {str(tmp_path)!r}, here.PLAIN, slow)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"there\n"
        with pytest.raises(OutputError, match=f"process {process.pid} is tracking"):
            track(source, tmp_path, resume=True)
        process.kill()
    found = read_tracks(tmp_path / "tracks.jsonl")
    assert 25 <= len(list(found)) <= 35 and not found.complete
    assert track(source, tmp_path, resume=True).exit_code == 0
    expected = (whole[PLAIN] / "tracks.jsonl").read_bytes()
    assert (tmp_path / "tracks.jsonl").read_bytes() == expected
    assert len(frames_of(tmp_path / "video.mp4")) == FRAMES


def test_what_a_power_cut_leaves_behind_the_checkpoint_does_not_matter(source, whole, tmp_path):
    with pytest.raises(RuntimeError):
        track(source, tmp_path, PLAIN, Interrupted(at=27, act=crash))
    with open(tmp_path / "tracks.jsonl", "ab") as file:
        file.write(b'{"frame":26,"peo')
    track(source, tmp_path, PLAIN, resume=True)
    expected = (whole[PLAIN] / "tracks.jsonl").read_bytes()
    assert (tmp_path / "tracks.jsonl").read_bytes() == expected


def test_resuming_with_something_else_is_refused_and_harms_nothing(source, tmp_path):
    out = tmp_path / "out"
    track(source, out, PLAIN, Interrupted(at=24, act=terminate))
    before = (out / "tracks.jsonl").read_bytes()
    other = tmp_path / "other.mp4"
    with VideoWriter(other, 25.0) as writer:
        writer.write(patches_at(0))
    changed = dataclasses.replace(PLAIN, gate=0.3)
    with pytest.raises(CheckpointError, match=r"settings\.tracker\.gate: 0\.1 -> 0\.3"):
        track(source, out, changed, resume=True)
    with pytest.raises(CheckpointError, match="source: 'walk.mp4' -> 'other.mp4'"):
        track(other, out, resume=True)
    with pytest.raises(CheckpointError, match="expected --video"):
        track(source, out, drawn=False, resume=True)
    with pytest.raises(OutputError, match="give --resume to go on.* --overwrite"):
        track(source, out)
    assert (out / "tracks.jsonl").read_bytes() == before
    (out / "checkpoint.npz").write_bytes(b"PK damaged")
    with pytest.raises(CheckpointError, match="expected a checkpoint of a tracking run"):
        track(source, out, resume=True)
    (out / "tracks.jsonl").unlink()
    with pytest.raises(OutputError, match="and no tracks.jsonl in .*; give --overwrite"):
        track(source, out, resume=True)
    assert track(source, out, changed, overwrite=True).exit_code == 0


def test_a_disk_without_locks_is_not_taken_for_another_run(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OutputError, match="a disk that can lock files.*No locks available"):
        with opened_output(tmp_path):
            pass


def test_time_is_counted_over_all_parts_of_a_run(source, tmp_path):
    start = time.perf_counter()
    first = track(source, tmp_path, PLAIN, Interrupted(at=40, act=terminate), drawn=False)
    second = track(source, tmp_path, PLAIN, drawn=False, resume=True)
    passed = time.perf_counter() - start
    assert sum(first.seconds.values()) < sum(second.seconds.values()) < passed
    assert second.seconds["flow"] > first.seconds["flow"] > 0
