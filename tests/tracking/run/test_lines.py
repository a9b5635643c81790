import dataclasses
import json
import resource

import numpy as np
import pytest

from posekit.atomic_files import WriteError
from posekit.frames import Frame
from posekit.poses import Poses
from posekit.skeletons import Skeleton
from tracking.run.header import TrackHeader
from tracking.run.lines import TrackFileError, TrackWriter, read_tracks

PAIR = Skeleton("pair", ("head", "foot"), ((0, 1),), (0, 1), (0.1, 0.2))
HEADER = TrackHeader(PAIR, "walk.avi", (40, 60), 12.5, 3, {"queue": 8}, ({"name": "a.keras"},))
ONE = Poses(
    [[[0.1, 2, 0.7], [0, 0, 0]]], np.float32([1 / 3]), [[0, 1, 10, 20]], PAIR, np.array([4])
)
TWO = Poses(
    [[[1, 2, 0.5], [3, 4, 1]], [[5, 6, 1], [7, 8, 1]]],
    [0.5, 1],
    [[0, 0, 1, 1], [2, 2, 3, 3]],
    PAIR,
    np.array([7, 4]),
)
NOBODY = dataclasses.replace(Poses.empty(PAIR), track_ids=np.zeros(0, np.int64))


def frame(index, time=None, name="", size=(40, 60)):
    return Frame(np.zeros((*size, 3), np.uint8), index, time, name)


@pytest.fixture
def path(tmp_path):
    writer = TrackWriter(tmp_path / "tracks.jsonl", HEADER)
    writer.write(frame(0, 0.0), ONE)
    writer.write(frame(1, 0.08, "b.png"), NOBODY)
    writer.write(frame(3, 0.24, size=(20, 30)), TWO)
    writer.finish({"frames": 3})
    return tmp_path / "tracks.jsonl"


def test_lines_are_what_they_should_be(path):
    head, first, second, third, last = map(json.loads, path.read_text().splitlines())
    assert head["format"] == "posekit tracks" and head["version"] == 1
    assert head["skeleton"]["names"] == ["head", "foot"] and head["skeleton"]["limbs"] == [[0, 1]]
    assert (head["source"], head["height"], head["width"]) == ("walk.avi", 40, 60)
    assert (head["rate"], head["declared"], head["settings"]) == (12.5, 3, {"queue": 8})
    person = {"track_id": 4, "score": 0.33333334, "box": [0, 1, 10, 20]}
    person["keypoints"] = [[0.1, 2, 0.7], [0, 0, 0]]  # the fewest digits of the float32
    assert first == {"frame": 0, "time": 0.0, "people": [person]}
    assert second == {"frame": 1, "time": 0.08, "file_name": "b.png", "people": []}
    assert (third["height"], third["width"]) == (20, 30)  # another size than the header's
    assert last == {"end": True, "frames": 3}


def test_frames_come_back_as_they_were(path):
    tracks = read_tracks(path)
    assert tracks.header == HEADER and not tracks.complete
    for _ in range(2):  # as often as asked
        frames = list(tracks)
        assert tracks.complete and tracks.footer == {"end": True, "frames": 3}
        assert [f[:3] for f in frames] == [(0, 0.0, ""), (1, 0.08, "b.png"), (3, 0.24, "")]
        for found, expected in zip(frames, (ONE, NOBODY, TWO), strict=True):
            for field in ("keypoints", "scores", "boxes", "track_ids"):
                values = getattr(found.poses, field), getattr(expected, field)
                np.testing.assert_array_equal(*values, strict=True)


def test_a_file_cut_anywhere_behind_its_header_is_read_up_to_the_cut(path, tmp_path):
    content = path.read_bytes()
    ends = [i for i, byte in enumerate(content) if byte == ord("\n")]
    cut = tmp_path / "cut.jsonl"
    for length in range(ends[0], len(content)):
        cut.write_bytes(content[:length])
        tracks = read_tracks(cut)
        whole = sum(end <= length for end in ends[1:4])
        assert len(list(tracks)) == whole
        assert tracks.complete == (length >= ends[4])
    for length in range(0, ends[0], 50):
        cut.write_bytes(content[:length])
        with pytest.raises(TrackFileError, match="line 1: expected the format"):
            read_tracks(cut)


