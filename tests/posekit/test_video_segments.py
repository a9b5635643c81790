import os
import subprocess
import sys

import av
import numpy as np
import pytest

from posekit.video.faults import VideoError
from posekit.video.reading import open_video
from posekit.video.segments import SegmentedVideo
from posekit.video.writing import VideoWriter

COUNT = 60
TIMES = 7.2503 + np.cumsum(np.random.default_rng(0).choice([1 / 25, 1 / 30, 0.1, 0.5], COUNT))


def picture(index, size=(75, 101)):
    image = np.full((*size, 3), 60, np.uint8)
    image[30:50, index : index + 20] = (220, 120, 30)
    return image


def write(video, start, end):
    for index in range(start, end):
        video.write(picture(index), TIMES[index])


def read(path):
    frames = list(open_video(path).frames())
    return [f.time for f in frames], np.stack([f.image for f in frames]).astype(int)


@pytest.fixture
def unbroken(tmp_path):
    with VideoWriter(tmp_path / "unbroken.mp4", rate=25) as writer:
        write(writer, 0, COUNT)
    return read(tmp_path / "unbroken.mp4")


def check_whole(path, unbroken):
    times, images = read(path)
    np.testing.assert_allclose(times, unbroken[0], atol=1e-9)
    assert images.shape == unbroken[1].shape
    assert np.abs(images - unbroken[1]).mean(axis=(1, 2, 3)).max() < 1.5


def test_segments_joined_are_the_unbroken_video(tmp_path, unbroken):
    video = SegmentedVideo(tmp_path / "my.film.mp4", rate=25, length=20)
    write(video, 0, COUNT)
    names = sorted(os.listdir(tmp_path / "my.film.mp4.segments"))
    assert names == ["my.film.000000.mp4", "my.film.000020.mp4", "my.film.000040.mp4"]
    assert video.join() == COUNT
    check_whole(tmp_path / "my.film.mp4", unbroken)
    assert open_video(tmp_path / "my.film.mp4").declared_frames == COUNT
    with av.open(str(tmp_path / "my.film.mp4")) as container:  # also the first time is exact
        start = container.streams.video[0].start_time
        assert abs(float(start * container.streams.video[0].time_base) - TIMES[0]) < 1e-5
    assert sorted(os.listdir(tmp_path)) == ["my.film.mp4", "unbroken.mp4"]


@pytest.mark.parametrize("cut", [40, 33, 1, 0])
def test_a_resumed_run_goes_on_behind_any_frame(cut, tmp_path, unbroken):
    video = SegmentedVideo(tmp_path / "a.mp4", rate=25, length=20)
    write(video, 0, 47)
    video.flush()
    resumed = SegmentedVideo(tmp_path / "a.mp4", rate=25, length=20)
    assert resumed.num_frames == 47
    resumed.cut(cut)
    assert resumed.num_frames == cut
    write(resumed, cut, COUNT)
    assert resumed.join() == COUNT
    check_whole(tmp_path / "a.mp4", unbroken)


def test_times_and_size_go_on_after_a_cut(tmp_path):
    video = SegmentedVideo(tmp_path / "a.mp4", rate=10, length=2)
    for _ in range(5):
        video.write(picture(0))
    video.cut(3)
    resumed = SegmentedVideo(tmp_path / "a.mp4", rate=10, length=2)
    resumed.write(picture(0, (40, 40)))
    assert resumed.join() == 4
    times, images = read(tmp_path / "a.mp4")
    np.testing.assert_allclose(times, [0, 0.1, 0.2, 0.3], atol=1e-9)
    assert images.shape == (4, 76, 102, 3)


def test_what_a_killed_run_flushed_is_there(tmp_path, unbroken):
    path = tmp_path / "a.mp4"
    program = f"""
import os, signal, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_video_segments import SegmentedVideo, write
video = SegmentedVideo({str(path)!r}, rate=25, length=1000)
write(video, 0, 30)
video.flush()
write(video, 30, 50)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=300)
    assert done.returncode == -9
    video = SegmentedVideo(path, rate=25)
    with pytest.raises(
        VideoError, match=r"expected 51 frames of an earlier run, found \d\d; start"
    ):
        video.cut(51)
    video.cut(30)
    write(video, 30, COUNT)
    video.join()
    check_whole(path, unbroken)


def test_segments_of_another_encoder_are_encoded_again(tmp_path, unbroken, monkeypatch):
    video = SegmentedVideo(tmp_path / "a.mp4", rate=25, length=30, quality=20)
    write(video, 0, 30)
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.warns(UserWarning, match="libx264"):
        write(video, 30, COUNT)
    monkeypatch.undo()
    assert video.join() == COUNT
    check_whole(tmp_path / "a.mp4", unbroken)


def test_nothing_and_rubbish(tmp_path):
    video = SegmentedVideo(tmp_path / "a.mp4")
    video.cut(0)
    assert video.join() == 0 and list(tmp_path.iterdir()) == []
    video.folder.mkdir()
    for name in ("a.000000.mp4", "a.mp4", "a.000005.mp4"):
        (video.folder / name).write_bytes(b"")
    video = SegmentedVideo(tmp_path / "a.mp4")
    assert video.num_frames == 0
    video.cut(0)
    write(video, 0, 2)
    assert video.join() == 2
    with pytest.raises(ValueError, match="at least 1 frame"):
        SegmentedVideo(tmp_path / "a.mp4", length=0)


def test_a_frame_too_large_for_the_encoder_is_named_and_leaves_no_segment(tmp_path):
    video = SegmentedVideo(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match="20000 x 2 .*16384 pixels"):
        video.write(np.zeros((20000, 1, 3), np.uint8))
    video.flush()
    assert video.join() == 0
