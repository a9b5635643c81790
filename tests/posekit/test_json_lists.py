import pytest

from posekit.json_lists import json_list, json_object
from posekit.strict_json import read_json


def test_lists_grow_into_files(tmp_path):
    with json_list(tmp_path / "a.json") as items:
        items.append({"x": 1})
        items.append("ü")
        assert not (tmp_path / "a.json").exists()
    assert read_json(tmp_path / "a.json") == [{"x": 1}, "ü"]
    with json_list(tmp_path / "a.json"):
        pass
    assert read_json(tmp_path / "a.json") == []


def test_lists_of_an_object_grow_in_any_order(tmp_path):
    with json_object(tmp_path / "a.json", {"info": {}}, ("images", "annotations")) as lists:
        lists["annotations"].append(1)
        lists["images"].append(2)
        lists["annotations"].append(3)
    value = read_json(tmp_path / "a.json")
    assert value == {"info": {}, "images": [2], "annotations": [1, 3]}
    assert list(value) == ["info", "images", "annotations"]


def test_lists_alone(tmp_path):
    with json_object(tmp_path / "a.json", {}, ("images", "annotations")) as lists:
        lists["images"].append(1)
    assert read_json(tmp_path / "a.json") == {"images": [1], "annotations": []}


@pytest.mark.parametrize("opened", [json_list, lambda path: json_object(path, {"a": 1}, ("b",))])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, opened):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(ValueError, match="Out of range"), opened(tmp_path / "a.json") as lists:
        (lists["b"] if isinstance(lists, dict) else lists).append(float("nan"))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.json", "old")]