def test_any_time_of_a_damaged_video_comes_back(tmp_path):
    writer = TrackWriter(tmp_path / "tracks.jsonl", HEADER)
    times = [-3.5, None, 1e9, 1e18]
    for index, time in enumerate(times):
        writer.write(frame(index, time), NOBODY)
    writer.finish({})
    assert [one.time for one in read_tracks(tmp_path / "tracks.jsonl")] == times


def test_a_full_disk_is_named_and_leaves_whole_lines(tmp_path):
    writer = TrackWriter(tmp_path / "tracks.jsonl", HEADER)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(WriteError, match="could not write tracks.jsonl: .*Make room"):
            for index in range(50):
                writer.write(frame(index), NOBODY)
        with pytest.raises(WriteError, match="could not write tracks.jsonl"):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list(read_tracks(tmp_path / "tracks.jsonl"))) > 5


@pytest.mark.parametrize(
    ("line", "old", "new", "message"),
    [
        (2, '"time":0.0', '"time":"now"', "line 2: field time: expected seconds"),
        (2, '"time":0.0', '"time":NaN', "line 2: time: expected a finite number"),
        (2, '"frame":0', '"frame":0,"frame":1', "line 2: .* every key once, received 'frame'"),
        (2, "[0.1,2.0,0.7]", "[0.1,2.0]", "line 2: field keypoints: expected 1 x 2 x 3 numbers"),
        (2, '"track_id":4', '"track_id":-4', "line 2: track_ids: expected ids from 0"),
        (2, '"score":0.33333334', '"score":"high"', "line 2: field score"),
        (2, '"people"', '"persons"', "line 2: field people: expected a list"),
        (3, '"frame":1', '"frame":0', "line 3: expected a frame above 0, received 0"),
        (3, "}", "", "line 3: expected JSON"),
        (4, '"track_id":7', '"track_id":4', "line 4: track_ids: .*none twice"),
        (5, '"end":true', '"end":false', "line 5: expected a frame above 3, received None"),
        (1, '"version":1', '"version":2', "line 1: expected the format"),
        (1, '"names":["head","foot"]', '"names":["head"]', "line 1: expected a header"),
    ],
)
def test_damage_elsewhere_is_named(path, line, old, new, message):
    lines = path.read_text().splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("".join(lines))
    with pytest.raises(TrackFileError, match=message) as error:
        list(read_tracks(path))
    assert str(path) in str(error.value)


def test_nothing_may_follow_the_last_line(path):
    path.write_text(path.read_text() + '{"frame": 9, "people": []}\n')
    with pytest.raises(TrackFileError, match="line 6: expected nothing"):
        list(read_tracks(path))


def test_a_writer_goes_on_behind_what_is_kept(path, tmp_path):
    whole = path.read_bytes()
    again = tmp_path / "again.jsonl"
    writer = TrackWriter(again, HEADER)
    writer.write(frame(0, 0.0), ONE)
    offset = writer.sync()
    writer.write(frame(1, 5.0), TWO)  # lost
    writer.close()
    writer = TrackWriter(again, HEADER, offset)
    assert again.stat().st_size == offset
    writer.write(frame(1, 0.08, "b.png"), NOBODY)
    writer.write(frame(3, 0.24, size=(20, 30)), TWO)
    writer.finish({"frames": 3})
    assert again.read_bytes() == whole
    with pytest.raises(FileExistsError):
        TrackWriter(again, HEADER)
    with pytest.raises(TrackFileError, match="expected at least the 99999 bytes"):
        TrackWriter(again, HEADER, 99999)


def test_people_without_ids_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected poses with track ids"):
        TrackWriter(tmp_path / "a.jsonl", HEADER).write(frame(0), Poses.empty(PAIR))
