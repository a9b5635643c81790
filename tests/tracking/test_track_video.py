import dataclasses
import fcntl
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from posekit.draw_tracks import TrackDrawer
from posekit.frames import Frame
from posekit.strict_json import read_json
from posekit.video.faults import FaultList, VideoError
from posekit.video.reading import open_video
from posekit.video.writing import VideoWriter
from tracking.benchmark_stream import SKELETON, BrightPatches, patches_at, walk
from tracking.flow import DisFlow
from tracking.pipeline import PoseTracker
from tracking.settings import TrackerSettings
from tracking.track_checkpoint import CheckpointError, read_track_checkpoint
from tracking.track_folder import OutputError
from tracking.track_lines import read_tracks
from tracking.track_source import make_header
from tracking.track_video import TrackOptions, track_video

ROOT = Path(__file__).parents[2]
FRAMES = 60
FORMATS = ("coco", "csv", "mot")
PLAIN = TrackerSettings(queue=4)
DIRECT = TrackerSettings(queue=3, composition="direct", matching="hungarian", shortest=6)


@dataclasses.dataclass(frozen=True)
class Interrupted(BrightPatches):
    """Does something at a frame, such as raising."""

    at: int = -1
    act: object = None

    def detect(self, frame):
        if frame.index == self.at:
            self.act()
        return super().detect(frame)


def crash():
    raise RuntimeError("as if killed")


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "walk.mp4"
    with VideoWriter(path, 25.0) as writer:
        for image in walk(FRAMES):
            writer.write(image)
    return path


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    """The folders of unbroken runs, by settings."""
    folders = {}
    for settings in (PLAIN, DIRECT):
        folders[settings] = tmp_path_factory.mktemp("whole") / "out"
        assert track(source, folders[settings], settings).exit_code == 0
    return folders


def track(source, output, settings=PLAIN, estimator=None, drawn=True, **options):
    video = open_video(source)
    tracker = PoseTracker(estimator or BrightPatches(), settings, DisFlow("ultrafast"))
    header = make_header(video, SKELETON, {"tracker": dataclasses.asdict(settings)})
    options = {"formats": FORMATS, "checkpoint_every": 10} | options
    drawer = TrackDrawer(SKELETON, trail=5) if drawn else None
    return track_video(video, tracker, header, TrackOptions(Path(output), **options), drawer)


def frames_of(path):
    return [frame.image for frame in open_video(path).frames()]


def test_a_run_writes_all_that_it_should(whole, source):
    folder = whole[PLAIN]
    names = {"tracks.jsonl", "coco.json", "tracks.csv", "mot.txt", "video.mp4", "report.json"}
    assert {path.name for path in folder.iterdir()} == names | {".lock"}
    tracks = read_tracks(folder / "tracks.jsonl")
    frames = list(tracks)
    assert tracks.complete and [f.index for f in frames] == list(range(FRAMES))
    np.testing.assert_allclose([f.time for f in frames], np.arange(FRAMES) / 25, atol=1e-4)
    assert len(frames[20].poses) == 3 and len(frames_of(folder / "video.mp4")) == FRAMES
    report = read_json(folder / "report.json")
    ids = {i for frame in frames for i in frame.poses.track_ids.tolist()}
    assert report["complete"] and report["frames"] == report["decoded"] == FRAMES
    assert report["people"] == sum(len(frame.poses) for frame in frames)
    assert report["identities"] == len(ids) and report["faults"] == []
    assert {"read", "flow", "detect", "pose", "link", "draw"} <= report["seconds"].keys()


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
sys.path[:0] = [{str(Path(__file__).parent)!r}]
import test_track_video as here
slow = here.Interrupted(at=35, act=lambda: (print("there", flush=True), time.sleep(60)))
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
    assert track(source, out, changed, overwrite=True).exit_code == 0


def test_a_finished_run_is_not_tracked_again(source, tmp_path):
    track(source, tmp_path, limit=20, drawn=False)
    (tmp_path / "mot.txt").unlink()  # as if killed while these were written
    never = Interrupted(at=0, act=crash)
    report = track(source, tmp_path, estimator=never, limit=20, drawn=False, resume=True)
    assert report.footer["limited"] and report.exit_code == 0 and report.read == 20
    assert (tmp_path / "mot.txt").exists() and report.seconds["flow"] > 0
    with pytest.raises(OutputError, match="expected the limit of 20 frames"):
        track(source, tmp_path, drawn=False, resume=True)


