import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from posekit.poses import (
    Poses,
    from_coco_results,
    read_coco_results,
    to_coco_results,
    write_coco_results,
)
from posekit.skeletons import COCO, Skeleton

PAIR = Skeleton("pair", ("left_tip", "right_tip"), ((0, 1),), (1, 0), (0.1, 0.1))
ENTRY = {"image_id": 7, "category_id": 1, "keypoints": [1, 2, 0.5, 3, 4, 0.25], "score": 0.75}


def two_people(**changes):
    fields = {
        "keypoints": np.arange(12).reshape(2, 2, 3),
        "scores": [0.5, 0.75],
        "boxes": [[0, 1, 2, 3], [4, 5, 6, 7]],
        "skeleton": PAIR,
    }
    return Poses(**{**fields, **changes})


def test_poses_hold_read_only_copies_in_their_types():
    given_keypoints = np.arange(12.0).reshape(2, 2, 3)
    poses = two_people(keypoints=given_keypoints, track_ids=[3, 0])
    given_keypoints[:] = -1
    assert poses.keypoints[1, 0].tolist() == [6, 7, 8]
    assert (poses.keypoints.dtype, poses.scores.dtype) == (np.float32, np.float32)
    assert (poses.boxes.dtype, poses.track_ids.dtype) == (np.float32, np.int64)
    assert len(poses) == 2
    with pytest.raises(ValueError, match="read-only"):
        poses.keypoints[0] = 0


def test_empty_and_select():
    assert len(Poses.empty(COCO)) == 0 and Poses.empty(COCO).keypoints.shape == (0, 17, 3)
    poses = two_people(track_ids=[3, 9])
    swapped = poses.select([1, 0])
    assert swapped.scores.tolist() == [0.75, 0.5] and swapped.track_ids.tolist() == [9, 3]
    assert poses.select(np.array([False, True])).boxes.tolist() == [[4, 5, 6, 7]]
    assert len(poses.select([])) == 0 and two_people().select([0]).track_ids is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": np.zeros((2, 3, 3))}, r"keypoints: expected \(2, 2, 3\).*'pair'.*\(2, 3, 3"),
        ({"keypoints": np.zeros((1, 2, 3))}, r"keypoints: expected \(2, 2, 3\)"),
        ({"boxes": np.zeros((2, 5))}, r"boxes: expected \(2, 4\)"),
        ({"scores": np.zeros((2, 1))}, r"scores: expected \(2,\)"),
        ({"scores": [0.5, np.nan]}, r"scores: expected finite float32.*received nan at \(1,\)"),
        ({"boxes": [[0, 0, 1, np.inf]] * 2}, r"boxes: expected finite.*inf at \(0, 3\)"),
        ({"scores": [0.5, 1e300]}, "scores: expected finite float32"),
        ({"track_ids": [1]}, r"track_ids: expected \(2,\)"),
        ({"track_ids": [1, 1]}, r"track_ids: expected ids from 0, none twice, received \[1, 1\]"),
        ({"track_ids": [-1, 1]}, "track_ids: expected ids from 0"),
        ({"track_ids": [0.5, 1]}, "track_ids: expected finite int64 numbers, received 0.5"),
    ],
)
def test_poses_refuse_what_does_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        two_people(**changes)


def test_results_entry_by_hand():
    poses = Poses([[[1, 2, 0.5], [3, 4, 0.25]]], [0.75], [[1, 2, 3, 4]], PAIR)
    assert to_coco_results(poses, np.int64(7)) == [ENTRY]
    assert type(to_coco_results(poses, np.int64(7))[0]["image_id"]) is int
    tracked = Poses(poses.keypoints, [0.75], poses.boxes, PAIR, track_ids=[5])
    assert to_coco_results(tracked, 7) == [{**ENTRY, "track_id": 5}]
    assert to_coco_results(Poses.empty(PAIR), 7) == []


coordinates = st.floats(-1e5, 1e5, width=32)


@settings(max_examples=50)
@given(
    st.integers(1, 4).flatmap(lambda n: hnp.arrays(np.float32, (n, 17, 3), elements=coordinates))
)
def test_results_there_and_back_keep_every_bit(tmp_path_factory, keypoints):
    path = tmp_path_factory.getbasetemp() / "results.json"
    poses = Poses(keypoints, keypoints[:, 0, 2], np.zeros((len(keypoints), 4)), COCO)
    write_coco_results(path, to_coco_results(poses, 3) + to_coco_results(poses, 2**40))
    back = from_coco_results(read_coco_results(path), COCO)
    assert list(back) == [3, 2**40]
    for found in back.values():
        np.testing.assert_array_equal(found.keypoints, keypoints)
        np.testing.assert_array_equal(found.scores, poses.scores)
        assert found.track_ids is None


def test_boxes_read_back_are_those_of_the_keypoints():
    entries = [ENTRY, {**ENTRY, "keypoints": [5, 6, 1, 99, 99, 0]}]
    assert from_coco_results(entries, PAIR)[7].boxes.tolist() == [
        [1.5, 2.5, 3.5, 4.5],
        [5.5, 6.5, 5.5, 6.5],
    ]


