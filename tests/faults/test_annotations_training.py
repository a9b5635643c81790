"""Trainings on annotations that leave a network little or nothing to learn from."""

import csv

import keras
import numpy as np
import pytest
from annotation_files import coco_person, coco_truth, write_coco
from script_runs import run_script
from training_scripts import TINY, run_dir, words_of

from multiposenet.keypoint_subnet import keypoint_model
from posekit.resnet import resnet
from posekit.strict_json import read_json

BARE = {"keypoints": [0] * 51, "num_keypoints": 0}
FAULTS = {
    "nobody": [],
    "only-crowd": [{"iscrowd": 1} | BARE],
    "no-keypoints": [BARE],
}
LEARNS = {
    # training: from which of the faults alone it learns; all is background to the detector
    "keypoint": (),
    "detector": ("nobody", "only-crowd", "no-keypoints"),
    "prn": (),
    "topdown": (),
    "ssd": ("no-keypoints",),
}
COUNTED = {
    # of the seven images of "mixed", with five people
    "keypoint": "1 training images",
    "detector": "7 training images",
    "prn": "1 of 5 people to train on",
    "topdown": "1 people",
    "ssd": "3 training images",
}


def write(root, fault):
    """Six images of one fault; or two of each and one with a whole person."""
    names = [fault] * 6 if fault in FAULTS else [*FAULTS, *FAULTS, "whole"]
    fields = FAULTS | {"whole": [{}]}
    people = [(i, more) for i, name in enumerate(names, 1) for more in fields[name]]
    people = [coco_person(n, i, **more) for n, (i, more) in enumerate(people, 1)]
    for split in ("train", "val"):
        write_coco(root, coco_truth(people, len(names)), split, pictures=True)


def train(training, root):
    """Three steps; returns how the script ended."""
    words = ["--data", root, "--epochs", 1, "--epoch-steps", 3, "--batch-size", 2]
    if training == "detector":
        keypoint_model(resnet(18, width=8), 17, fpn_depth=8, depth=4)[1].save(root / "k.keras")
        words += ["--keypoint-run", root / "k.keras"]
    script, *given = words_of(training, root / "runs", *words)
    return run_script(script.split("/")[1].removesuffix(".py"), *given)


def check_learnt(run_dir):
    """The loop stops where a loss or gradient of a step is not finite, so here none was."""
    (row,) = csv.DictReader((run_dir / "log.csv").open())
    figures = {name: float(value) for name, value in row.items() if value}
    assert all(map(np.isfinite, figures.values())) and figures["step"] == 3, figures
    model = keras.saving.load_model(run_dir / "last.keras", compile=False)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def is_slow(training, fault):
    return training != "prn" and (fault == "mixed" or fault in LEARNS[training])


CASES = [
    pytest.param(training, fault, marks=[pytest.mark.slow] if is_slow(training, fault) else [])
    for training in TINY
    for fault in (*FAULTS, "mixed")
]


@pytest.mark.parametrize(("training", "fault"), CASES)
def test_a1_people_without_keypoints_crowds_and_nobody(training, fault, tmp_path):
    write(tmp_path, fault)
    done = train(training, tmp_path)
    if fault == "mixed" or fault in LEARNS[training]:
        assert done.code == 0, done.err
        check_learnt(run_dir(tmp_path / "runs"))
        read_json(run_dir(tmp_path / "runs") / "metrics.json")  # finds no NaN in it
        assert fault != "mixed" or COUNTED[training] in done.err
        return
    assert done.code == 2 and "expected people" in done.err and "Traceback" not in done.err
    assert not list(tmp_path.glob("runs/tiny/*.keras"))
