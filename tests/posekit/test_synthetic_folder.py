"""Two processes that want the same drawn folder."""

import subprocess
import sys
import time
from pathlib import Path

from posekit.datasets.coco import load_coco
from posekit.datasets.synthetic_folder import SyntheticFolder, synthetic_folder

# Drawing waits a while in the middle, so that the two surely overlap.
PROGRAM = """
import pathlib, sys, time
from posekit.datasets import synthetic
from posekit.datasets.synthetic_folder import SyntheticFolder, synthetic_folder

write = synthetic._write_image
def slow(*arguments):
    time.sleep(0.3)
    return write(*arguments)
synthetic._write_image = slow
parent = pathlib.Path(sys.argv[1])
parent.joinpath(sys.argv[2]).touch()
while len(list(parent.glob("ready*"))) < 2:
    time.sleep(0.01)
print(synthetic_folder(SyntheticFolder(2, 1), parent, 48, 5))
"""


def test_one_of_two_processes_draws_and_the_other_waits(tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": root}
    both = [subprocess.Popen([*command, f"ready{i}"], **pipes) for i in range(2)]
    outputs = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(text.count("drawing") for _, text in outputs) == [0, 2]  # train and val, once
    folder = Path(outputs[0][0].strip())
    assert outputs[0][0] == outputs[1][0]
    assert [len(load_coco(folder, split)) for split in ("train", "val")] == [2, 1]


def test_a_finished_folder_is_taken_as_it_is(tmp_path):
    folder = synthetic_folder(SyntheticFolder(1, 1), tmp_path, 48, 5)
    pictures = {path: path.stat().st_mtime_ns for path in folder.rglob("*.j*")}
    assert len(pictures) == 4
    time.sleep(0.01)
    next(tmp_path.glob(".*.lock")).unlink()
    assert synthetic_folder(SyntheticFolder(1, 1), tmp_path, 48, 5) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.j*")} == pictures
    assert list(tmp_path.iterdir()) == [folder]
