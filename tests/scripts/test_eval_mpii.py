import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from script_runs import help_at_once

ROOT = Path(__file__).parents[2]


def run(*words):
    command = [sys.executable, ROOT / "scripts" / "eval_mpii.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


@pytest.fixture
def truth(tmp_path):
    """Two people, pixels from 1."""
    with h5py.File(tmp_path / "annot_valid.h5", "w") as file:
        file["part"] = np.full((2, 16, 2), 21.0)
        file["normalize"] = np.array([10.0, 10.0])
    return tmp_path / "annot_valid.h5"


def predictions(truth, values):
    np.savez(truth.parent / "preds.npz", preds=values)
    return "--annotations", truth, "--results", truth.parent / "preds.npz"


def test_help_answers_at_once():
    said = help_at_once("eval_mpii")
    for word in ("--annotations", "--results", "--origin", "--json"):
        assert word in said


def test_truth_as_predictions(truth):
    done = run(*predictions(truth, np.full((2, 16, 2), 20.0)), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["pckh"]["0.1"]["mean"] == 100 and report["protocol"]["origin"] == 0
    shifted = run(*predictions(truth, np.full((2, 16, 2), 21.0)), "--origin", 1, "--json")
    assert json.loads(shifted.stdout)["pckh"] == report["pckh"]


def test_table_and_warning(truth):
    values = np.full((2, 16, 2), 20.0)
    values[0, 0] = np.nan
    done = run(*predictions(truth, values))
    assert done.returncode == 0 and "Plain mean" in done.stdout
    assert "0.5      100.00" in done.stdout and "75.00" in done.stdout
    assert done.stderr == "warning: keypoints not predicted, counted as wrong: 1\n"


def test_unlike_counts_and_missing_files_end_with_code_2(truth):
    done = run(*predictions(truth, np.zeros((3, 16, 2))))
    assert done.returncode == 2 and "expected 2 people" in done.stderr
    assert "Traceback" not in done.stderr
    assert run().returncode == run("--annotations", truth).returncode == 2
    done = run("--annotations", truth, "--results", "nothing.mat")
    assert done.returncode == 2 and "--results" in done.stderr


def test_the_form_with_a_model_needs_data(truth):
    done = run("none.keras", "--data", truth.parent)
    assert done.returncode == 2 and "MODEL: expected a path that is there" in done.stderr
    done = run(truth, "--data", truth.parent, "--results", truth)
    assert done.returncode == 2 and "received options of both" in done.stderr
    done = run(truth, "--data", truth.parent)
    assert done.returncode == 2 and "annot" in done.stderr and "Traceback" not in done.stderr
