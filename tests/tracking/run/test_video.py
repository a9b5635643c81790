import fcntl
import itertools
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from tracked_walks import FRAMES, PLAIN, Interrupted, crash, frames_of, terminate, track, write_walk

from posekit.datasets.posetrack_results import read_results
from posekit.frames import Frame
from posekit.strict_json import read_json
from posekit.video.faults import FaultList, VideoError
from tracking.benchmark_stream import SKELETON, patches_at, walk
from tracking.flow import DisFlow
from tracking.pipeline import PoseTracker
from tracking.run.folder import OutputError
from tracking.run.lines import read_tracks
from tracking.run.source import make_header
from tracking.run.video import TrackOptions, track_video


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_walk(tmp_path_factory.mktemp("source") / "walk.mp4")


def test_a_run_writes_all_that_it_should(source, tmp_path):
    folder = tmp_path / "out"
    assert track(source, folder).exit_code == 0
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


def test_a_finished_run_is_not_tracked_again(source, tmp_path):
    track(source, tmp_path, limit=20, drawn=False)
    (tmp_path / "mot.txt").unlink()  # as if killed while these were written
    never = Interrupted(at=0, act=crash)
    report = track(source, tmp_path, estimator=never, limit=20, drawn=False, resume=True)
    assert report.footer["limited"] and report.exit_code == 0 and report.read == 20
    assert (tmp_path / "mot.txt").exists() and report.seconds["flow"] > 0
    for limit in (None, 10, 30):
        with pytest.raises(OutputError, match=f"--frames: expected 20, .* received {limit}"):
            track(source, tmp_path, limit=limit, drawn=False, resume=True)


def test_a_limit_behind_what_is_tracked_is_refused(source, tmp_path):
    track(source, tmp_path, PLAIN, Interrupted(at=24, act=terminate), drawn=False)
    before = (tmp_path / "tracks.jsonl").read_bytes()
    with pytest.raises(OutputError, match="--frames: expected at least 25, .* received 10"):
        track(source, tmp_path, limit=10, drawn=False, resume=True)
    assert (tmp_path / "tracks.jsonl").read_bytes() == before
    report = track(source, tmp_path, limit=25, drawn=False, resume=True)
    assert report.footer["frames"] == report.footer["decoded"] == 25 and report.footer["limited"]


def test_a_limit_of_as_many_frames_as_there_are_cuts_nothing(source, tmp_path):
    report = track(source, tmp_path / "all", limit=FRAMES, drawn=False)
    assert not report.footer["limited"] and report.footer["decoded"] == FRAMES
    assert track(source, tmp_path / "all", drawn=False, resume=True).read == FRAMES
    report = track(source, tmp_path / "fewer", limit=FRAMES - 1, drawn=False)
    assert report.footer["limited"] and report.footer["decoded"] == FRAMES - 1


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
    report = track(folder, tmp_path / "whole", drawn=False, formats=("posetrack18",))
    assert report.exit_code == 3 and report.read == 22
    assert [fault["frame"] for fault in report.lost][:2] == [7, 13]
    frames = list(read_tracks(tmp_path / "whole" / "tracks.jsonl"))
    assert [f.index for f in frames] == [i for i in range(24) if i not in (7, 13)]
    assert frames[7].name == "8.png"
    results = read_results(tmp_path / "whole" / "posetrack18.json")
    assert results.file_names == tuple(f"walk/{i}.png" for i in range(24))
    assert results.image_ids.tolist() == list(range(24))
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
