import dataclasses
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_topdown import random_network

from posekit.commands import UsageError
from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic import write_coco
from posekit.detections import Detections, write_detections
from posekit.skeletons import COCO, POSETRACK
from topdown import matrix
from topdown.combination import Combination
from topdown.evaluation import evaluate_keypoints
from topdown.prediction import TopDownPredictor, load_topdown
from topdown.settings import Reading

SCRIPT = Path(__file__).parents[2] / "scripts" / "eval_matrix.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("matrix")
    options = {"size": (96, 120), "people": (1, 3), "heights": (0.6, 1)}
    write_coco(root / "coco", "val", 4, skeleton=COCO, **options)
    write_coco(root / "posetrack", "val", 3, seed=1, skeleton=POSETRACK, **options)
    random_network("coco").save(root / "coco.keras")
    random_network("coco", "posetrack").save(root / "both.keras")
    dataset = load_coco(root / "coco", "val")
    (box,) = dataset.annotations(3)["boxes"][:1]
    write_detections(root / "boxes.json", Detections([dataset.image_ids[3]], [box], [0.9]))
    return root


def test_every_pair_has_a_cell(folder):
    words = ["--networks", *(f"{n}={folder / n}.keras" for n in ("coco", "both"))]
    words += ["--tests", *(f"{n}=coco:{folder / n}" for n in ("coco", "posetrack"))]
    words += ["--boxes", "gt", f"one={folder / 'boxes.json'}", "--json"]
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cells = {(c["network"], c["boxes"], c["test"]): c for c in json.loads(done.stdout)}
    assert len(cells) == 6  # the only box is on image 4, which the second test set lacks
    dataset = load_coco(folder / "coco", "val")
    alone = evaluate_keypoints(TopDownPredictor(random_network("coco")), dataset)
    assert cells["coco", "gt", "coco"]["metrics"] == alone.metrics
    assert cells["coco", "gt", "coco"]["box_ap"] is None
    assert 0 < cells["both", "one", "coco"]["box_ap"] < 1


def run_here(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["eval_matrix.py", *map(str, words), "--json"])
    assert runpy.run_path(str(SCRIPT))["main"]() == 0
    return json.loads(capsys.readouterr().out)


def test_a_cell_says_how_its_network_was_read(folder, monkeypatch, capsys):
    words = "--networks", f"a={folder / 'both.keras'}", "--tests", f"coco:{folder / 'posetrack'}"
    [plain] = run_here(monkeypatch, capsys, *words)
    reading = dataclasses.asdict(Reading())
    expected = {"flip": False, "combination": "first", "head": "none", "reading": reading}
    assert plain["protocol"] == expected | {"domains": ["coco", "posetrack"]}
    given = "--domains posetrack coco --combination vote --head interpolate --flip --offset none"
    given += " --blur-sigma 0 --box-threshold 0.1 --keypoint-threshold 0.3 --oks-threshold 0.8"
    [cell] = run_here(monkeypatch, capsys, *words, *given.split())
    changes = {"offset": "none", "blur_sigma": None, "box_threshold": 0.1}
    reading |= changes | {"keypoint_threshold": 0.3, "oks_threshold": 0.8}
    expected = {"flip": True, "combination": "vote", "head": "interpolate", "reading": reading}
    assert cell["protocol"] == expected | {"domains": ["posetrack", "coco"]}
    model = load_topdown(folder / "both.keras")
    dataset = load_coco(folder / "posetrack", "val")
    combination = Combination("vote", ("posetrack", "coco"), dataset.skeleton, "interpolate")
    predictor = TopDownPredictor(model, True, reading=Reading(**reading), combination=combination)
    assert cell["metrics"] == evaluate_keypoints(predictor, dataset).metrics


def test_readings_out_of_range_are_refused(folder, monkeypatch, capsys):
    words = "--networks", f"a={folder / 'both.keras'}", "--tests", f"coco:{folder / 'coco'}"
    for option, value in (("--oks-threshold", 2), ("--blur-sigma", -1), ("--box-threshold", "nan")):
        with pytest.raises(UsageError, match=option):
            run_here(monkeypatch, capsys, *words, option, value)


def test_a_table_has_a_line_for_each_network_and_detector():
    cells = [
        matrix.Cell("a", "gt", "x", {"AP": 0.5}, None, 1),
        matrix.Cell("a", "ssd", "x", {"AP": 0.25}, 0.625, 1),
        matrix.Cell("a", "gt", "yy", {"AP": None}, None, 1),
    ]
    assert matrix.to_text(cells).splitlines() == [
        "network  boxes  x                  yy",
        "a        gt     50.0               none",
        "a        ssd    25.0 (boxes 62.5)  -",
    ]


def test_words_must_name_files(folder):
    named_files = runpy.run_path(str(SCRIPT))["named_files"]
    good = f"a={folder / 'coco.keras'}"
    assert named_files([good], "networks") == {"a": folder / "coco.keras"}
    for words in ([good, good], ["a"], ["=b"], ["a=nowhere"]):
        with pytest.raises(UsageError, match="--networks"):
            named_files(words, "networks")
