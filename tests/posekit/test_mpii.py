import gzip
import json

import numpy as np
import pytest
from PIL import Image
from scipy import io

from posekit.affine import transform_points
from posekit.crops import person_crop_transform
from posekit.datasets.coco import DatasetError
from posekit.datasets.mpii import load_mpii
from posekit.datasets.mpii_truth import load_mpii_truth
from posekit.skeletons import MPII

# Two keypoints, pixels counted from 1: the right ankle (11, 41) and the head top (21, 21).
ANKLE, HEAD_TOP = MPII.names.index("right_ankle"), MPII.names.index("head_top")
EXTENT = [9.75, 19, 21.25, 42]  # 10..20, 20..40 from 0, + 0.5, grown by 15 %


def joints(points, absent=(0, 0)):
    rows = [list(absent) for _ in MPII.names]
    for at, point in points.items():
        rows[at] = list(point)
    return rows


def listed(image="a.png", points=None, **fields):
    points = {ANKLE: (11, 41), HEAD_TOP: (21, 21)} if points is None else points
    seen = [int(at in points) for at in range(16)]
    person = {"image": image, "joints": joints(points, (-1, -1)), "joints_vis": seen}
    return person | {"center": [16, 31], "scale": 0.2} | fields


def complete(image="a.png", hidden=(), points=None, others=(), **fields):
    points = {ANKLE: (11, 41), HEAD_TOP: (21, 21)} if points is None else points
    rows = joints({at: (*xy, at not in hidden) for at, xy in points.items()}, (0, 0, 0))
    person = {"img_paths": image, "joint_self": [[float(n) for n in row] for row in rows]}
    person |= {"img_width": 60.0, "img_height": 50.0, "objpos": [16.0, 31.0]}
    person |= {"scale_provided": 0.2, "isValidation": 0.0, "joint_others": list(others)}
    return person | fields


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def picture(path, size=(50, 60)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path, "BMP")  # in whatever name; needs no TensorFlow


def test_usual_list(tmp_path):
    picture(tmp_path / "images/a.png")
    picture(tmp_path / "images/b.png", (30, 40))
    people = [listed(), listed("b.png"), listed(points={ANKLE: (1, 1)})]
    write(tmp_path / "annot/valid.json", people)
    data = load_mpii(tmp_path, "valid")
    assert data.skeleton is MPII and len(data) == 2
    assert [data.size(0), data.size(1)] == [(50, 60), (30, 40)]
    # People of one image come together; ids keep their places in the file.
    assert data.index.annotation_ids.tolist() == [0, 2, 1]
    first = data.annotations(0)
    np.testing.assert_array_equal(
        first["keypoints"][0, [ANKLE, HEAD_TOP]], [[10, 40, 2], [20, 20, 2]]
    )
    assert first["keypoints"][0].any(axis=1).sum() == 2
    np.testing.assert_allclose(first["boxes"], [EXTENT, [0, 0, 1, 1]])
    np.testing.assert_allclose(first["areas"], [11.5 * 23, 1])
    np.testing.assert_allclose(data.annotations(1)["boxes"], [[9.75, 19, 21.25, 30]])  # cut
    assert data.example(1)["image"].shape == (30, 40, 3)


def test_complete_list(tmp_path):
    away = joints({ANKLE: (31.004, 41, 1)}, (0, 0, 0))
    own = joints({ANKLE: (11, 41, 1), HEAD_TOP: (21, 21, 0)}, (0, 0, 0))
    none = {"_ArrayType_": "double", "_ArraySize_": [0, 0], "_ArrayData_": None}
    people = [
        complete(isValidation=1.0, others=own),  # one person: no outer list
        complete(isValidation=1.0, hidden=[HEAD_TOP], others=[own, away]),
        complete("b.png", joint_others=none),
    ]
    path = tmp_path / "mpii_annotations.json.gz"
    path.write_bytes(gzip.compress(json.dumps(people).encode()))
    data = load_mpii(tmp_path, "valid")  # no folder of pictures is needed
    assert len(data) == 1 and data.size(0) == (50, 60)
    people = data.annotations(0)
    assert people["keypoints"][:, HEAD_TOP, 2].tolist() == [2, 1, 0]  # visible, hidden, absent
    # The entry's own double is left out, the other person is there as a crowd.
    assert people["is_crowd"].tolist() == [False, False, True]
    assert people["keypoints"][2, ANKLE].tolist() == pytest.approx([30.004, 40, 2])
    assert len(load_mpii(tmp_path)) == 1 and len(load_mpii(path, None)) == 2


