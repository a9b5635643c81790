import json

import numpy as np
import pytest

from posekit.datasets.posetrack_files import read_sequence
from posekit.datasets.posetrack_results import (
    predicted_sequence,
    read_results,
    write_posetrack17,
    write_posetrack18,
)
from posekit.poses import Poses
from posekit.skeletons import COCO, POSETRACK, POSETRACK_FILE

NAMES = ["images/val/a/000000.jpg", "images/val/a/000001.jpg", "images/val/a/000002.jpg"]
IDS = [10, 11, 12]


def frames(tracked=True, seed=0):
    """Two people, nobody, one person; a third of the keypoints missing, one at the origin."""
    random = np.random.default_rng(seed)
    found = []
    for count in (2, 0, 1):
        keypoints = random.uniform(1, 500, (count, 15, 3))
        keypoints[..., 2] = np.maximum(random.uniform(-0.5, 1, (count, 15)), 0)
        keypoints[:, 4] = 0, 0, 0.25
        ids = np.arange(count) + 3 if tracked else None
        found.append(Poses(keypoints, random.random(count), np.zeros((count, 4)), POSETRACK, ids))
    return found


def assert_same(a, b):
    assert a.num_frames == b.num_frames
    for name in ("frame", "track_ids", "listed"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    # Poses are float32; files have the shortest decimals that say the same.
    np.testing.assert_array_equal(*(x.keypoints.astype(np.float32) for x in (a, b)))
    np.testing.assert_allclose(a.scores, b.scores, rtol=1e-6)


@pytest.mark.parametrize("tracked", [True, False])
def test_round_trip_of_both_forms(tmp_path, tracked):
    poses = frames(tracked)
    wanted = predicted_sequence(poses)
    assert 0 < (wanted.keypoints[..., 2] == 0).sum() < 30 and len(wanted.frame) == 3
    write_posetrack18(tmp_path / "18.json", IDS, NAMES, iter(poses))
    write_posetrack17(tmp_path / "17.json", NAMES, iter(poses))
    for name in ("18.json", "17.json"):
        found = read_results(tmp_path / name)
        assert_same(found, wanted)
        assert found.file_names == tuple(NAMES)
    assert read_results(tmp_path / "18.json").image_ids.tolist() == IDS
    assert (wanted.track_ids == -1).all() == (not tracked)


def test_the_form_of_2018(tmp_path):
    keypoints = np.zeros((2, 15, 3))
    keypoints[0, 12] = 20, 30, 0.5  # neck
    keypoints[0, 0] = 10, 50, 0.1  # right ankle
    poses = Poses(keypoints, np.ones(2), np.zeros((2, 4)), POSETRACK, np.array([7, 8]))
    write_posetrack18(tmp_path / "a.json", [10], NAMES[:1], [poses])
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["images"] == [{"id": 10, "frame_id": 10, "file_name": NAMES[0]}]
    names = content["categories"][0]["keypoints"]
    assert names[1] == "head_bottom" and names[3:5] == ["left_ear", "right_ear"]
    (person,) = content["annotations"]  # nobody is the one without keypoints
    assert person["keypoints"][3:6] == [20, 30, 1] and person["keypoints"][48:] == [10, 50, 1]
    assert person["scores"][1] == 0.5 and person["scores"][16] == 0.1
    assert sum(person["scores"]) == pytest.approx(0.6) and len(person["scores"]) == 17
    assert person["track_id"] == 7 and person["image_id"] == 10 and person["id"] == 1
    assert person["bbox"] == [10.5, 30.5, 10, 20]
    own = read_sequence(tmp_path / "a.json", strict=True)  # the form of annotations, too
    assert own.keypoints[0, [0, 12]].tolist() == [[10, 50, 2], [20, 30, 2]]


def test_other_skeletons_are_taken_by_name(tmp_path):
    keypoints = np.arange(51.0).reshape(1, 17, 3) + 1
    poses = Poses(keypoints, np.ones(1), np.zeros((1, 4)), COCO)
    write_posetrack18(tmp_path / "a.json", IDS[:1], NAMES[:1], [poses])
    found = read_results(tmp_path / "a.json")
    assert found.keypoints[0, 13].tolist() == [1, 2, 2] and found.scores[0, 13] == 3  # nose
    assert not found.keypoints[0, 12].any()  # COCO has no neck
    content = json.loads((tmp_path / "a.json").read_text())
    ear = POSETRACK_FILE.names.index("left_ear")
    assert content["annotations"][0]["keypoints"][3 * ear : 3 * ear + 3] == [10, 11, 1]


def test_unlike_counts_and_faults_leave_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    for names, poses in ((NAMES, frames()[:2]), (NAMES[:2], frames())):
        with pytest.raises(ValueError, match="zip"):
            write_posetrack18(path, IDS, names, poses)
        with pytest.raises(ValueError, match="zip"):
            write_posetrack17(path, names, poses)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_people_are_ordered_by_frame(tmp_path):
    write_posetrack18(tmp_path / "a.json", IDS, NAMES, frames())
    content = json.loads((tmp_path / "a.json").read_text())
    content["annotations"].reverse()
    (tmp_path / "b.json").write_text(json.dumps(content))
    found = read_results(tmp_path / "b.json")
    assert found.frame.tolist() == [0, 0, 2] and found.track_ids.tolist() == [4, 3, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [0.5]}, "annotations.0., id 1, field scores: expected 17 numbers"),
        ({"scores": [None] * 17}, "field scores: expected 17 numbers"),
        ({"track_id": 1.5}, "field track_id: expected a whole number"),
        ({"image_id": 99}, "expected an image_id among the images"),
        ({"keypoints": [1e999] * 51}, "finite|too large|infinit"),
    ],
)
def test_faulty_files_of_2018_are_refused(tmp_path, change, message):
    write_posetrack18(tmp_path / "a.json", IDS, NAMES, frames())
    content = json.loads((tmp_path / "a.json").read_text())
    content["annotations"][0] |= change
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="a.json.*" + message):
        read_results(tmp_path / "a.json")


