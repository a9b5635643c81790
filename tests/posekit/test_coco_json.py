"""Annotation files that are no strict JSON, by their text."""

import json

import pytest

from posekit.datasets.coco import load_coco

IMAGES = [{"id": 7, "file_name": "a.png", "height": 6, "width": 8}]
PERSON = {"id": 1, "name": "person"}
ANNOTATION = {
    **{"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 5},
    **{"iscrowd": 0, "keypoints": [3, 2, 2] + [0] * 48},
}


@pytest.fixture
def file(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "val").mkdir()
    return tmp_path / "annotations/person_keypoints_val.json"


VALID = json.dumps({"images": IMAGES, "annotations": [ANNOTATION], "categories": [PERSON]})
TEXTS = {
    "cut": (VALID[:-150], "cut"),
    "cut between": (VALID[: VALID.index("0, 0") + 4], "cut"),
    "NaN": (
        VALID.replace("[3, 2, 2,", "[3, NaN, 2,"),
        r"annotations\[0\]: .*received nan .line 1, column",
    ),
    "infinity": (VALID.replace('"area": 5', '"area": -Infinity'), "received -inf"),
    "1e999": (
        VALID.replace("[3, 2, 2,", "[3, 1e999, 2,"),
        r"annotations\[0\]: keypoints\[1\]: expected a finite number.*line 1, column",
    ),
    "1e999 unread": (VALID.replace('"area"', '"more": 1e999, "area"'), "more: .*received inf"),
    "equal keys": (VALID.replace('"area"', '"id": 2, "area"'), "'id' twice.*line 1, column"),
    "equal sections": (VALID[:-1] + ', "images": []}', "new key, received 'images'"),
    "deep": (VALID.replace('"area": 5', '"area": ' + "[" * 100_000), "nested too deeply"),
    "long number": (VALID.replace('"area": 5', '"area": ' + "5" * 5000), r"annotations\[0\]"),
    "list": ("[1, 2]", "expected '{', received '\\['"),
    "items": (
        VALID.replace('"annotations": [', '"annotations": [7, '),
        r"annotations\[0\].*object",
    ),
    "tail": (VALID + "{}", "expected the end of the file"),
    "empty": ("", "end of the file"),
    "line": (VALID.replace('"area": 5', '\n"area": x'), r"annotations\[0\]: .*line 2, column 9"),
}


@pytest.mark.parametrize("fault", TEXTS)
def test_faulty_json_is_refused_with_its_position(fault, file, tmp_path):
    text, message = TEXTS[fault]
    file.write_text(text)
    with pytest.raises(ValueError, match=rf"keypoints_val\.json: (.|\n)*({message})"):
        load_coco(tmp_path, "val")


def test_a_byte_order_mark_is_skipped_and_other_encodings_are_refused(file, tmp_path):
    file.write_bytes(VALID.encode("utf-8-sig"))
    assert load_coco(tmp_path, "val").report["people"] == 1
    file.write_bytes(VALID.encode("utf-16"))
    with pytest.raises(ValueError, match="expected UTF-8.*byte 0"):
        load_coco(tmp_path, "val")


def test_files_beyond_the_limit_are_refused_unread(file, tmp_path):
    with file.open("wb") as sparse:
        sparse.truncate(1 << 31)
    with pytest.raises(ValueError, match="expected at most 1073741824 bytes"):
        load_coco(tmp_path, "val")
