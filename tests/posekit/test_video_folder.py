import cv2
import numpy as np
import pytest

from posekit.video.faults import VideoError
from posekit.video.reading import open_video


def fill(folder, names):
    folder.mkdir(exist_ok=True)
    for place, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((20, 30, 3), 10 * place, np.uint8))
    return folder


def test_pictures_come_in_the_order_of_their_numbers(tmp_path):
    names = ["2.png", "10.png", "frame-9 (1).PNG", "frame-9 (02).png", "frame-11.png"]
    folder = fill(tmp_path / "f", names)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("no picture")
    video = open_video(folder, rate=5)
    frames = list(video.frames())
    assert [f.name for f in frames] == names
    assert [f.image[0, 0, 0] for f in frames] == [0, 10, 20, 30, 40]
    assert [f.time for f in frames] == [0, 0.2, 0.4, 0.6, 0.8]
    assert (video.size, video.declared_frames, video.decoded_frames) == ((20, 30), 5, 5)
    assert [f.time for f in open_video(folder).frames()] == [None] * 5


def test_a_damaged_picture_is_skipped_and_keeps_its_place(tmp_path):
    folder = fill(tmp_path / "f", [f"{place}.png" for place in range(5)])
    data = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(data[: len(data) // 2])
    video = open_video(folder)
    assert [(f.index, f.image[0, 0, 0]) for f in video.frames()] == [
        (0, 0),
        (2, 20),
        (3, 30),
        (4, 40),
    ]
    faults = [(fault.kind, fault.frame, fault.reason) for fault in video.faults]
    assert faults[0][:2] == ("picture", 1) and faults[0][2].startswith("1.png: damaged")
    assert faults[1:] == [("count", 4, "declared 5 frames, decoded 4")]
    assert [f.index for f in video.frames(start=2)] == [2, 3, 4]
    assert video.decoded_frames == 4 and len(video.faults) == 2  # also when resumed


def test_folders_without_pictures_are_refused(tmp_path):
    with pytest.raises(VideoError, match=r"expected pictures \(.jpg, .*received none"):
        open_video(tmp_path)
    (tmp_path / "a.png").write_bytes(b"<html>")
    with pytest.raises(VideoError, match=r"none of its pictures can be read; a.png: expected JPEG"):
        open_video(tmp_path)