def test_centre_box_gives_the_crop_of_the_protocol(tmp_path):
    write(tmp_path / "one.json", [listed(), listed(center=[-1, -1])])
    picture(tmp_path / "images/a.png")
    data = load_mpii(tmp_path / "one.json", box="centre")
    boxes = data.annotations(0)["boxes"]
    # Centre (16, 31 + 15 * 0.2) from 1, side 200 * 0.2; the image, 50 high, does not cut it.
    np.testing.assert_allclose(boxes, [[-5, 13, 35, 53]])
    assert data.report["bad_boxes"] == [1]
    transform = person_crop_transform(boxes[0], (256, 256))
    # The protocol: that centre comes to (128, 128), 1.25 * 40 pixels fill 256.
    points = np.array([[15, 33], [15 + 25, 33 + 25], [40, 8]], np.float32)
    expected = [[128, 128], [256, 256], [256, 0]]
    np.testing.assert_allclose(transform_points(points, transform), expected, atol=1e-4)


def rectangle(points, **fields):
    point = [{"x": x, "y": y, "id": i, "is_visible": v} for i, (x, y, v) in points.items()]
    holder = {"annopoints": {"point": struct_array(point)}} if points else {}
    head = {"x1": 10.0, "y1": 20.0, "x2": 13.0, "y2": 24.0}
    return head | {"scale": 0.2, "objpos": {"x": 16, "y": 31}} | holder | fields