def test_faulty_files_of_2017_are_refused(tmp_path):
    write_posetrack17(tmp_path / "a.json", NAMES, frames())
    content = json.loads((tmp_path / "a.json").read_text())
    point = content["annolist"][0]["annorect"][1]["annopoints"][0]["point"][0]
    point["score"] = ["high"]
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"annolist.0., annorect.1., point \d+, score: expected"):
        read_results(tmp_path / "a.json")
    del point["score"]
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert np.isnan(read_results(tmp_path / "a.json").scores[1, point["id"][0]])
    content["annolist"][0]["annorect"][1]["annopoints"][0]["point"].append(point)
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"annorect.1.: expected each point id once, received \d+"):
        read_results(tmp_path / "a.json")


def test_people_of_2017_without_a_list_of_points_are_told_from_those_with_an_empty_one(tmp_path):
    people = [{"annopoints": [{"point": []}]}, {"annopoints": []}, {}]
    frame = {"image": [{"name": "000342_mpii/000000.jpg"}], "annorect": people}
    (tmp_path / "a.json").write_text(json.dumps({"annolist": [frame]}))
    for read in (read_results, read_sequence):
        assert read(tmp_path / "a.json").listed.tolist() == [True, False, False]


def test_strict_reading_of_annotations(tmp_path):
    write_posetrack18(tmp_path / "a.json", IDS, NAMES, frames())
    content = json.loads((tmp_path / "a.json").read_text())
    read_sequence(tmp_path / "a.json", strict=True)
    for change, message in (
        (
            {"ignore_regions_x": [[1, 2]], "ignore_regions_y": [[1, 2]]},
            "frame 1, .*000001.jpg: .*3",
        ),
        ({"id": 10}, "image_ids: expected each once, received 10 again"),
    ):
        images = [content["images"][0], content["images"][1] | change, content["images"][2]]
        (tmp_path / "b.json").write_text(json.dumps(content | {"images": images}))
        with pytest.raises(ValueError, match=message):
            read_sequence(tmp_path / "b.json", strict=True)
    with pytest.raises(ValueError, match="image_ids: expected each once, received 10 again"):
        read_results(tmp_path / "b.json")
    people = [person | {"id": 5} for person in content["annotations"]]
    (tmp_path / "b.json").write_text(json.dumps(content | {"annotations": people}))
    with pytest.raises(ValueError, match="annotation_ids: expected each once, received 5 again"):
        read_sequence(tmp_path / "b.json", strict=True)
    assert len(read_sequence(tmp_path / "b.json").frame) == 3


def test_the_order_of_a_file_is_that_of_posetrack18(tmp_path):
    """As its annotation files have it; swapped sides would be right by name, and wrong by place."""
    keypoints = np.zeros((1, 15, 3))
    keypoints[0, POSETRACK.names.index("right_wrist")] = [7, 8, 0.5]
    poses = Poses(keypoints, np.ones(1), np.zeros((1, 4)), POSETRACK)
    write_posetrack18(tmp_path / "a.json", [10], NAMES[:1], [poses])
    content = json.loads((tmp_path / "a.json").read_text())
    sides = "shoulder elbow wrist hip knee ankle".split()
    names = ["nose", "head_bottom", "head_top", "left_ear", "right_ear"]
    names += [f"{side}_{joint}" for joint in sides for side in ("left", "right")]
    assert content["categories"][0]["keypoints"] == names
    assert content["annotations"][0]["keypoints"][3 * 10 : 3 * 11] == [7, 8, 1]
    assert sum(content["annotations"][0]["scores"]) == 0.5
