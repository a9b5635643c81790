import json

import numpy as np
import pytest
from PIL import Image

from posekit.datasets.coco import DatasetError
from posekit.datasets.posetrack import load_posetrack
from posekit.skeletons import POSETRACK

NAMES = (
    "nose head_bottom head_top left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
).split()
ANKLE, NECK, NOSE = (POSETRACK.names.index(name) for name in ("right_ankle", "neck", "nose"))
BOX = [9.75, 19, 21.25, 42]  # points 10..20, 20..40, + 0.5, grown by 15 %


def flat(points):
    return [value for name in NAMES for value in points.get(name, (0, 0, 0))]


def person(number, image_id=100, points=None, **fields):
    points = {"right_ankle": (10, 40, 1), "head_bottom": (20, 20, 1)} if points is None else points
    head = {"bbox_head": [15, 10, 8, 9], "bbox": [0, 0, 1, 1], "scores": [], "category_id": 1}
    base = {"id": number, "image_id": image_id, "track_id": number, "keypoints": flat(points)}
    return base | head | fields


def frame(number, name="images/val/000342_mpii/000000.jpg", **fields):
    return {"id": number, "file_name": name, "is_labeled": True, "vid_id": "000342"} | fields


def write18(root, images, people, name="000342_mpii", **fields):
    content = {"images": images, "annotations": people}
    content["categories"] = [{"id": 1, "name": "person", "keypoints": NAMES}]
    return write(root, content | fields, name)


def write(root, content, name="000342_mpii"):
    folder = root / "annotations/val"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content))
    return root


def picture(root, name="images/val/000342_mpii/000000.jpg", size=(50, 60)):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(root / name, "BMP")  # in whatever name; needs no TensorFlow


SECOND = "images/val/000342_mpii/000001.jpg"


def test_form_of_2018(tmp_path):
    picture(tmp_path)
    # A located keypoint with visibility 0 is there; so is one at the origin with 1.
    odd = {"right_ankle": (10, 40, 0), "head_bottom": (0, 0, 1), "left_ear": (5, 5, 1)}
    images = [frame(100), frame(101, SECOND, is_labeled=False), frame(102, SECOND + "x")]
    people = [
        person(7, 102),
        person(3, points=odd, bbox_head=[1, 2, 3, 4]),
        person(4, bbox_head=None, points={}),
    ]
    data = load_posetrack(write18(tmp_path, images, people), "val")
    assert data.skeleton is POSETRACK and data.image_ids.tolist() == [100, 102]
    assert data.size(0) == data.size(1) == (50, 60)  # one header for the whole video
    first, last = data.annotations(0), data.annotations(1)
    assert first["keypoints"].shape == (1, 15, 3)
    np.testing.assert_array_equal(
        first["keypoints"][0, [ANKLE, NECK, NOSE]], [[10, 40, 2], [0, 0, 2], [0, 0, 0]]
    )
    np.testing.assert_allclose(last["boxes"], [BOX])
    assert data.tracks(0)["track_ids"].tolist() == [3]
    assert data.tracks(1)["track_ids"].tolist() == [7]
    assert data.tracks(1)["head_boxes"].tolist() == [[15, 10, 23, 19]]
    assert data.subset([1]).tracks(0)["track_ids"].tolist() == [7]
    assert data.sequences == ("000342_mpii",) and data.sequence.tolist() == [0, 0, 0]
    assert data.report["unlabelled"] == 1 and data.report["without_keypoints"] == 1
    assert len(load_posetrack(tmp_path, "val", unlabelled=True)) == 3
    assert data.example(0)["image"].shape == (50, 60, 3)


def test_ignore_regions_belong_to_the_ignore_mask(tmp_path):
    triangles = {
        "ignore_regions_x": [[1.7, 8.7, 8.7, 1.7], [1, 2]],
        "ignore_regions_y": [[2.7, 2.7, 6.7, 6.7], [1, 2]],
    }
    root = write18(tmp_path, [frame(100, height=50, width=60, **triangles)], [person(1)])
    data = load_posetrack(root, "val")  # sizes in the file: no picture is needed
    expected = np.zeros((50, 60), bool)
    expected[3:8, 2:10] = True  # points: 1.7 is in pixel 2, 8.7 in pixel 9
    np.testing.assert_array_equal(data.masks(0)["ignore_mask"], expected)
    regions = data.ignore_regions[0]
    assert len(regions) == 1
    assert regions[0].tolist() == [[1.7, 2.7], [8.7, 2.7], [8.7, 6.7], [1.7, 6.7]]
    np.testing.assert_allclose(data.annotations(0)["ignored_boxes"], [[2.2, 3.2, 9.2, 7.2]])


