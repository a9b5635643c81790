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
from topdown.evaluation import evaluate_keypoints
from topdown.prediction import TopDownPredictor

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
