import re
from fractions import Fraction

import av
import numpy as np
import pytest
from encoded_videos import encode, indices, kinds, noise, picture, square

from posekit.video.faults import VideoError
from posekit.video.reading import open_video
from posekit.video.video_file import VideoFile


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


@pytest.mark.parametrize(
    ("name", "codec", "share"),
    [("a.mkv", "libx264", 0.5), ("a.webm", "libvpx", 0.6), ("a.flv", "flv1", 0.5)],
)
def test_a_cut_file_that_counts_no_frames_is_known_by_its_length(name, codec, share, tmp_path):
    path = encode(tmp_path / name, [picture(i % 20) for i in range(75)], codec)
    video = VideoFile(path)
    assert len(indices(video)) == 75 and kinds(video) == [] and video.declared_frames is None
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    video = VideoFile(path)
    decoded = indices(video)
    assert 0 < len(decoded) < 60 and kinds(video)[-1] == ("count", len(decoded))
    end = video.faults[-1].reason.removeprefix("declared 3.00 s, decoded ").removesuffix(" s")
    assert abs(float(end) - len(decoded) / 25) <= 0.04  # FLV says no length of a single frame


def test_the_length_of_another_stream_is_not_that_of_the_video(tmp_path):
    """Sound is often longer; Matroska says the length of each stream, Flash one for all."""
    for name, sound, expected in (("a.mkv", "aac", []), ("a.flv", "aac", [])):
        with av.open(str(tmp_path / name), "w") as container:
            pictures = container.add_stream("libx264", rate=25)
            pictures.height, pictures.width, pictures.pix_fmt = 96, 128, "yuv420p"
            audio = container.add_stream(sound, rate=44100)
            for index in range(25):
                frame = av.VideoFrame.from_ndarray(picture(index % 20), format="rgb24")
                container.mux(pictures.encode(frame))
            for index in range(130):  # three seconds
                samples = np.zeros((1, 1024), np.float32)
                frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 44100, 1024 * index
                container.mux(audio.encode(frame))
            container.mux(pictures.encode())
            container.mux(audio.encode())
        video = VideoFile(tmp_path / name)
        assert len(indices(video)) == 25 and kinds(video) == expected


def test_a_whole_file_of_a_slow_or_late_video_is_not_short(tmp_path):
    for name, stamps in (("slow.mkv", 3000 * np.arange(5)), ("late.mkv", 9000 + 40 * np.arange(5))):
        images = [picture(i) for i in range(5)]
        video = VideoFile(encode(tmp_path / name, images, stamps=stamps.tolist()))
        assert len(indices(video)) == 5 and kinds(video) == []
    # FLV says no length of a frame: one alone, or after others as long, may be the whole second.
    for stamps in ([0], [0, 1000, 1040]):
        video = encode_flv(tmp_path / "a.flv", stamps, last=1000)
        assert len(indices(video)) == len(stamps) and kinds(video) == []


def encode_flv(path, stamps, last):
    """Pictures at so many milliseconds, the last one shown for `last`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        packets = []
        for index, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode()
        for packet, length in zip(packets, [*np.diff(stamps).tolist(), last], strict=True):
            packet.duration = length
            container.mux(packet)
    return VideoFile(path)


def test_a_file_without_any_frame_is_a_fault(tmp_path):
    path = encode(tmp_path / "a.mkv", noise(5))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 10])
    video = VideoFile(path)
    assert indices(video) == [] and kinds(video) == [("count", 0)]
    # An edit list that hides all frames, which are declared.
    path = encode(tmp_path / "a.mp4", noise(5), stamps=[-5000 + 40 * i for i in range(5)], bf="0")
    video = VideoFile(path)
    assert indices(video) == [] and kinds(video) == [("count", 0)]


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