def struct_array(rows):
    """A MATLAB struct array; a field that a row lacks is empty, as in the official file."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    array = np.zeros((1, len(rows)), [(name, object) for name in names])
    for i, row in enumerate(rows):
        for name in names:
            value = row.get(name, [])
            lists = isinstance(value, list) and value and isinstance(value[0], dict)
            array[name][0, i] = struct_array(value) if lists else value
    return array


def write_mat(path, images, train):
    rows = [{"image": {"name": name}, "annorect": people} for name, people in images.items()]
    release = {"annolist": struct_array(rows), "img_train": np.array(train), "version": "12"}
    io.savemat(path, {"RELEASE": release})
    return path


EMPTY = np.zeros((0, 0))


@pytest.fixture
def official(tmp_path):
    both = {ANKLE: (11, 41, 0), HEAD_TOP: (21, 21, EMPTY)}
    images = {
        "a.png": [rectangle(both), rectangle({}), rectangle({ANKLE: (5, 5, "1")}, scale=EMPTY)],
        "test.png": [rectangle({})],
        "b.png": [rectangle({ANKLE: (31.5, 41, 1)})],
        "nobody.png": [],
    }
    return write_mat(tmp_path / "mpii_human_pose_v1_u12_1.mat", images, [1, 0, 1, 1])


def test_official_file(official):
    data = load_mpii(official.parent, "train", headers=False)
    assert data.index.file_names == ("a.png", "b.png", "nobody.png")
    people = data.annotations(0)
    assert people["keypoints"][0, ANKLE].tolist() == [10, 40, 1]  # located, not visible
    assert people["keypoints"][:, [ANKLE, HEAD_TOP], 2].tolist() == [[1, 2], [2, 0]]
    np.testing.assert_allclose(people["boxes"][0], EXTENT)
    assert data.report["without_keypoints"] == 1 and data.report["bad_boxes"] == [1]
    test = load_mpii(official, "test", box="centre", headers=False)
    np.testing.assert_allclose(test.annotations(0)["boxes"], [[-5, 13, 35, 53]])


@pytest.mark.parametrize("name", ["annot/valid.json", "valid.json"])
def test_validation_people_are_not_among_the_official_training_people(official, name):
    write(official.parent / name, [listed("b.png")])
    train = load_mpii(official, "train", headers=False)
    assert [train.path(i).name for i in range(len(train))] == ["a.png", "nobody.png"]
    assert len(load_mpii(official, None, headers=False)) == 3


def test_truth_of_the_official_file(official):
    truth = load_mpii_truth(official)
    assert len(truth) == 3  # those with keypoints
    np.testing.assert_allclose(truth.head_sizes, 0.6 * 5)  # 3 wide, 4 high
    np.testing.assert_allclose(truth.head_boxes[0], [9.5, 19.5, 12.5, 23.5])
    assert truth.keypoints[2, ANKLE].tolist() == [30.5, 40, 2]


@pytest.mark.slow
def test_the_complete_annotations(shared):
    folder = shared / "data/mpii"
    data = load_mpii(folder, "valid")
    own = ~data.index.is_crowd
    assert len(data) == 2729 and own.sum() == 2958 and (~own).sum() == 3679
    # Annotation ids lead to the rows of the ground truth.
    truth = load_mpii_truth(folder)
    rows, people = data.index.annotation_ids[own], data.index.keypoints[own]
    assert sorted(rows) == list(range(2958))
    there = people[..., 2] > 0
    assert ((truth.keypoints[rows][..., 2] > 0) == there).all()
    away = np.abs(people[..., :2] - truth.keypoints[rows][..., :2])[there].max(axis=1)
    assert (away > 0.01).sum() <= 20  # a few keypoints are 0 there
    assert truth.head_sizes[0] == pytest.approx(117.9622)


def test_pictures_of_the_formats_folder(shared):
    folder = shared / "data/formats/mpii"
    data = load_mpii(folder / "test_mpii.json", images=folder)
    assert len(data) == 5 and data.size(0) == (720, 1280)
    x1, y1, x2, y2 = data.annotations(0)["boxes"][0]
    assert (x2 - x1) / (1167 - 798) == pytest.approx(1.15) and y2 == 720


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"a": 1}, "list of objects"),
        ([listed(), listed(joints=[[1, 2]])], r"entry 1, field joints.*16 x 2 numbers"),
        ([listed(joints=[["1", "2"]] * 16)], "entry 0, field joints.*numbers"),
        ([listed(joints_vis=None)], "entry 0, field joints_vis"),
        ([listed(scale="big")], "entry 0, field scale: expected a number"),
        ([listed(scale=float("nan"))], "entry 0, field scale.*finite"),
        ([listed(image=3)], "entry 0: expected a file name as image"),
        ([listed(image="../../x.png")], "file_name.*inside the folder"),
        ([complete(img_width=0)], "entry 0: expected img_height x img_width of 1 to"),
        ([complete(img_width=9e5, img_height=9e5)], "entry 0: expected img_height x img_width of"),
        ([complete(), listed()], "entry 1: expected isValidation"),
        ([complete(joint_self=[[0, 0]])], "entry 0, field joint_self.*16 x 3"),
    ],
)
def test_faulty_lists_name_the_entry(tmp_path, entries, message):
    path = write(tmp_path / "faulty.json", entries)
    with pytest.raises(DatasetError, match=r"faulty\.json|file_name") as raised:
        load_mpii(path, headers=False)
    assert raised.match(message)


def test_missing_files_and_pictures(tmp_path):
    with pytest.raises(DatasetError, match="expected one of annot/train.json"):
        load_mpii(tmp_path)
    with pytest.raises(DatasetError, match="nothing.json"):
        load_mpii(tmp_path / "nothing.json")
    write(tmp_path / "annot/train.json", [listed(), listed("b.png")])
    with pytest.raises(DatasetError, match=r"expected the pictures in .*images"):
        load_mpii(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(DatasetError, match="found none of 2, such as a.png"):
        load_mpii(tmp_path)
    picture(tmp_path / "images/b.png")  # one that is missing counts among the damaged ones
    data = load_mpii(tmp_path)
    assert [data.size(0), data.size(1)] == [(0, 0), (50, 60)]
    with pytest.raises(ValueError, match="No such file"):
        data.image(0)


def test_faulty_official_files(tmp_path, official):
    whole = official.read_bytes()
    cut = tmp_path / "cut.mat"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"cut\.mat: expected a whole MATLAB file.*cut"):
        load_mpii(cut)
    io.savemat(cut, {"other": 1})
    with pytest.raises(DatasetError, match=r"expected the struct RELEASE, received \['other'\]"):
        load_mpii(cut)
    write_mat(cut, {"a.png": [rectangle({16: (1, 1, 1)})]}, [1])
    with pytest.raises(DatasetError, match=r"image 0 \(a.png\), person 0: expected point ids 0 to"):
        load_mpii(cut, headers=False)
    write_mat(cut, {"a.png": [rectangle({0: (1, 1, 1)}, x2="wide")]}, [1])
    with pytest.raises(DatasetError, match="person 0: expected a number as x2"):
        load_mpii(cut, headers=False)
    with pytest.raises(DatasetError, match="split train or test"):
        load_mpii(official, "valid")
