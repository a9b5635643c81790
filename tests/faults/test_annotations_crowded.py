"""Images with more than a thousand people: memory and time stay bounded."""

import json
import os
import subprocess
import sys

import pytest
from many_people import TASKS
from script_runs import ROOT

MOST = 2000
"""MB of a whole process, of which TensorFlow alone takes 570."""
SLOW = ("topdown", "grouping", "prn_evaluation")
GROWTH = {"prn_evaluation": 16, "evaluations": 16}
"""Pairs of people are compared there; elsewhere four times the people are four times the work."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in TASKS],
)
def test_a10_1200_people_in_an_image_are_bounded(name, tmp_path):
    program = ROOT / "tests/support/many_people.py"
    folders = os.pathsep.join([str(ROOT), str(ROOT / "tests/support")])
    done = subprocess.run(
        [sys.executable, program, tmp_path, name],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": folders, "CUDA_VISIBLE_DEVICES": ""},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report, most = done.stdout.splitlines()[-2:]
    few, many = json.loads(report)["steps"]
    assert int(most) < MOST
    assert many < 1.25 * GROWTH.get(name, 4) * few