def point(number, x, y):
    return {"id": [number], "x": [x], "y": [y], "is_visible": [0]}


PLACES = [point(0, 10, 40), point(12, 20, 20)]


def rectangle(track=5, points=PLACES):
    head = {"x1": [15], "y1": [10], "x2": [23], "y2": [19], "track_id": [track], "score": [-1]}
    return head | {"annopoints": [{"point": list(points)}] if points else []}


def frame17(name, people, **fields):
    return {"image": [{"name": name}], "annorect": people, "imgnum": [1], **fields}


def test_form_of_2017_gives_the_same(tmp_path):
    picture(tmp_path, "images/bonn/1.jpg")
    region = {
        "ignore_regions": [{"point": [{"x": [x], "y": [y]} for x, y in ((1, 1), (5, 1), (5, 5))]}]
    }
    frames = [
        frame17("images/bonn/1.jpg", [rectangle(), rectangle(6, ())], **region),
        frame17("images/bonn/2.jpg", []),
        frame17("images/bonn/3.jpg", [rectangle(9)], is_labeled=[1]),
    ]
    write(tmp_path, {"annolist": frames}, "00001_bonn_relpath")
    write(tmp_path, {"annolist": frames[:1]}, "00002_bonn_relpath")
    data = load_posetrack(tmp_path, "val")
    assert data.image_ids.tolist() == [1, 3, 4]  # a frame without people is not labelled
    people = data.annotations(0)
    np.testing.assert_array_equal(people["keypoints"][0, [ANKLE, NECK]], [[10, 40, 2], [20, 20, 2]])
    np.testing.assert_allclose(people["boxes"], [BOX])
    tracks = data.tracks(1)
    assert tracks["track_ids"].tolist() == [9]
    assert tracks["head_boxes"].tolist() == [[15, 10, 23, 19]]
    assert data.ignore_regions[0][0].tolist() == [[1, 1], [5, 1], [5, 5]]
    assert data.sequences == ("00001_bonn_relpath", "00002_bonn_relpath")
    assert data.sequence.tolist() == [0, 0, 0, 1]
    assert data.report["without_keypoints"] == 2


def test_ignored_boxes_are_cut_and_follow_their_images(tmp_path):
    region = {"ignore_regions_x": [[-3, 70, 70]], "ignore_regions_y": [[5, 5, 20]]}
    size = {"height": 50, "width": 60}
    root = write18(tmp_path, [frame(1, **size), frame(2, SECOND, **size, **region)], [])
    data = load_posetrack(root, "val")
    assert data.ignored_boxes(0).shape == (0, 4)
    np.testing.assert_allclose(data.subset([1]).ignored_boxes(0), [[0, 5.5, 60, 20.5]])


def test_minval_is_every_fifth_sequence_of_val(tmp_path):
    for number in range(74):
        write18(tmp_path, [frame(number)], [], f"{number:06}")
    data = load_posetrack(tmp_path, "minval", headers=False)
    assert data.image_ids.tolist() == list(range(0, 74, 5)) and len(data.sequences) == 15


def test_several_videos_in_a_file(tmp_path):
    images = [frame(1, "images/a/0.jpg"), frame(2, "images/b/0.jpg")]
    data = load_posetrack(write18(tmp_path, images, [], "merged"), "val", headers=False)
    assert data.sequences == ("merged/a", "merged/b") and len(data) == 2
    assert data.num_people.tolist() == [0, 0]


