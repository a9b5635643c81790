"""Numbers that are not finite on their way into a file: nothing is written, nothing is lost."""

import io
import zipfile

import h5py
import numpy as np
import pytest
from annotation_files import good_truth, track_lines, write_coco
from script_runs import ROOT, run_script

from posekit.datasets.posetrack_results import write_posetrack17, write_posetrack18
from posekit.detections import Detections, DetectionsError, write_detections
from posekit.frames import Frame
from posekit.json_lists import json_list, json_object
from posekit.poses import Poses, to_coco_results, write_coco_results
from posekit.skeletons import COCO, POSETRACK
from posekit.strict_json import write_json
from tracking.run.lines import TrackWriter, read_tracks

NOT_FINITE = [np.nan, np.inf, -np.inf]
ENTRY = {"image_id": 1, "category_id": 1, "score": 0.5, "keypoints": [1.0, 2.0, 0.5]}


def people(value, place="keypoints", skeleton=POSETRACK, track_ids=None):
    """Two people, one of them with a number that is not finite."""
    fields = {"keypoints": np.ones((2, skeleton.num_keypoints, 3)), "scores": np.ones(2)}
    fields["boxes"] = np.ones((2, 4))
    fields[place].flat[-1] = value
    return Poses(**fields, skeleton=skeleton, track_ids=track_ids)


def append(opened, value):
    with opened as lists:
        items = lists if not isinstance(lists, dict) else lists["a"]
        items.append({"x": 1.0})
        items.append({"x": value})


WRITERS = {
    "json": lambda path, value: write_json(path, [{"score": value}]),
    "coco results": lambda path, value: write_coco_results(path, [ENTRY, ENTRY | {"score": value}]),
    "list": lambda path, value: append(json_list(path), value),
    "object": lambda path, value: append(json_object(path, {"b": 1}, ["a"]), value),
    "head": lambda path, value: append(json_object(path, {"b": value}, ["a"]), 1.0),
    "boxes": lambda path, value: write_detections(
        path, Detections(np.array([1]), np.array([[1, 2, 3, value]]), np.ones(1))
    ),
    "posetrack18": lambda path, value: write_posetrack18(path, [1], ["a"], iter([people(value)])),
    "posetrack17": lambda path, value: write_posetrack17(path, ["a"], iter([people(value)])),
}


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("name", WRITERS)
def test_a4_nothing_is_written_and_the_old_file_stays(name, value, tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises((ValueError, DetectionsError)):
        WRITERS[name](path, value)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("place", ["keypoints", "scores", "boxes"])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_a4_poses_hold_no_such_number(place, value):
    with pytest.raises(ValueError, match=f"{place}: expected finite.*diverged network"):
        people(value, place)
    assert to_coco_results(Poses.empty(COCO), 1) == []


def test_a4_a_line_of_tracks_is_whole_or_absent(tmp_path):
    text = track_lines(tmp_path / "good.jsonl")
    header = read_tracks(tmp_path / "good.jsonl").header
    writer = TrackWriter(tmp_path / "tracks.jsonl", header)
    empty = Poses(*(np.zeros((0, *s)) for s in ((15, 3), (), (4,))), POSETRACK, np.zeros(0, int))
    writer.write(Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0), empty)
    with pytest.raises(ValueError):
        writer.write(Frame(np.zeros((4, 4, 3), np.uint8), 1, float("nan")), empty)
    writer.close()
    frames = list(read_tracks(tmp_path / "tracks.jsonl"))
    assert [frame.index for frame in frames] == [0] and text


def diverged(source, target):
    """Copies a .keras file, with NaN in the place of one weight."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = io.BytesIO(old.read(name))
            if name.endswith(".h5"):
                with h5py.File(content, "r+") as file:
                    file.visititems(lambda _, item: spoil(item))
            new.writestr(name, content.getvalue())


def spoil(item):
    """Spoils the first array of four axes, then stops the visit."""
    if not isinstance(item, h5py.Dataset) or item.ndim != 4:
        return None
    item[0, 0, 0, 0] = np.nan
    return True


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """A COCO folder, and models of both kinds with one weight that is NaN."""
    folder = tmp_path_factory.mktemp("spoilt")
    write_coco(folder, good_truth(), pictures=True)
    for name in ("multiposenet", "topdown"):
        diverged(ROOT / f"pretrained/{name}-mobilenetv2.keras", folder / f"{name}.keras")
    return folder


@pytest.mark.parametrize("kind", ["multiposenet", "topdown"])
def test_a4_a_diverged_network_predicts_and_scores_nothing(kind, spoilt, tmp_path):
    model, output = spoilt / f"{kind}.keras", tmp_path / "out"
    topdown = ["--topdown"] if kind == "topdown" else []
    commands = [
        ("eval_coco", model, "--data", spoilt, "--json"),
        ("predict", spoilt / "val/1.png", *topdown, "--model", model, "--output", output),
    ]
    boxes = output / "boxes.json"
    commands += [("detect", "--data", spoilt, "--model", model, "--output", boxes)][: not topdown]
    for command in commands:
        done = run_script(*command)
        assert done.code == 2 and not done.out and "finite" in done.err, done
        assert model.name in done.err and not list(output.glob("*"))
