"""Faults in the last moments of an epoch, and words that no training can follow (T1 to T7)."""

import json
import os
import resource
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_scripts import changed_fit, contents, rows, run_dir, run_here

from posekit.checkpoints import read_newest_checkpoint
from posekit.datasets.synthetic import write_coco
from posekit.loop import epoch_end
from posekit.loop.logs import RunLog


@pytest.mark.parametrize("moment", ["save_keras", "save_progress"])
def test_t5_a_signal_in_the_last_moments_is_not_lost(tmp_path, monkeypatch, moment):
    """The last validation is over, no step is left that would find it; an evaluation follows."""
    words, original, calls = ("prn", tmp_path, "--epochs", 1), getattr(epoch_end, moment), []

    def struck(*given):
        original(*given)
        calls.append(given)
        if len(calls) == 1:  # a second signal acts as usual
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(epoch_end, moment, struck)
        assert run_here(*words) == 143
    assert not (run_dir(tmp_path) / "metrics.json").exists() and len(rows(tmp_path)) == 1
    assert read_newest_checkpoint(run_dir(tmp_path) / "checkpoints")[1]["progress"]["epoch"] == 1
    assert run_here(*words) == 0 and (run_dir(tmp_path) / "metrics.json").exists()


class Overflow(keras.callbacks.Callback):
    """What a huge rate does: behind a finite gradient, one weight is infinite."""

    def __init__(self, step):
        super().__init__()
        self._step = step

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations.numpy() == self._step:
            self.model.weights[0].assign(tf.fill(self.model.weights[0].shape, np.inf))


@pytest.mark.parametrize(("step", "last"), [(4, 3), (3, 2)])  # end of epoch 2, and its middle
def test_t1_weights_that_overflow_are_not_saved(tmp_path, capsys, step, last):
    words = ("prn", tmp_path, "--checkpoint-steps", 1)
    saved = {}

    def change(arguments):
        validate = arguments["validate"]

        def remembering(model):
            saved.update(contents(run_dir(tmp_path)))
            return validate(model)

        arguments |= {"callbacks": [Overflow(step)], "validate": remembering}

    with changed_fit(change):
        assert run_here(*words, "--epochs", 2) == 1
    said = capsys.readouterr().err
    assert f"expected finite weights after step {step}, received NaN or infinity in" in said
    assert '"weights"' in (run_dir(tmp_path) / "diverged.json").read_text()
    arrays, state = read_newest_checkpoint(run_dir(tmp_path) / "checkpoints")
    assert state["progress"]["step"] == last and len(rows(tmp_path)) == 1
    assert all(np.isfinite(array).all() for array in arrays.values())
    for name in ("last.keras", "best.keras"):  # those of the first epoch, which can be loaded
        assert keras.saving.load_model(run_dir(tmp_path) / name)


def test_t2_a_full_disk_under_tensorboard_is_said_in_a_line(tmp_path, capsys, monkeypatch):
    original, calls = RunLog.write_row, []
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(log, row):
        calls.append(row)
        if len(calls) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
        original(log, row)

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "write_row", full)
        try:
            code = run_here("prn", tmp_path, "--epochs", 3)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1 and len(rows(tmp_path)) == 2
    said = capsys.readouterr().err
    assert "could not write tensorboard/: " in said and "File too large; what was" in said
    assert run_here("prn", tmp_path, "--epochs", 3) == 0 and len(rows(tmp_path)) == 3


def test_t7_numbers_that_no_training_can_have_are_refused_at_once(tmp_path, capsys):
    for words in (("--epochs", 0), ("--validate-every", 0), ("--learning-rate", "nan")):
        assert run_here("prn", tmp_path, *words) == 2
        assert f"{words[0]}: expected" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


TRAININGS = [
    "keypoint",
    pytest.param("ssd", marks=pytest.mark.slow),
    pytest.param("topdown", marks=pytest.mark.slow),
]


def data_words(training, folder):
    """A COCO folder of a train and a val split, and the words that name it."""
    for split, count in (("train", 8), ("val", 3)):
        write_coco(folder, split, count, size=(64, 85), seed=0, people=(1, 2), workers=0)
    return ("--datasets", f"coco:{folder}") if training == "topdown" else ("--data", folder)


@pytest.mark.parametrize("training", TRAININGS)
def test_i3_held_out_pictures_that_vanish_after_a_training_change_no_figures(
    tmp_path, capsys, training
):
    data, output = tmp_path / "data", tmp_path / "output"
    words = (training, output, *data_words(training, data), "--epochs", 1)
    assert run_here(*words) == 0
    figures = (run_dir(output) / "metrics.json").read_bytes()
    gone, *_ = (data / "val").iterdir()
    gone.unlink()
    capsys.readouterr()
    assert run_here(*words) == 3
    assert "1 of 3 images are damaged" in capsys.readouterr().err
    assert gone.name in (run_dir(output) / "rejected-val.jsonl").read_text()
    assert (run_dir(output) / "metrics.json").read_bytes() == figures


@pytest.mark.parametrize("training", TRAININGS)
def test_a1_a_held_out_split_without_images_is_refused(tmp_path, capsys, training):
    data, output = tmp_path / "data", tmp_path / "output"
    words = (training, output, *data_words(training, data), "--epochs", 1)
    path = data / "annotations" / "person_keypoints_val.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"images": [], "annotations": []}))
    assert run_here(*words) == 2
    assert "expected held-out images in" in capsys.readouterr().err
    assert not list(output.rglob("*.keras"))