def test_repeated_tracks_are_listed(tmp_path):
    people = [person(1), person(2, track_id=1), person(3, track_id=None), person(4, track_id=None)]
    data = load_posetrack(write18(tmp_path, [frame(100)], people), "val", headers=False)
    assert data.report["repeated_tracks"] == [0, 1]
    assert data.tracks(0)["track_ids"].tolist() == [1, 1, -1, -1]


@pytest.mark.parametrize(
    ("people", "fields", "message"),
    [
        ([person(1, image_id=5)], {}, r"annotations\[0\], id 1: expected an image_id"),
        ([person(1, keypoints=[1, 2, 3])], {}, r"id 1, field keypoints: expected 51 numbers"),
        ([person(1, keypoints=[None] * 51)], {}, "field keypoints"),
        ([person(1, keypoints=[1e9] * 51)], {}, "field keypoints.*below 1e"),
        ([person(1, bbox_head=[1, 2])], {}, "field bbox_head: expected 4 numbers"),
        ([person(1, track_id="one")], {}, "field track_id: expected a whole number"),
        ([person(1, iscrowd="no")], {}, "field iscrowd: expected true or false"),
        ([person(1)], {"categories": []}, "categories: expected one person"),
        ([person(1)], {"images": 3}, "list of objects as images, or as annolist"),
        ([], {"images": [frame(1, file_name=None)]}, r"images\[0\]: expected a file_name"),
        ([], {"images": [frame(1, "/etc/passwd")]}, "inside the folder"),
        ([], {"images": [frame(1), frame(1, SECOND)]}, "unique image ids, received 1"),
        ([], {"images": [frame(1, height=0, width=3)]}, r"images\[0\]: expected height x width"),
        ([], {"images": [frame(1, height=1, width=2**60)]}, "expected height x width of 1 to"),
        ([], {"images": [frame(1, ignore_regions_x=[[1, 2, 3]])]}, "ignore_regions_x and _y"),
        ([], {"annolist": [{"image": []}]}, r"annolist\[0\]: expected an image with a name"),
        ([], {"annolist": [frame17("a", [rectangle(points=[point(15, 1, 1)])])]}, "ids 0 to 14"),
        ([], {"annolist": [frame17("a", [rectangle(points=[point(1, "x", 1)])])]}, "2 numbers"),
        ([], {"annolist": [frame17("a", [3])]}, "field annorect: expected a list of objects"),
    ],
)
def test_faulty_files_are_refused(tmp_path, people, fields, message):
    write18(tmp_path, fields.pop("images", [frame(100)]), people, **fields)
    with pytest.raises(DatasetError, match=message):
        load_posetrack(tmp_path, "val", headers=False)


def test_missing_paths(tmp_path):
    with pytest.raises(DatasetError, match=r"annotations.val: expected the .json files of 'val'"):
        load_posetrack(tmp_path, "val")
    write18(tmp_path, [frame(100)], [])
    with pytest.raises(DatasetError, match="found none of 1, such as images/val"):
        load_posetrack(tmp_path, "val")
    write(tmp_path, [1])
    with pytest.raises(DatasetError, match=r"000342_mpii\.json: expected an object"):
        load_posetrack(tmp_path, "val")


def test_real_files(shared):
    bonn = load_posetrack(shared / "data/bonn_posetrack", "test")
    assert len(bonn) == 41 and bonn.size(40) == (540, 960) and len(bonn.index.keypoints) == 164
    people = bonn.annotations(0)
    assert people["keypoints"][0, NECK].tolist() == pytest.approx([391.68, 135.95, 2])
    assert not people["keypoints"][:, NOSE].any()
    x1, x2 = people["boxes"][0, [0, 2]]  # wrists at 319.64 and 493.1
    assert [x1, x2] == pytest.approx([307.13, 506.61], abs=0.01)
    assert bonn.tracks(0)["track_ids"].tolist() == [0, 1, 2, 3]
    train = load_posetrack(shared / "data/bonn_posetrack", "train", headers=False)
    assert len(train) == 1526 and len(train.sequences) == 30 and train.report["people"] == 6394
    formats = load_posetrack(shared / "data/formats/posetrack18", "val")
    assert len(formats) == 3 and formats.masks(2)["ignore_mask"].mean() > 0.1
    assert all(len(formats.ignored_boxes(i)) for i in range(3))
