import subprocess
import sys
from pathlib import Path

import pytest
from script_runs import help_at_once

ROOT = Path(__file__).parents[2]


def run(*words):
    command = [sys.executable, ROOT / "scripts" / "explain_prn.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def test_help_answers_at_once():
    said = help_at_once("explain_prn")
    assert "--clusters" in said and "--skeleton" in said


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from multiposenet.prn import prn
    from posekit.datasets.synthetic import write_coco
    from posekit.skeletons import Skeleton, save_skeleton

    folder = tmp_path_factory.mktemp("explain")
    prn(17, nodes=9, rank=2).save(folder / "prn.keras")
    prn(2, (8, 6), nodes=4).save(folder / "two.keras")
    save_skeleton(folder / "two.yaml", Skeleton("two", ("a", "b"), ((0, 1),), (0, 1), (0.1, 0.1)))
    write_coco(folder / "data", "val", 4, (64, 64), seed=0, people=(2, 3))
    return folder


def test_outputs_for_people_and_nodes_of_any_skeleton(folder):
    from multiposenet.prn_explanation import explain
    from posekit.images import read_image

    picture = folder / "picture.png"
    done = run(
        *(folder / "prn.keras", "--data", folder / "data", "--clusters", 2, "--picture", picture)
    )
    assert done.returncode == 0, done.stderr
    assert "people of data" in done.stdout and done.stdout.count("%") == 3
    # Two pictures of 36 x 56 cells of 6 pixels, borders of 12, a line of 26, a gap of 4.
    assert read_image(picture).shape == (56 * 6 + 24 + 26, 2 * (36 * 6 + 24) + 4, 3)
    skeleton = {"skeleton": str(folder / "two.yaml"), "data": None, "split": "val", "people": 1}
    text = explain(folder / "two.keras", **skeleton, clusters=3, seed=0, picture=picture)
    assert "4 nodes of the last hidden layer" in text and text.count("%") == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"skeleton": "coco"}, "received 2"),
        ({"clusters": 5}, "--clusters: expected 1 to 4"),
        ({"data": ROOT / "README.md"}, "README.md"),
        ({"data": "data"}, "keypoints of skeleton 'two'"),
    ],
)
def test_wrong_files_and_numbers_are_named(folder, changes, message):
    from multiposenet.prn_explanation import explain

    if changes.get("data") == "data":
        changes = {"data": folder / "data"}
    options = dict(data=None, split="val", people=9, skeleton=str(folder / "two.yaml"), clusters=3)
    options |= dict(seed=0, picture=folder / "p.png") | changes
    with pytest.raises(ValueError, match=message) as caught:
        explain(folder / "two.keras", **options)
    assert caught.value.exit_code == 2 and not (folder / "p.png").exists()


def test_rejected_input_exits_with_two(folder):
    done = run(folder / "prn.keras", "--picture", "nowhere/p.png")
    assert done.returncode == 2 and "nowhere" in done.stderr and not done.stdout
    assert "Traceback" not in done.stderr
