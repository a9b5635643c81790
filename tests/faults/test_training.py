"""Trainings that diverge, are stopped, or get no input (T1, T5, T9)."""

import json
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from training_scripts import (
    changed_fit,
    rows,
    run_dir,
    run_here,
    start,
    start_held,
    wait_for,
    words_of,
)

from posekit.checkpoints import read_newest_checkpoint


@pytest.fixture(scope="module")
def keypoint_run(tmp_path_factory):
    """A finished keypoint run, which the detector needs."""
    folder = tmp_path_factory.mktemp("keypoint")
    assert run_here("keypoint", folder, "--epochs", 1) == 0
    return run_dir(folder)


def spoiling(kind):
    """Change for `changed_fit`: the losses of the third step become NaN or inf, or only the slope.

    Batches have four samples, so those of the third step are numbers 8 to 11.
    """

    def change(arguments):
        load, losses = arguments["load"], arguments["losses"]

        def spoiled_load(indices, draws):
            spoiled = tf.data.Dataset.from_tensor_slices((draws // 4 == 2).astype(np.float32))
            return tf.data.Dataset.zip(load(indices, draws), spoiled).map(
                lambda sample, mark: (sample[0], sample[1] | {"spoiled": mark}, sample[2])
            )

        def spoiled_losses(outputs, targets, weights):
            mark = targets["spoiled"]
            terms = losses(outputs, targets, weights)
            size = tf.reduce_mean(tf.abs(tf.nest.flatten(outputs)[0]))
            if kind == "gradient":  # the root has an infinite slope at 0
                return terms | {"root": tf.sqrt(size * (1 - mark))}
            return {name: term + tf.where(mark > 0, float(kind), 0) for name, term in terms.items()}

        arguments |= {"load": spoiled_load, "losses": spoiled_losses}

    return change


@pytest.mark.parametrize(
    ("training", "kind"),
    [("prn", "nan"), ("prn", "inf"), ("prn", "gradient")]
    + [pytest.param(name, "nan", marks=pytest.mark.slow) for name in ("keypoint", "topdown", "ssd")]
    + [pytest.param("detector", "nan", marks=pytest.mark.slow)],
)
def test_t1_divergence_stops_and_keeps_the_last_good_checkpoint(
    tmp_path, capsys, training, kind, request
):
    words = [training, tmp_path, "--epochs", 2]
    if training == "detector":
        words += ["--keypoint-run", request.getfixturevalue("keypoint_run") / "best.keras"]
    with changed_fit(spoiling(kind)):
        assert run_here(*words) == 1
    assert "expected finite losses and gradients" in capsys.readouterr().err
    report = json.loads((run_dir(tmp_path) / "diverged.json").read_text())
    assert (report["epoch"], report["step"], len(report["image_ids"])) == (2, 3, 4)
    assert np.isfinite(float(report["terms"]["loss"])) == (kind == "gradient")
    arrays, state = read_newest_checkpoint(run_dir(tmp_path) / "checkpoints")
    assert state["progress"]["step"] == 2 and len(rows(tmp_path)) == 1
    assert all(np.isfinite(array).all() for array in arrays.values())
    if (training, kind) == ("prn", "nan"):
        assert run_here(*words) == 0  # without the fault it goes on
        assert len(rows(tmp_path)) == 2


@pytest.mark.parametrize(
    ("training", "epochs", "number", "code"),
    [
        ("prn", 12, signal.SIGTERM, 143),
        pytest.param("prn", 12, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param("keypoint", 4, signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_t5_a_signal_saves_and_the_rest_continues(tmp_path, capsys, training, epochs, number, code):
    words, log = (training, tmp_path, "--epochs", epochs), tmp_path / "log.txt"
    process = start_held(2, words_of(*words), log)
    wait_for(lambda: len(rows(tmp_path)) > 0, process, log)
    process.send_signal(number)
    assert process.wait(timeout=300) == code
    step = read_newest_checkpoint(run_dir(tmp_path) / "checkpoints")[1]["progress"]["step"]
    assert 2 <= step < 2 * epochs and "Traceback" not in log.read_text()
    assert run_here(*words) == 0
    assert f"resuming at step {step}" in capsys.readouterr().err
    assert [row["epoch"] for row in rows(tmp_path)] == [str(n + 1) for n in range(epochs)]


FAULTY_INPUT = """
import runpy, sys, time
from multiposenet.prn_samples import PrnSamples
arrays = PrnSamples.arrays
def faulty(self, indices, draws):
    if 256 in draws:
        FAULT
    return arrays(self, indices, draws)
PrnSamples.arrays = faulty
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script; the sample number 256, of the fifth step, has the fault."""
FAULTS = {
    "hangs": ("time.sleep(1000)", "the input gave no batch for 10 s"),
    "dies": ("raise MemoryError('no room for a picture')", "no room for a picture"),
}


def test_t9_an_input_that_hangs_or_dies_ends_the_training(tmp_path, capsys):
    options = ("--batch-size", 64, "--epochs", 4)
    processes = {}
    for kind, (fault, _) in FAULTS.items():
        folder = tmp_path / kind
        folder.mkdir()
        program = ("-c", FAULTY_INPUT.replace("FAULT", fault))
        limit = ("--input-timeout", 10 if kind == "hangs" else 600)
        words = words_of("prn", folder, *options, *limit)
        processes[kind] = start((*program, *words), folder / "log.txt")
    for kind, process in processes.items():
        folder = tmp_path / kind
        assert process.wait(timeout=300) == 1, (folder / "log.txt").read_text()[-3000:]
        assert FAULTS[kind][1] in (folder / "log.txt").read_text()
        assert [row["step"] for row in rows(folder)] == ["2", "4"]
    assert run_here("prn", folder, *options) == 0
    assert "resuming at step 4" in capsys.readouterr().err and len(rows(folder)) == 4


@pytest.mark.slow
def test_t5_a_signal_is_heard_while_the_input_hangs(tmp_path):
    """No handler of Python's runs then; the input would be given 600 seconds."""
    log = tmp_path / "log.txt"
    program = ("-c", FAULTY_INPUT.replace("FAULT", FAULTS["hangs"][0]))
    words = words_of("prn", tmp_path, "--batch-size", 64, "--epochs", 4)
    process = start((*program, *words), log)
    wait_for(lambda: len(rows(tmp_path)) == 2, process, log)
    time.sleep(1)  # then it surely stands in the input; if not, the test holds nevertheless
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=300) == 143
    assert "the input gave no batch; a checkpoint is written" in log.read_text()
    names = sorted(path.name for path in (run_dir(tmp_path) / "checkpoints").iterdir())
    assert names == ["000001-step-2", "000002-step-4", "000003-step-4"]
    assert read_newest_checkpoint(run_dir(tmp_path) / "checkpoints")[1]["progress"]["epoch"] == 2
