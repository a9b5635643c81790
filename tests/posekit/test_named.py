import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from posekit.datasets import synthetic_domains
from posekit.datasets.coco import DatasetError
from posekit.datasets.named import open_dataset, parse_word
from posekit.skeletons import MPII


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("coco:data/coco", ("coco", "coco", "data/coco", None)),
        ("hands=coco:/data/hands:train2017", ("hands", "coco", "/data/hands", "train2017")),
        ("mpii:/m", ("mpii", "mpii", "/m", None)),
        ("mpii=mpii-centre:/m", ("mpii", "mpii-centre", "/m", None)),
        ("mpii=synthetic:runs/d", ("mpii", "synthetic", "runs/d", None)),
    ],
)
def test_words(word, expected):
    parsed = parse_word(word)
    assert (parsed.name, parsed.kind, parsed.path, parsed.split) == (
        *expected[:2],
        Path(expected[2]),
        expected[3],
    )


@pytest.mark.parametrize("word", ["", "coco", "coco:", "yolo:data", "1=coco:data", "coco:a:b:c"])
def test_other_words(word):
    with pytest.raises(DatasetError, match=r"expected \[NAME=\]KIND:PATH\[:SPLIT\]"):
        parse_word(word)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere"):
        open_dataset(f"coco:{tmp_path / 'nowhere'}", "train")


def test_any_file_in_coco_layout_brings_its_own_keypoints(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "all").mkdir()
    cv2.imwrite(str(tmp_path / "all" / "1.png"), np.zeros((20, 30, 3), np.uint8))
    hand = {"id": 7, "image_id": 1, "category_id": 3, "iscrowd": 0, "area": 50.0}
    hand |= {"bbox": [2, 3, 10, 5], "keypoints": [3, 4, 2, 9, 4, 1], "num_keypoints": 2}
    content = {
        "images": [{"id": 1, "file_name": "1.png", "height": 20, "width": 30}],
        "annotations": [hand],
        "categories": [{"id": 3, "name": "hand", "keypoints": ["wrist", "tip"]}],
    }
    (tmp_path / "annotations" / "person_keypoints_all.json").write_text(json.dumps(content))
    dataset = open_dataset(f"hands=coco:{tmp_path}:all", "train")
    assert dataset.skeleton.names == ("wrist", "tip")
    np.testing.assert_array_equal(dataset.example(0)["keypoints"], [[[3, 4, 2], [9, 4, 1]]])


def test_drawn_data_sets_are_drawn_once(tmp_path, monkeypatch):
    few = synthetic_domains.Domain(MPII, {"train": 2, "val": 1}, (1, 1), (0.7, 0.9), 0.0)
    monkeypatch.setitem(synthetic_domains.DOMAINS, "few", few)
    word = f"few=synthetic:{tmp_path}"
    train, val = open_dataset(word, "train"), open_dataset(word, "val")
    assert (len(train), len(val), train.skeleton.names) == (2, 1, MPII.names)
    before = train.annotation_file.stat().st_mtime_ns
    assert open_dataset(word, "train").annotation_file.stat().st_mtime_ns == before
    with pytest.raises(DatasetError, match="out of coco, mpii, posetrack"):
        open_dataset(f"synthetic:{tmp_path}", "train")


def test_mpii_has_boxes_round_keypoints_or_those_of_its_protocol(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "annot").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "1.png"), np.zeros((300, 400, 3), np.uint8))
    joints = np.full((16, 2), -1.0)
    joints[:2] = [[101, 101], [141, 181]]  # of the file, which counts from 1
    person = {"image": "1.png", "joints": joints.tolist(), "joints_vis": [1, 1] + [0] * 14}
    person |= {"center": [121.0, 141.0], "scale": 0.5}
    (tmp_path / "annot" / "valid.json").write_text(json.dumps([person]))
    boxes = {
        kind: open_dataset(f"{kind}:{tmp_path}", "val").annotations(0)["boxes"][0]
        for kind in ("mpii", "mpii-centre")
    }
    # 40 by 80 pixels between the keypoints, grown by 15 %; and 200 * scale about the centre.
    extent, square = boxes["mpii"], boxes["mpii-centre"]
    middle, side = (square[:2] + square[2:]) / 2, square[2:] - square[:2]
    np.testing.assert_allclose(side, [100, 100], atol=1e-3)
    np.testing.assert_allclose(middle, [120, 140 + 15 * 0.5], atol=1e-3)
    np.testing.assert_allclose(extent[2:] - extent[:2], [40 * 1.15, 80 * 1.15], atol=1.5)
