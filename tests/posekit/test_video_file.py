import numpy as np
import pytest
from encoded_videos import ORANGE, encode, indices, picture, square

from posekit.orientation import turn_back
from posekit.video.faults import VideoError
from posekit.video.reading import open_video
from posekit.video.video_file import VideoFile


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
