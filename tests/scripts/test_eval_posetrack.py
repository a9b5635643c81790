import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from script_runs import help_at_once

from posekit.datasets.posetrack_results import write_posetrack17, write_posetrack18
from posekit.poses import Poses
from posekit.skeletons import POSETRACK

ROOT = Path(__file__).parents[2]
NAMES = [f"images/val/a/{i:06}.jpg" for i in range(3)]
IDS = [100, 101, 102]


def run(*words):
    command = [sys.executable, ROOT / "scripts" / "eval_posetrack.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def people(count=2, offset=0.0, tracked=True):
    keypoints = np.zeros((count, 15, 3))
    keypoints[..., 0] = 100 * np.arange(count)[:, None] + offset + 50
    keypoints[..., 1] = 10 * np.arange(15) + 5
    keypoints[..., 2] = 0.5
    ids = np.arange(count) if tracked else None
    return Poses(keypoints, np.ones(count), np.zeros((count, 4)), POSETRACK, ids)


@pytest.fixture
def folders(tmp_path):
    """Two sequences of three frames with two people each, of head size 30; and their results."""
    for folder in ("truth", "results"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            write_posetrack18(tmp_path / folder / f"{name}.json", IDS, NAMES, [people()] * 3)
    for file in (tmp_path / "truth").iterdir():
        content = json.loads(file.read_text())
        for person in content["annotations"]:
            person["bbox_head"] = [0, 0, 30, 40]
            del person["scores"]
        file.write_text(json.dumps(content))
    return tmp_path


def words(folder):
    return "--annotations", folder / "truth", "--results", folder / "results"


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def refused(folder, message, *more):
    done = run(*words(folder), *more)
    assert done.returncode == 2 and "Traceback" not in done.stderr and done.stdout == ""
    assert message in done.stderr, done.stderr


def test_help_answers_at_once():
    said = help_at_once("eval_posetrack")
    for word in ("--annotations", "--results", "--poseval-compat", "--estimate-heads", "--json"):
        assert word in said


def test_truth_as_predictions_as_one_object(folders):
    done = run("--annotations", f"{folders}/truth/", "--results", folders / "truth", "--json")
    assert done.returncode == 0 and "without scores: 180" in done.stderr
    report = json.loads(done.stdout)
    for name in ("ap", "mota", "motp", "precision", "recall", "hota", "deta", "assa"):
        assert report[name] == [100] * 16
        assert list(report["table"][name].values()) == [100] * 8
    assert list(report["table"]["ap"])[:2] == ["Head", "Shou"]
    assert report["keypoints"][0] == "right_ankle" and report["keypoints"][14] == "head_top"
    assert report["mot"]["matches"] == [12] * 15 + [180] and report["mot"]["switches"][15] == 0
    assert report["protocol"]["definitions"] == "default"
    assert report["counts"]["sequences"] == 2 and report["counts"]["frames_evaluated"] == 6


def test_table_and_definitions(folders):
    # 15.01 px off in the last frame of a, of 6 with 2 people each.
    frames = [people(), people(), people(offset=15.01)]
    write_posetrack17(folders / "results/a.json", NAMES, frames)  # either form on either side
    done = run(*words(folders))
    assert done.returncode == 0 and done.stderr == ""
    # 10 of 12 found; every keypoint predicted has the same score.
    assert f"AP    {'69.4':>8}" in done.stdout and f"MOTA  {'66.7':>8}" in done.stdout
    assert "misses 30, false positives 30, switches 0, matches 150" in done.stdout
    done = run(*words(folders), "--poseval-compat", "--json")
    report = json.loads(done.stdout)
    assert report["mota"] == [100] * 16  # the last frame does not count
    assert report["mot"]["annotated"][15] == 120
    assert report["protocol"]["definitions"] == "poseval"


def test_annotations_of_2017(folders):
    def add_heads(content):
        for frame in content["annolist"]:
            for person in frame["annorect"]:
                person |= {"x1": [0], "y1": [0], "x2": [30], "y2": [40]}

    for name in ("a", "b"):
        write_posetrack17(folders / f"truth/{name}.json", NAMES, [people()] * 3)
        change(folders / f"truth/{name}.json", add_heads)
    done = run(*words(folders), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["mota"] == [100] * 16
    write_posetrack18(folders / "results/a.json", IDS, NAMES[::-1], [people()] * 3)
    refused(folders, "frame 0: expected file name 000000.jpg as in a.json, received 000002.jpg")


def test_without_tracks_and_without_people(folders):
    for name in ("a", "b"):
        write_posetrack18(folders / f"results/{name}.json", IDS, NAMES, [people(tracked=False)] * 3)
    done = run(*words(folders), "--json")
    report = json.loads(done.stdout)
    assert report["ap"][15] == 100 and report["mota"] is report["hota"] is report["mot"] is None
    assert done.returncode == 0 and "without track ids" in done.stderr
    for name in ("a", "b"):
        write_posetrack18(
            folders / f"results/{name}.json", IDS, NAMES, [Poses.empty(POSETRACK)] * 3
        )
    done = run(*words(folders), "--json")
    report = json.loads(done.stdout)
    assert report["ap"][15] == report["mota"][15] == report["motp"][15] == 0
    assert done.returncode == 0 and "no predicted people" in done.stderr


def test_folders_that_do_not_fit(folders):
    (folders / "results/c.json").write_text("{}")
    refused(folders, "c.json too; move them elsewhere")
    (folders / "results/c.json").rename(folders / "truth/c.json")
    refused(folders, "predictions for each of 3 sequences, found none for c.json")
    assert run(*words(folders)[:2], "--results", folders / "none").returncode == 2
    done = run(*words(folders)[:2], "--results", folders)
    assert done.returncode == 2 and "expected .json files" in done.stderr
    assert run().returncode == 2


def test_one_file_of_each(folders):
    (folders / "results/a.json").rename(folders / "other.json")
    done = run("--annotations", folders / "truth/a.json", "--results", folders / "other.json")
    assert done.returncode == 0 and "sequences 1" in done.stdout


def test_faulty_files_end_with_code_2(folders):
    result, truth = folders / "results/a.json", folders / "truth/a.json"
    good = result.read_text(), truth.read_text()
    faults = [
        (result, lambda c: c["annotations"][1].update(track_id=0), "person 1: expected a track id"),
        (result, lambda c: c["images"].pop(), "expected an image_id among the images"),
        (result, lambda c: c["categories"][0]["keypoints"].__setitem__(0, "chin"), "no nose"),
        (
            result,
            lambda c: c["annotations"][0].update(keypoints=[float("nan")] * 51),
            "received nan",
        ),
        (result, lambda c: c["annotations"][0].update(scores=[]), "expected a score of every"),
        (truth, lambda c: c["annotations"][3].pop("bbox_head"), "frame 1, images/val/a/000001.jpg"),
        (truth, lambda c: c["annotations"][1].update(track_id=0), "person 1: expected a track id"),
        (
            truth,
            lambda c: c["images"][1].update(ignore_regions_x=[[1, 2]], ignore_regions_y=[[1, 2]]),
            "at least 3 points",
        ),
    ]
    for path, edit, message in faults:
        change(path, edit)
        done = run(*words(folders))
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert message in done.stderr and f"{path}" in done.stderr, done.stderr
        result.write_text(good[0])
        truth.write_text(good[1])
    result.write_text(good[0][:-20])
    refused(folders, "expected JSON")
    write_posetrack18(result, [1, 2, 3], NAMES, [people()] * 3)  # renumbered
    refused(folders, "frame 0: expected image id 100 as in a.json, received 1")
    write_posetrack18(result, IDS[:2], NAMES[:2], [people()] * 2)
    refused(folders, "expected 3 frames")


def test_missing_heads_can_be_estimated(folders):
    for name in ("a", "b"):
        change(
            folders / f"truth/{name}.json", lambda c: [p.pop("bbox_head") for p in c["annotations"]]
        )
    refused(folders, "expected a head box, found none (6 such people in this file)")
    done = run(*words(folders), "--estimate-heads", "--json")
    assert json.loads(done.stdout)["mota"][15] == 100
    assert "estimated from neck and head top: 12" in done.stderr


def test_bonn_against_itself_is_100(shared):
    folder = shared / "data/bonn_posetrack/annotations/train"
    done = run("--annotations", folder, "--results", folder, "--estimate-heads", "--json")
    assert done.returncode == 0 and "nobody has, left out of the means: nose" in done.stderr
    report = json.loads(done.stdout)
    for name in ("ap", "mota", "motp", "precision", "recall", "hota"):
        assert report[name] == [100] * 13 + [None] + [100] * 2
    assert report["counts"]["sequences"] == 30 and report["counts"]["heads_estimated"] == 5186
    assert report["mot"]["matches"][15] == 84904
    done = run(
        "--annotations", folder, "--results", folder, "--estimate-heads", "--json",
        "--poseval-compat",
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["ap"][13] == 0 and report["ap"][15] == pytest.approx(100 * 14 / 15)
    assert report["mota"][13] is None and report["mota"][15] == 100
    assert report["mot"]["matches"][15] < 84904