def test_pycocotools_takes_the_entries_for_keypoints(tmp_path):
    from pycocotools.coco import COCO as CocoApi

    api = CocoApi()
    api.dataset = {"images": [{"id": 7}], "annotations": [], "categories": [{"id": 1}]}
    api.createIndex()
    write_coco_results(tmp_path / "r.json", [{**ENTRY, "track_id": 2}])
    loaded = api.loadRes(str(tmp_path / "r.json")).loadAnns([1])[0]
    assert loaded["bbox"] == [1, 2, 2, 2] and loaded["area"] == 4  # from keypoints, not a box


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[ENTRY, {"score": NaN}]', "entry 1, field score: expected a finite number, received nan"),
        ('[ENTRY, {"score": -Infinity}]', "entry 1, field score: .* received -inf"),
        ('[{"keypoints": [0, 1e999, 1]}]', r"entry 0, field keypoints\[1\]: .* received inf"),
        ('[ENTRY, {"more": {"deep": [NaN]}}]', r"entry 1, field more.deep\[0\]: .*finite"),
        ('[ENTRY, {"score": 1, "score": 2}]', "entry 1: .* every key once, received 'score' twice"),
        ('[{"a": {"b": 1, "b": 1}}]', "entry 0, field a: expected every key once, received 'b'"),
        ("{}", "expected a list of results, received dict"),
        ("[3]", "entry 0, expected an object, received int"),
        ("[ENTRY", "expected JSON, received: .*line 1 column"),
        ("[" * 100_000, "expected JSON"),
        ("", "expected JSON"),
        ("\xff", "expected UTF-8"),
        ('[{"image_id": ' + "9" * 5000 + "}]", "expected JSON"),
    ],
)
def test_files_that_are_not_strict_json_are_refused(text, message, tmp_path):
    path = tmp_path / "r.json"
    path.write_text(text.replace("ENTRY", json.dumps(ENTRY)), "latin-1")
    with pytest.raises(ValueError, match=message) as caught:
        read_coco_results(path)
    assert str(caught.value).startswith(str(path))


FAULTS = [
    ({"image_id": "7"}, "field image_id: expected a whole number, received '7'"),
    ({"image_id": None}, "field image_id"),
    ({"image_id": True}, "field image_id"),
    ({"image_id": 2**63}, "field image_id"),
    ({"category_id": 1.0}, "field category_id"),
    ({"track_id": "a"}, "field track_id"),
    ({"score": "high"}, "field score: expected a finite number, received 'high'"),
    ({"score": True}, "field score"),
    ({"score": None}, "field score"),
    ({"score": 10**400}, "field score"),
    ({"keypoints": [1, 2, 3, 4]}, "field keypoints: expected a list of x, y, score triples"),
    ({"keypoints": []}, "field keypoints"),
    ({"keypoints": None}, "field keypoints"),
    ({"keypoints": [1, 2, 3]}, "field keypoints: expected 2 keypoints .* received 3 numbers"),
    ({"keypoints": [1, 2, 3, 4, 5, "6"]}, "field keypoints: expected finite numbers, received '6'"),
    ({"keypoints": [1, 2, 3, 4, 5, 1e300]}, "field keypoints: expected finite numbers"),
]


@pytest.mark.parametrize(("changes", "message"), FAULTS)
def test_faults_name_entry_and_field_on_reading_and_on_writing(changes, message, tmp_path):
    entries = [ENTRY, {**ENTRY, **changes}]
    path = tmp_path / "r.json"
    path.write_text(json.dumps(entries))
    for call in (read_coco_results, lambda path: write_coco_results(path, entries)):
        with pytest.raises(ValueError, match=f"r.json: entry 1, {message}"):
            call(path)
    assert json.loads(path.read_text()) == entries


def test_missing_fields_further_fields_and_the_byte_order_mark(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps([{**ENTRY, "center": [1, 2], "note": None}]), "utf-8-sig")
    assert read_coco_results(path)[0]["center"] == [1, 2]
    path.write_text(json.dumps([{k: v for k, v in ENTRY.items() if k != "score"}]))
    with pytest.raises(ValueError, match="entry 0, field score"):
        read_coco_results(path)
    path.write_text(json.dumps([ENTRY]))
    with pytest.raises(ValueError, match="entry 0, field keypoints: expected 17 keypoints"):
        read_coco_results(path, num_keypoints=17)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32(1), np.zeros(2)])
def test_a_refused_write_leaves_the_old_file_and_nothing_else(value, tmp_path):
    path = tmp_path / "r.json"
    write_coco_results(path, [ENTRY])
    with pytest.raises(ValueError, match=r"r\.json: .*"):
        write_coco_results(path, [ENTRY, {**ENTRY, "score": value}])
    with pytest.raises(ValueError, match=r"r\.json: not written: "):
        write_coco_results(path, [ENTRY, {**ENTRY, "extra": value}])
    assert read_coco_results(path) == [ENTRY]
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]


def test_no_results(tmp_path):
    write_coco_results(tmp_path / "r.json", [])
    assert read_coco_results(tmp_path / "r.json") == [] and from_coco_results([], COCO) == {}
