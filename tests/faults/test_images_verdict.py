"""Damaged pictures of a data set: one verdict everywhere, a limit, and nothing ever changed."""

import hashlib
import json

import pytest
from picture_folders import DAMAGED, GOOD, SILENT, names, write_split
from script_runs import run_script
from tiny_networks import joined, parts
from tiny_topdown import random_network
from training_scripts import run_dir, words_of

from posekit.checkpoints import save_keras
from posekit.images import ImageError, read_image

TRAININGS = ("keypoint", "detector", "topdown", "ssd")
COUNT = 12


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    made = {"keypoint": parts()[0], "joined": joined(), "topdown": random_network()}
    for name, network in made.items():
        save_keras(network, folder / f"{name}.keras")
    return folder


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch):
    """The joined network is not read again from its file, so that it is compiled once."""
    for place in ("multiposenet.model", "multiposenet.evaluate_model"):
        monkeypatch.setattr(f"{place}.load_multiposenet", lambda path: joined())


def make_data(root, train, val, count=COUNT):
    """Both splits, each with its damaged images; returns the pictures of the second."""
    write_split(root, "train", count, train)
    return write_split(root, "val", count, val)


def train(training, networks, root, *words):
    """One epoch that reads all images once, over both splits."""
    passes = ("--epochs", 1, "--epoch-steps", COUNT // 4, "--eval-images", COUNT)
    if training == "detector":
        words += ("--keypoint-run", networks / "keypoint.keras")
    script, *words = words_of(training, root / "runs", "--data", root, *passes, *words)
    return run_script(script.removeprefix("scripts/").removesuffix(".py"), *words)


def trained(root, split):
    """The list that a training wrote about a split."""
    path = run_dir(root / "runs") / f"rejected-{split}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else ()
    return list(map(json.loads, lines))


def by_training(name):
    def run(networks, root):
        done = train(name, networks, root, "--bad-images", 0.5)
        lists = [trained(root, split) for split in ("train", "val")]
        assert done.code == 0 and (run_dir(root / "runs") / "best.keras").exists(), done.err
        reasons = [{entry["path"]: entry["reason"] for entry in entries} for entries in lists]
        assert reasons[0] == reasons[1] and all(entry["count"] for entry in sum(lists, []))
        return reasons[0]

    return run


def by_evaluation(model):
    def run(networks, root):
        words = networks / f"{model}.keras", "--data", root, "--json", "--bad-images", 0.5
        done = run_script("eval_coco", *words, "--write", root / "out")
        assert done.code == 0, done.err
        report = json.loads(done.out)
        assert report["images"]["evaluated"] == COUNT - len(DAMAGED)
        lines = (root / "out" / "rejected.jsonl").read_text().splitlines()
        assert list(map(json.loads, lines)) == report["damaged"]
        return {entry["path"]: entry["reason"] for entry in report["damaged"]}

    return run


def by_detect(networks, root):
    words = "--data", root, "--model", networks / "joined.keras"
    done = run_script("detect", *words, "--output", root / "boxes.json", "--json")
    assert done.code == 3, done.err
    return {entry["path"]: entry["reason"] for entry in json.loads(done.out)["damaged"]}


def by_predict(*words):
    def run(networks, root):
        model = networks / ("topdown.keras" if words else "joined.keras")
        more = (*words, "--detector", networks / "joined.keras") if words else ()
        done = run_script(
            "predict", root / "val", "--model", model, *more, "--output", root / "out"
        )
        assert done.code == 3 and len(list((root / "out").glob("*.jpg"))) == COUNT - len(DAMAGED)
        listed = json.loads((root / "out" / "rejected.json").read_text())
        assert all(entry["count"] == 1 for entry in listed)
        return {entry["path"]: entry["reason"] for entry in listed}

    return run


def by_track(networks, root):
    words = "--model", networks / "joined.keras", "--flow", "none", "--no-video"
    done = run_script("track", root / "val", *words, "--output", root / "out")
    report = json.loads((root / "out" / "report.json").read_text())
    assert done.code == 3 and report["decoded"] == COUNT - len(DAMAGED), done.err
    faults = [fault["reason"] for fault in report["faults"] if fault["kind"] == "picture"]
    return dict(fault.split(": ", 1) for fault in faults)


DOORS = {
    **{f"train_{name}": by_training(name) for name in TRAININGS},
    "eval_coco": by_evaluation("joined"),
    "eval_coco-topdown": by_evaluation("topdown"),
    "detect": by_detect,
    "predict": by_predict(),
    "predict-topdown": by_predict("--topdown"),
    "track": by_track,
}
FAST = ("eval_coco", "eval_coco-topdown", "detect", "predict")


def marked(cases, fast):
    return [pytest.param(case, marks=[] if case in fast else pytest.mark.slow) for case in cases]


@pytest.mark.parametrize("door", marked(DOORS, FAST))
def test_i1_damaged_pictures_get_one_verdict_everywhere(door, networks, tmp_path):
    pictures = make_data(tmp_path, DAMAGED | SILENT, DAMAGED | SILENT)
    rejected = DOORS[door](networks, tmp_path)
    assert rejected.keys() == names()
    for name, reason in rejected.items():
        with pytest.raises(ImageError) as error:
            read_image(pictures / name)
        assert error.value.reason == reason


BAD = dict.fromkeys(range(1, 11), GOOD[:900])


@pytest.mark.slow
@pytest.mark.parametrize("where", ["train", "val"])
@pytest.mark.parametrize("training", TRAININGS)
def test_i3_too_many_damaged_pictures_stop_a_training(training, where, networks, tmp_path):
    damaged = {"train": {}, "val": {}} | {where: BAD}
    make_data(tmp_path, **damaged, count=50)
    words = "--epoch-steps", 5, "--batch-size", 10, "--eval-images", 50
    done = train(training, networks, tmp_path, *words)
    assert done.code == 3 and "10 of 50 images are damaged" in done.err
    listed = trained(tmp_path, where)
    assert {entry["path"] for entry in listed} == names(BAD)
    assert all(entry["reason"].startswith("damaged") and entry["count"] for entry in listed)
    assert not list(run_dir(tmp_path / "runs").glob("*.keras"))
    if training == "topdown":  # nor does starting it again get past it
        assert train(training, networks, tmp_path, *words).code == 3
        assert not list(run_dir(tmp_path / "runs").glob("*.keras"))


@pytest.mark.parametrize("model", ["joined", "topdown"])
def test_i3_too_many_damaged_pictures_end_an_evaluation_with_3(model, networks, tmp_path):
    make_data(tmp_path, {}, BAD, count=50)
    words = networks / f"{model}.keras", "--data", tmp_path, "--json", "--write", tmp_path / "out"
    done = run_script("eval_coco", *words)
    listed = (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()
    assert done.code == 3 and {json.loads(line)["path"] for line in listed} == names(BAD)
    assert json.loads(done.out)["images"]["evaluated"] == 40
    assert run_script("eval_coco", *words, "--bad-images", 0.2).code == 0


def state(folder):
    """sha256 and time of change of all files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {p: (hashlib.sha256(p.read_bytes()).digest(), p.stat().st_mtime_ns) for p in files}


@pytest.mark.slow
def test_i9_training_evaluation_and_prediction_leave_the_data_alone(networks, tmp_path):
    root = tmp_path / "data"
    make_data(root, DAMAGED, DAMAGED)
    before = state(root)
    passes = "--epochs", 1, "--bad-images", 1
    script, *words = words_of("topdown", tmp_path / "runs", "--data", root, *passes)
    assert run_script("train_topdown", *words).code == 0
    model = networks / "joined.keras"
    assert run_script("eval_coco", model, "--data", root, "--write", tmp_path / "out").code == 3
    words = root / "val", "--model", model, "--output", tmp_path / "predictions"
    assert run_script("predict", *words).code == 3
    words = root / "val", "--model", model, "--flow", "none", "--output", tmp_path / "tracks"
    assert run_script("track", *words).code == 3
    assert state(root) == before
