import csv
import json

import numpy as np
import pytest

from posekit.datasets.posetrack_results import read_results
from posekit.frames import Frame
from posekit.poses import Poses, from_coco_results, read_coco_results
from posekit.skeletons import COCO, POSETRACK
from tracking.run.formats import FORMATS, write_formats
from tracking.run.header import TrackHeader
from tracking.run.lines import TrackWriter, read_tracks


def people(skeleton, ids, seed=0):
    random = np.random.default_rng(seed)
    shape = len(ids), skeleton.num_keypoints, 3
    keypoints = random.random(shape, np.float32) * [100, 80, 0.9] + 0.05
    keypoints[:, 3] = 0  # not there
    boxes = random.random((len(ids), 4)) * 10 + [0, 0, 40, 50]
    return Poses(keypoints, random.random(len(ids)), boxes, skeleton, np.array(ids, np.int64))


def write(path, skeleton=COCO, source="walk.avi", names=("", "", "")):
    writer = TrackWriter(path, TrackHeader(skeleton, source, (80, 100), 25.0, 3))
    image = np.zeros((80, 100, 3), np.uint8)
    for index, ids in enumerate(([3, 0], [], [0])):
        writer.write(Frame(image, index, index / 25, names[index]), people(skeleton, ids, index))
    return writer  # not finished: a killed run's file will do


def test_coco_results_are_the_same_people(tmp_path):
    write(tmp_path / "t.jsonl")
    assert write_formats(tmp_path / "t.jsonl", tmp_path, ["coco"]) == [tmp_path / "coco.json"]
    found = from_coco_results(read_coco_results(tmp_path / "coco.json", 17), COCO)
    frames = {frame.index: frame.poses for frame in read_tracks(tmp_path / "t.jsonl")}
    assert found.keys() == {0, 2}
    for index, poses in found.items():
        np.testing.assert_array_equal(poses.keypoints, frames[index].keypoints)
        np.testing.assert_array_equal(poses.track_ids, frames[index].track_ids)


def test_posetrack_results_are_the_same_people(tmp_path):
    names = ("000000.jpg", "000004.jpg", "000008.jpg")
    write(tmp_path / "t.jsonl", POSETRACK, "000342_mpii_test", names)
    write_formats(tmp_path / "t.jsonl", tmp_path, ["posetrack18"])
    found = read_results(tmp_path / "posetrack18.json")
    assert found.num_frames == 3 and found.frame.tolist() == [0, 0, 2]
    assert found.track_ids.tolist() == [3, 0, 0]
    assert found.image_ids.tolist() == [10003420000, 10003420004, 10003420008]
    assert found.file_names[1] == "000342_mpii_test/000004.jpg"
    expected = people(POSETRACK, [0], 2).keypoints[0]
    places = found.keypoints[2, :, :2].astype(np.float32)
    np.testing.assert_array_equal(places, expected[:, :2])
    np.testing.assert_allclose(np.nan_to_num(found.scores[2]), expected[:, 2], rtol=1e-6)


def test_the_form_of_2017_holds_the_same_people(tmp_path):
    write(tmp_path / "t.jsonl", POSETRACK, "walk", ("a.jpg", "b.jpg", "c.jpg"))
    write_formats(tmp_path / "t.jsonl", tmp_path, ["posetrack17", "posetrack18"])
    old, new = (read_results(tmp_path / f"posetrack{year}.json") for year in (17, 18))
    assert old.image_ids is None and old.file_names == new.file_names
    assert old.file_names == ("walk/a.jpg", "walk/b.jpg", "walk/c.jpg")
    for field in ("num_frames", "frame", "track_ids", "keypoints", "scores"):
        np.testing.assert_array_equal(getattr(old, field), getattr(new, field))


def test_frames_of_a_video_have_ids_and_names_too(tmp_path):
    write(tmp_path / "t.jsonl")
    write_formats(tmp_path / "t.jsonl", tmp_path, ["posetrack18"])
    images = json.loads((tmp_path / "posetrack18.json").read_text())["images"]
    assert [image["id"] for image in images] == [0, 1, 2]
    assert images[2]["file_name"] == "walk.avi/000002.jpg"


def test_table_has_a_row_per_person(tmp_path):
    write(tmp_path / "t.jsonl", names=("a,1.png", "", "c.png"))
    write_formats(tmp_path / "t.jsonl", tmp_path, ["csv"])
    with open(tmp_path / "tracks.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["frame"], r["track_id"], r["file_name"]) for r in rows] == [
        ("0", "3", "a,1.png"),
        ("0", "0", "a,1.png"),
        ("2", "0", "c.png"),
    ]
    expected = people(COCO, [0], 2)
    assert [np.float32(rows[2][f"nose_{part}"]) for part in ("x", "y", "score")] == (
        expected.keypoints[0, 0].tolist()
    )
    assert rows[2]["left_ear_x"] == "" == rows[2]["left_ear_score"]  # not there
    assert np.float32(rows[2]["x2"]) == expected.boxes[0, 2] and rows[2]["time"] == "0.08"


def test_mot_rows_count_from_one(tmp_path):
    write(tmp_path / "t.jsonl")
    write_formats(tmp_path / "t.jsonl", tmp_path, ["mot"])
    rows = np.loadtxt(tmp_path / "mot.txt", delimiter=",")
    assert rows[:, :2].tolist() == [[1, 4], [1, 1], [3, 1]]
    x1, y1, x2, y2 = people(COCO, [0], 2).boxes[0]
    np.testing.assert_allclose(rows[2, 2:6], [x1, y1, x2 - x1, y2 - y1], rtol=1e-5)
    assert (rows[:, 7:] == -1).all()


def test_a_damaged_file_leaves_what_was_there(tmp_path):
    write(tmp_path / "t.jsonl").close()
    lines = (tmp_path / "t.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "t.jsonl").write_text("".join([*lines[:3], "{}\n"]))
    for name, (file_name, _) in FORMATS.items():
        (tmp_path / file_name).write_text("before")
        with pytest.raises(ValueError, match="line 4"):
            write_formats(tmp_path / "t.jsonl", tmp_path, [name])
        assert (tmp_path / file_name).read_text() == "before"
    with pytest.raises(ValueError, match="expected formats out of posetrack18, .*received xml"):
        write_formats(tmp_path / "t.jsonl", tmp_path, ["xml"])