def test_files_of_others_are_left_alone(source, tmp_path):
    (tmp_path / "tracks.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"expected a new folder, found tracks\.csv"):
        track(source, tmp_path, resume=True)
    assert (tmp_path / "tracks.csv").read_text() == "mine"
    os.link(source, tmp_path / "video.mp4")
    with pytest.raises(OutputError, match="apart from the source"):
        track(tmp_path / "video.mp4", tmp_path, overwrite=True)
    assert (tmp_path / "video.mp4").exists()


def test_a_locked_folder_is_refused(source, tmp_path):
    with open(tmp_path / ".lock", "w") as lock:
        lock.write("77")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="process 77 is tracking"):
            track(source, tmp_path)


def pictures(folder, damaged):
    folder.mkdir()
    for index in range(24):
        cv2.imwrite(str(folder / f"{index}.png"), patches_at(index))
    for index in damaged:
        (folder / f"{index}.png").write_bytes(b"\x89PNG cut")
    return folder


def test_damaged_pictures_are_counted_and_resumed_over(tmp_path):
    folder = pictures(tmp_path / "walk", (7, 13))
    report = track(folder, tmp_path / "whole", drawn=False)
    assert report.exit_code == 3 and report.read == 22
    assert [fault["frame"] for fault in report.lost][:2] == [7, 13]
    frames = list(read_tracks(tmp_path / "whole" / "tracks.jsonl"))
    assert [f.index for f in frames] == [i for i in range(24) if i not in (7, 13)]
    assert frames[7].name == "8.png"
    crashing = Interrupted(at=15, act=crash)
    with pytest.raises(RuntimeError):
        track(folder, tmp_path / "out", estimator=crashing, drawn=False, checkpoint_every=7)
    report = track(folder, tmp_path / "out", drawn=False, checkpoint_every=7, resume=True)
    assert report.exit_code == 3
    whole, again = (tmp_path / name / "tracks.jsonl" for name in ("whole", "out"))
    assert again.read_bytes() == whole.read_bytes()


def test_a_video_that_declares_more_frames_than_it_has(tmp_path):
    path = tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (160, 96))
    for image in walk(30):
        writer.write(image)
    writer.release()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    report = track(path, tmp_path / "out", drawn=False)
    values = read_json(tmp_path / "out" / "report.json")
    assert report.exit_code == 3 and values["declared"] == 30
    assert values["frames"] == values["decoded"] < 30
    assert any(f["kind"] == "count" for f in values["faults"])


class Camera:
    """Goes on for ever; nothing of it can be read twice."""

    path, size, rate, declared_frames = Path("/dev/video77"), (96, 160), None, None

    def __init__(self):
        self.decoded_frames, self.faults = 0, FaultList()

    def frames(self, start=0):
        for index in itertools.count(start):
            self.decoded_frames = index + 1
            yield Frame(patches_at(index), index, index / 10)


def test_a_signal_is_the_end_of_a_camera(tmp_path):
    def track_camera(**options):
        camera, estimator = Camera(), Interrupted(at=24, act=terminate)
        tracker = PoseTracker(estimator, PLAIN, DisFlow("ultrafast"))
        options = TrackOptions(tmp_path, formats=("mot",), checkpoint_every=10, **options)
        return track_video(camera, tracker, make_header(camera, SKELETON, {}), options)

    report = track_camera()
    assert report.exit_code == 0 and report.footer["frames"] == report.footer["decoded"] == 25
    assert (tmp_path / "mot.txt").exists() and not (tmp_path / "checkpoint.npz").exists()
    with pytest.raises(OutputError, match="received a camera"):
        track_camera(resume=True)


def test_a_source_without_frames_is_an_error(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(VideoError, match="empty"):
        track(tmp_path / "empty.mp4", tmp_path / "out")


def test_time_is_counted_over_all_parts_of_a_run(source, tmp_path):
    start = time.perf_counter()
    first = track(source, tmp_path, PLAIN, Interrupted(at=40, act=terminate), drawn=False)
    second = track(source, tmp_path, PLAIN, drawn=False, resume=True)
    passed = time.perf_counter() - start
    assert sum(first.seconds.values()) < sum(second.seconds.values()) < passed
    assert second.seconds["flow"] > first.seconds["flow"] > 0
