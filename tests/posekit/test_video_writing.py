import resource
import subprocess
import sys

import av
import numpy as np
import pytest

from posekit.atomic_files import WriteError
from posekit.video import writing
from posekit.video.faults import VideoError
from posekit.video.reading import open_video
from posekit.video.writing import VideoWriter, fit

ORANGE = np.array((220, 120, 30))
TIMES = np.cumsum([2.5, 1 / 25, 1 / 30, 0.1, 0.001, 1 / 59.94, 3.0, 1 / 25])


def picture(index, size=(96, 128)):
    image = np.full((*size, 3), 60, np.uint8)
    image[40:60, 4 * index : 4 * index + 20] = ORANGE
    return image


def test_what_is_written_is_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = "concat:b.mp4"  # no address
    with VideoWriter(path, rate=25) as writer:
        for index, time in enumerate(TIMES):
            writer.write(picture(index), time)
    assert (writer.codec, writer.num_frames, writer.size) == ("libx264", 8, (96, 128))
    frames = list(open_video(path).frames())
    np.testing.assert_allclose([f.time for f in frames], TIMES - TIMES[0], atol=1 / 60_000)
    for index, frame in enumerate(frames):
        square = frame.image[42:58, 4 * index + 2 : 4 * index + 18].reshape(-1, 3)
        assert np.abs(square.mean(axis=0) - ORANGE).max() <= 5
        columns = np.nonzero(frame.image[50].astype(int) @ [1, 0, -1] > 80)[0]
        assert abs(columns[0] - 4 * index) <= 1 and abs(columns[-1] - 4 * index - 19) <= 1


def test_the_file_tells_players_what_it_is(tmp_path):
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(picture(0))
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_range) == (1, 1)


def test_frames_without_time_follow_each_other_and_none_goes_back(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", rate=30000 / 1001) as writer:
        for time in (None, None, 0.5, 0.1, None):
            writer.write(picture(0), time)
    times = [frame.time for frame in open_video(tmp_path / "a.mp4").frames()]
    tick, period = 1 / 60_000, 1001 / 30_000
    expected = [0, period, 0.5, 0.5 + tick, 0.5 + tick + period]
    np.testing.assert_allclose(times, expected, atol=tick / 2)


def test_times_before_the_first_frame_and_slow_pictures(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", rate=0.0001) as writer:  # of two videos put together
        for time in (-7.5, -7, 0.25, None):
            writer.write(picture(0), time)
    with av.open(str(tmp_path / "a.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    ticks = [packet.pts * packet.time_base * 60_000 for packet in packets]
    assert ticks == [0, 1, 15_000, 15_000 + 10_000 * 60_000]


def test_sizes_are_made_even_and_the_first_one_stays(tmp_path):
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for size in ((75, 101), (150, 50), (75, 101)):
            writer.write(np.full((*size, 3), 200, np.uint8))
    first, tall, last = (frame.image for frame in open_video(tmp_path / "a.mp4").frames())
    assert first.shape == tall.shape == (76, 102, 3)
    assert first.min() > 190 and last.min() > 190  # the last row and column are repeated
    bright = tall[..., 1] > 100
    assert bright.any(axis=0).nonzero()[0].tolist() == list(range(38, 63)) and bright.any(1).all()


def test_fit():
    image = np.arange(3 * 4 * 3, dtype=np.uint8).reshape(3, 4, 3)
    np.testing.assert_array_equal(fit(image, (3, 4)), image)
    padded = fit(image, (4, 4))
    np.testing.assert_array_equal(padded[:3], image)
    np.testing.assert_array_equal(padded[3], image[2])
    assert fit(image, (30, 20)).any(axis=(1, 2)).nonzero()[0].tolist() == list(range(7, 22))
    assert fit(np.ones((1, 9999, 3), np.uint8), (2, 2)).shape == (2, 2, 3)


def test_without_h264_another_codec_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with (
        pytest.warns(UserWarning, match="no encoder libx264"),
        VideoWriter(tmp_path / "a.mp4", rate=60) as writer,
    ):
        for index, time in enumerate(TIMES):
            writer.write(picture(index), time)
    assert writer.codec == "mpeg4"
    frames = list(open_video(tmp_path / "a.mp4").frames())
    np.testing.assert_allclose([f.time for f in frames], TIMES - TIMES[0], atol=1 / 60_000)
    assert np.abs(frames[2].image[50, 18] - ORANGE).max() <= 12


def test_a_killed_process_leaves_a_playable_file(tmp_path):
    path = tmp_path / "a.mp4"
    program = f"""
import numpy as np, os, signal
from posekit.video.writing import VideoWriter
writer = VideoWriter({str(path)!r}, rate=10)
for index in range(100):
    writer.write(np.random.default_rng(index).integers(0, 255, (96, 128, 3), np.uint8))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=300)
    assert done.returncode == -9
    video = open_video(path)
    times = [frame.time for frame in video.frames()]
    assert len(times) >= 60  # 20 to a fragment, 20 in the encoder
    np.testing.assert_allclose(times, np.arange(len(times)) / 10, atol=1e-9)
    assert video.faults == []


def test_nothing_written_and_what_cannot_be_written(tmp_path):
    with VideoWriter(tmp_path / "a.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(VideoError, match=r"missing/a.mp4: cannot be written.*: No such file"):
        VideoWriter(tmp_path / "missing" / "a.mp4").write(picture(0))
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for image in (picture(0).astype(float), picture(0)[..., 0], picture(0)[:0]):
            with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8 RGB, received"):
                writer.write(image)
        for time in (-1e300, np.nan, np.inf, 1e300):
            with pytest.raises(ValueError, match="expected a time in seconds"):
                writer.write(picture(0), time)
    with pytest.raises(ValueError, match="expected a rate above 0"):
        VideoWriter(tmp_path / "a.mp4", rate=0)


def test_without_pyav_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"x")
    for use in (lambda: writing.find_codec(), lambda: open_video(tmp_path / "a.mp4")):
        with pytest.raises(VideoError, match=r"pip install 'posekit\[video\]'"):
            use()


@pytest.mark.parametrize("room", [0, 20_000])
def test_a_full_disk_is_said_by_name(tmp_path, room):
    """FFmpeg's errors are of many classes; the first bytes fail elsewhere than later ones."""
    images = np.random.default_rng(0).integers(0, 256, (60, 96, 128, 3), np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(
            WriteError, match="^.{,15}could not write a.mp4: File too large"
        ) as full:
            with VideoWriter(tmp_path / "a.mp4") as writer:
                for image in images:
                    writer.write(image)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert full.value.exit_code == 1
