import re
from fractions import Fraction

import av
import numpy as np
import pytest

from posekit.orientation import turn_back
from posekit.video.faults import VideoError
from posekit.video.reading import open_video
from posekit.video.video_file import VideoFile

ORANGE = (220, 120, 30)


def picture(index, size=(96, 128)):
    """A square of 20 pixels whose left edge is at 4 * index, on grey."""
    image = np.full((*size, 3), 60, np.uint8)
    image[40:60, 4 * index : 4 * index + 20] = ORANGE
    return image


def square(image):
    """The colour of the square's middle and the x of its left edge."""
    orange = (image[..., 0].astype(int) - image[..., 2]) > 100
    columns = np.nonzero(orange[50])[0]
    return image[50, columns[len(columns) // 2]].astype(int), columns[0]


def encode(path, images, codec="libx264", stamps=None, pixels="yuv420p", orient=None, **options):
    """Writes with PyAV alone, so that what is read was not written by the code under test."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if orient:
            stream.set_display_rotation(*orient)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def noise(count, size=(96, 128)):
    """Pictures that need many bytes, so that damage hits frames and not the header."""
    return list(np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8))


def kinds(video):
    return [(fault.kind, fault.frame) for fault in video.faults]


def indices(video, **options):
    return [frame.index for frame in video.frames(**options)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_frames_come_in_the_order_in_which_they_are_shown(name, tmp_path):
    images = [picture(index) for index in range(20)]
    video = VideoFile(encode(tmp_path / name, images, bf="3", crf="10"))  # stored out of order
    assert video.size == (96, 128) and video.rate == 25
    assert video.declared_frames in (20, None)
    frames = list(video.frames())
    for index, frame in enumerate(frames):
        colour, edge = square(frame.image)
        assert np.abs(colour - ORANGE).max() <= 12  # red and blue are not swapped
        assert abs(edge - 4 * index) <= 1
        assert frame.image.shape == (96, 128, 3) and frame.image.dtype == np.uint8
        assert frame.index == index
    np.testing.assert_allclose([f.time for f in frames], np.arange(20) / 25, atol=1e-9)
    assert video.decoded_frames == 20 and video.faults == []


def test_times_of_a_variable_rate_are_those_of_the_file(tmp_path):
    stamps = [500, 540, 580, 900, 905, 3000]
    images = [picture(index) for index in range(6)]
    path = encode(tmp_path / "a.mkv", images, stamps=stamps, bf="2")
    times = [frame.time for frame in VideoFile(path).frames()]
    np.testing.assert_allclose(times, (np.array(stamps) - 500) / 1000, atol=1e-9)


def test_start_gives_the_tail(tmp_path):
    video = VideoFile(encode(tmp_path / "a.mp4", [picture(i) for i in range(12)], bf="2"))
    whole, tail = list(video.frames()), list(video.frames(start=7))
    assert [f.index for f in tail] == [7, 8, 9, 10, 11] and video.decoded_frames == 12
    for frame, twin in zip(tail, whole[7:], strict=True):
        np.testing.assert_array_equal(frame.image, twin.image)
        assert frame.time == twin.time
    assert indices(video, start=12) == indices(video, start=99) == []


def test_one_frame_and_odd_sizes(tmp_path):
    image = picture(1, size=(75, 101))
    video = VideoFile(encode(tmp_path / "a.mkv", [image], "ffv1", pixels="bgr0"))
    assert video.size == (75, 101)
    (frame,) = video.frames()
    np.testing.assert_array_equal(frame.image, image)
    assert (frame.index, frame.time) == (0, 0)


@pytest.mark.parametrize("pixels", ["gray", "gray10le", "yuv444p10le", "yuv422p", "bgra", "rgb48"])
def test_unusual_pixels(pixels, tmp_path):
    video = VideoFile(encode(tmp_path / "a.mkv", [picture(3)], "ffv1", pixels=pixels))
    (frame,) = video.frames()
    assert abs(int(frame.image[5, 5, 0]) - 60) <= 2
    if "gray" in pixels:
        assert np.ptp(frame.image, axis=-1).max() == 0 and frame.image[50, 20, 0] > 100
    else:
        assert np.abs(square(frame.image)[0] - ORANGE).max() <= 3


@pytest.mark.parametrize(
    ("orient", "exif"),
    [((0,), 1), ((0, True), 2), ((180,), 3), ((0, False, True), 4), ((-90,), 6), ((90,), 8)]
    + [((90, False, True), 5), ((90, True), 7)],
)
def test_phones_pictures_come_upright(orient, exif, tmp_path):
    upright = np.full((64, 96, 3), 60, np.uint8)
    upright[:32, :16] = ORANGE  # top left, no symmetry left
    stored = np.ascontiguousarray(turn_back(upright, exif))
    video = VideoFile(encode(tmp_path / "a.mp4", [stored] * 3, orient=orient, crf="5"))
    assert video.size == (64, 96)
    for frame in video.frames():
        assert np.abs(frame.image.astype(int) - upright).mean() < 4


def test_a_cut_file_is_read_as_far_as_it_goes(tmp_path):
    path = encode(tmp_path / "a.avi", noise(30), "mjpeg", pixels="yuvj420p")
    with av.open(str(path)) as container:
        ends = [packet.pos + packet.size for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])
    whole = sum(end <= 0.6 * len(data) for end in ends)
    video = VideoFile(path)
    decoded = indices(video)
    assert video.declared_frames == 30 and 10 < whole <= len(decoded) <= whole + 1
    assert decoded == list(range(video.decoded_frames))
    assert kinds(video)[-1] == ("count", len(decoded))
    assert video.faults[-1].reason == f"declared 30 frames, decoded {len(decoded)}"


def test_an_overwritten_file_says_which_frames_are_guessed(tmp_path):
    path = encode(tmp_path / "a.mp4", noise(30), bf="0", g="10")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert packets[14].size > 800
    start = packets[14].pos + 200
    data[start : start + 400] = bytes(np.random.default_rng(1).integers(0, 256, 400, np.uint8))
    path.write_bytes(data)
    video = VideoFile(path)
    assert indices(video) == list(range(30)) and video.declared_frames == 30
    assert ("corrupt", 14) in kinds(video)
    twice = [frame.image for frame in video.frames()], [frame.image for frame in video.frames()]
    np.testing.assert_array_equal(*twice)  # a resumed run sees the same


@pytest.mark.parametrize("damaged", [[0], [4], [8], [6, 7], [9]])
def test_data_that_gives_no_frame_is_passed_over(damaged, tmp_path):
    path = encode(tmp_path / "a.mov", [picture(i) for i in range(10)], "png", pixels="rgb24")
    data = bytearray(path.read_bytes())
    starts = [match.start() for match in re.finditer(rb"\x89PNG\r\n", data)]
    for place in damaged:
        data[starts[place] : starts[place] + 8] = b"\0" * 8
    path.write_bytes(data)
    video = VideoFile(path)
    frames = list(video.frames())
    whole = [place for place in range(10) if place not in damaged]
    assert [square(f.image)[1] // 4 for f in frames] == whole
    assert [f.index for f in frames] == list(range(len(whole)))
    # Times do not slip where frames are missing.
    np.testing.assert_allclose([f.time for f in frames], np.array(whole) / 25, atol=1e-9)
    undecodable = [("undecodable", damaged[0])] * len(damaged)
    assert kinds(video) == [*undecodable, ("count", len(whole))]


def test_the_size_may_change_and_time_may_go_back(tmp_path):
    first = encode(tmp_path / "a.ts", [picture(i) for i in range(5)], bf="0")
    second = encode(tmp_path / "b.ts", [picture(i, (64, 96)) for i in range(4)], bf="0")
    path = tmp_path / "c.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    video = VideoFile(path)
    frames = list(video.frames())
    assert [f.size for f in frames] == [(96, 128)] * 5 + [(64, 96)] * 4
    assert video.size == (96, 128)
    assert kinds(video) == [("time", 5)]


def test_frames_hidden_by_the_file_are_not_missing(tmp_path):
    stamps = np.arange(-3, 9) * 40  # before 0: cut off without encoding again, as phones do
    images = [picture(i) for i in range(12)]
    video = VideoFile(encode(tmp_path / "a.mp4", images, stamps=stamps, bf="0"))
    assert [square(f.image)[1] // 4 for f in video.frames()] == list(range(3, 12))
    assert video.declared_frames == 12 and video.decoded_frames == 9 and video.faults == []


def test_streams_without_time_stamps_have_no_times(tmp_path):
    video = VideoFile(encode(tmp_path / "a.h264", [picture(i) for i in range(5)]))
    assert [f.time for f in video.frames()] == [None] * 5
    assert video.declared_frames is None and video.decoded_frames == 5 and video.faults == []


def test_a_header_without_frames_is_an_empty_video(tmp_path):
    path = encode(tmp_path / "a.avi", noise(3), "mpeg4")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 4])
    video = VideoFile(path)
    assert list(video.frames()) == [] and video.size == (96, 128)
    assert kinds(video) == [("count", 0)]


def test_too_large_frames_are_refused(tmp_path):
    path = encode(tmp_path / "a.mp4", [picture(0)])
    with pytest.raises(VideoError, match=r"at most 12000 pixels, received 96 x 128"):
        open_video(path, max_pixels=12_000)
    video = open_video(path)
    video._max_pixels = 12_000  # as if the header had said less
    assert list(video.frames()) == []
    assert kinds(video) == [("undecodable", 0), ("count", 0)]


def test_what_is_no_video_is_refused_with_path_and_reason(tmp_path):
    (tmp_path / "html.mp4").write_bytes(b"<!DOCTYPE html><title>404</title>" * 100)
    (tmp_path / "empty.mp4").touch()
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    encode(tmp_path / "a.mp4", [picture(0)])
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])  # the index was at its end
    (tmp_path / "list.m3u8").write_text(
        "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    )
    encode(tmp_path / "a.png", [picture(0)], "png", pixels="rgb24")
    encode(tmp_path / "a.jpg", [picture(0)], "mjpeg", pixels="yuvj420p")
    reasons = {
        "html.mp4": "expected a video, received: Invalid data",
        "empty.mp4": "the file is empty",
        "sound.mkv": "received no such stream",
        "cut.mp4": "expected a video, received: Invalid data",
        "list.m3u8": "expected a video",
        "a.png": "received a picture",
        "a.jpg": "received a picture",
        "missing.mp4": "No such file",
        "no\0name.mp4": "null",
    }
    for name, reason in reasons.items():
        with pytest.raises(VideoError, match=reason) as caught:
            open_video(tmp_path / name)
        assert name in str(caught.value) and caught.value.exit_code == 2


def test_numbers_are_cameras():
    for source in (97, "97", "/dev/video97"):
        with pytest.raises(VideoError, match="/dev/video97: No such file"):
            open_video(source)


def test_real_videos_whole(shared):
    walkers = open_video(shared / "data/videos/opencv_vtest.avi")
    times = [frame.time for frame in walkers.frames(start=700)]
    np.testing.assert_allclose(times, np.arange(700, 795) / 10, atol=1e-9)
    assert (walkers.size, walkers.rate, walkers.declared_frames) == ((576, 768), 10, 795)
    pair = open_video(shared / "data/videos/pose2sim_multiperson_cam01.mp4")
    frames = [(frame.time, frame.size) for frame in pair.frames()]
    np.testing.assert_allclose([time for time, _ in frames], np.arange(100) / 60, atol=1e-9)
    assert {size for _, size in frames} == {pair.size} == {(1920, 1088)}
    assert walkers.faults == pair.faults == []


def test_a_real_sequence_as_pictures_and_as_video(shared):
    folder = shared / "data/formats/posetrack18/videos/000001_mpiinew_test"
    pictures = list(open_video(folder).frames())
    video = list(open_video(folder / f"{folder.name}.mp4").frames())
    assert [f.name for f in pictures] == [f"00000{place}.jpg" for place in range(5)]
    assert len(video) == 5 and video[4].size == pictures[4].size == (720, 1280)
    with pytest.raises(VideoError, match="received a picture"):
        open_video(folder / "000001.jpg")
