import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from script_runs import help_at_once

from posekit.datasets.synthetic import write_coco

ROOT = Path(__file__).parents[2]
TINY = (
    *("--filters", 8, "--size", 32, 32, "--epochs", 2, "--epoch-steps", 1, "--batch-size", 4),
    *("--eval-images", 2, "--schedule", "step"),
)


def run(*words, check=True):
    command = [sys.executable, ROOT / "scripts" / "train_topdown.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=check, cwd=ROOT)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("train_topdown", ("demo", "small", "simple-baselines", "mdpn-r50")),
        ("compare_domains", ("--epoch-steps", "--output")),
    ],
)
def test_help_answers_at_once(script, words):
    text = help_at_once(script)
    assert all(word in text for word in words)


def write_hands(root: Path) -> Path:
    """A data set in COCO layout with three keypoints that no person has."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        (root / "annotations").mkdir(parents=True, exist_ok=True)
        (root / split).mkdir()
        images, hands = [], []
        for number in range(1, 4):
            cv2.imwrite(str(root / split / f"{number}.png"), rng.integers(0, 255, (48, 64, 3)))
            images.append({"id": number, "file_name": f"{number}.png", "height": 48, "width": 64})
            hand = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0}
            hand |= {"bbox": [10, 5, 40, 40], "area": 900.0, "num_keypoints": 3}
            hands.append(hand | {"keypoints": [12, 40, 2, 20, 8, 2, 40, 9, 1]})
        names = ["wrist", "left_tip", "right_tip"]
        content = {"images": images, "annotations": hands}
        content["categories"] = [{"id": 1, "name": "hand", "keypoints": names}]
        file = root / "annotations" / f"person_keypoints_{split}.json"
        file.write_text(json.dumps(content))
    return root


def test_people_and_hands_are_two_domains_of_one_network(tmp_path):
    hands = write_hands(tmp_path / "hands")
    for split in ("train", "val"):
        write_coco(tmp_path / "coco", split, 4, (64, 96), people=(2, 2), crowding=0)
    data = ("--datasets", f"coco:{tmp_path / 'coco'}", f"hands=coco:{hands}", "--mix", 3, 1)
    words = ("demo", *data, "--heads", "separate", *TINY, "--output", tmp_path, "--name", "two")
    first = run(*words)
    assert "heads coco (17), hands (3)" in first.stderr
    folder = tmp_path / "two"
    for name in ("recipe.json", "last.keras", "best.keras", "curves.png", "predictions.png"):
        assert (folder / name).stat().st_size > 100
    rows = list(csv.DictReader((folder / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"] and {"coco", "hands"} <= rows[0].keys()
    report = json.loads((folder / "metrics.json").read_text())
    assert report["metrics"].keys() >= {"ap", "ap_coco", "ap_hands", "ap_hands_flip"}
    assert report["protocol"]["images"] == {"coco": 2, "hands": 2}
    again = run(*words)
    assert again.stdout == first.stdout  # nothing left to train; the same figures


def test_wrong_usage_is_named(tmp_path):
    done = run("demo", "--datasets", f"coco:{tmp_path / 'nowhere'}", check=False)
    assert done.returncode == 2 and "nowhere" in done.stderr and "Traceback" not in done.stderr
