import csv
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from posekit.checkpoints import (
    CheckpointError,
    read_newest_checkpoint,
    save_keras,
    write_checkpoint,
)
from posekit.commands import UsageError
from posekit.loop.batches import sample_indices
from posekit.loop.distribution import ChiefFailed
from posekit.loop.divergence import TrainingDiverged
from posekit.loop.runs import RunError
from posekit.training import WorkerLost, fit

TINY_SCRIPT = Path(__file__).parent / "loop" / "tiny_training.py"
TINY = types.SimpleNamespace(**runpy.run_path(str(TINY_SCRIPT)))
X = np.array([[1.0], [2.0], [3.0], [4.0]], np.float32)


def line_load(indices, draws):
    targets = {"y": 2 * X[indices], "image_id": indices}
    return tf.data.Dataset.from_tensor_slices((X[indices], targets, {}))


def line_losses(outputs, targets, weights):
    return {"square": tf.square(outputs["y"] - targets["y"])[:, 0]}


def fit_line(run_dir, optimizer=None, steps_per_epoch=1, epochs=1, **options):
    """Fits y = w x to y = 2 x from w = 0: losses 4, 16, 36, 64, mean 30; gradient -30."""
    inputs = keras.Input((1,))
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Model(inputs, {"y": layer(inputs)})
    sizes = {"num_examples": 4, "batch_size": 4}
    options = {"load": line_load, "losses": line_losses} | sizes | options
    history = fit(
        model,
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
        optimizer=optimizer or keras.optimizers.SGD(0.01),
        run_dir=run_dir,
        **options,
    )
    return history, float(layer.kernel.numpy()[0, 0])


def test_one_step_of_gradient_descent(tmp_path):
    history, weight = fit_line(tmp_path / "a")
    assert history["loss"] == [30.0] and history["square"] == [30.0]
    assert weight == pytest.approx(0.3)
    assert fit_line(tmp_path / "b", clip_norm=3.0)[1] == pytest.approx(0.03)
    assert fit_line(tmp_path / "c", clip_norm=40.0)[1] == pytest.approx(0.3)


def test_moving_average_is_validated_and_saved_but_not_trained_on(tmp_path):
    seen = []

    def validate(model):
        seen.append(float(model.layers[-1].kernel.numpy()[0, 0]))
        return {}

    _, weight = fit_line(tmp_path, epochs=3, ema=0.9, validate=validate)
    # w: 0.3, 0.555, 0.77175; the average starts at the first and moves by a tenth.
    assert weight == pytest.approx(0.77175)
    assert seen == pytest.approx([0.3, 0.3255, 0.370125])
    saved = keras.saving.load_model(tmp_path / "best.keras")
    assert float(saved.layers[-1].kernel.numpy()[0, 0]) == pytest.approx(0.370125)


def test_learning_rate_schedules(tmp_path):
    steps = keras.optimizers.schedules.PiecewiseConstantDecay([2, 3], [0.01, 0.001, 0.0001])
    history, _ = fit_line(tmp_path / "a", keras.optimizers.SGD(steps), epochs=5)
    assert history["lr"] == pytest.approx([0.01, 0.01, 0.01, 0.001, 0.0001])  # steps 0 to 4
    by_epoch = keras.callbacks.LearningRateScheduler(lambda epoch, lr: 0.01 / (epoch + 1))
    history, _ = fit_line(tmp_path / "b", callbacks=[by_epoch], epochs=2)
    assert history["lr"] == pytest.approx([0.01, 0.005])


def test_callbacks_lower_the_rate_and_stop(tmp_path):
    values = iter([5.0, 4.0, 6.0, 7.0, 8.0, 9.0])
    plateau = keras.callbacks.ReduceLROnPlateau("error", 0.1, patience=2, mode="min")
    stopping = keras.callbacks.EarlyStopping("error", patience=3, mode="min")
    options = dict(validate=lambda model: {"error": next(values)}, callbacks=[plateau, stopping])
    history, _ = fit_line(tmp_path, epochs=10, monitor="error", **options)
    assert history["error"] == [5.0, 4.0, 6.0, 7.0, 8.0]
    # After epoch 4 the plateau lowers the rate, for epoch 5.
    assert history["lr"] == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.001])
    assert fit_line(tmp_path, epochs=10, monitor="error", **options)[0] == history  # stays stopped


def test_best_is_written_only_when_the_monitor_improves(tmp_path):
    values = iter([1.0, 3.0, 2.0, float("nan")])
    fit_line(
        tmp_path,
        epochs=4,
        validate=lambda model: {"ap": next(values)},
        monitor="ap",
        mode="max",
    )
    best, last = (
        float(keras.saving.load_model(tmp_path / name).layers[-1].kernel.numpy()[0, 0])
        for name in ("best.keras", "last.keras")
    )
    assert best == pytest.approx(0.555) and last > 0.9


def test_full_disk_leaves_the_old_model(tmp_path):
    fit_line(tmp_path)
    inputs = keras.Input((100,))
    model = keras.Model(inputs, keras.layers.Dense(1000)(inputs))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # writing more raises OSError
    try:
        with pytest.raises(OSError):
            save_keras(model, tmp_path / "last.keras")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert keras.saving.load_model(tmp_path / "last.keras").count_params() == 1
    assert not list(tmp_path.glob(".tmp-*"))


def test_log_and_pictures(tmp_path):
    pictures = lambda model: {"peaks": np.full((4, 5, 3), 7, np.uint8)}  # noqa: E731
    validate = lambda model: {"ap": 0.5}  # noqa: E731
    fit_line(tmp_path, epochs=3, validate=validate, validate_every=2, pictures=pictures)
    rows = list(csv.DictReader(open(tmp_path / "log.csv")))
    assert list(rows[0]) == ["epoch", "step", "lr", "loss", "square", "ap"] + [
        "seconds",
        "samples_per_second",
        "resident_mb",
    ]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["ap"] for row in rows] == ["", "0.5", "0.5"]  # every second, and the last
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["peaks-0002.png", "peaks-0003.png"]
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_divergence_names_the_images_and_changes_nothing(tmp_path):
    before = {}

    class Remember(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            before["model"] = TINY.digest(self.model.weights)  # all but the dropout seed
            before["slots"] = TINY.digest(self.model.optimizer.variables)
            before["self"] = self.model

    options = dict(load=TINY.nan_load, callbacks=[Remember()], checkpoint_every=2)
    with pytest.raises(TrainingDiverged, match="at step 3"):
        TINY.train(tmp_path, **options)
    model = before["self"]
    assert TINY.digest(model.weights) == before["model"]
    report = json.loads((tmp_path / "diverged.json").read_text())
    assert report["image_ids"] == (1000 + sample_indices(8, 4, TINY.EXAMPLES, 0)).tolist()
    assert (report["epoch"], report["step"]) == (1, 3) and report["terms"]["square"] == "nan"
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["000001-step-2"]
    with pytest.raises(TrainingDiverged):  # and again from the checkpoint, at the same batch
        TINY.train(tmp_path, **options)


def test_weights_that_overflow_behind_finite_gradients_are_not_saved(tmp_path):
    """A rate of 3e37, from the second step on, times a gradient of 25: infinite."""
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.01, 3e37])
    with pytest.raises(TrainingDiverged, match="finite weights after step 2.*in dense.*kernel"):
        fit_line(tmp_path, keras.optimizers.SGD(rate), epochs=3)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["000001-step-1"]
    assert len(list(csv.DictReader(open(tmp_path / "log.csv")))) == 1
    saved = keras.saving.load_model(tmp_path / "last.keras")
    assert float(saved.layers[-1].kernel.numpy()[0, 0]) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state["progress"].update(newer=1), "of this version, received another"),
        (lambda state: state.pop("progress"), "of this version, received another"),
        (lambda state: state["progress"].update(step=7), "of 1 steps, received step 7 after 1"),
        (lambda state: state["progress"].update(epoch=2), "received step 1 after 2 epochs"),
        (lambda state: state["callbacks"].append({"class": "Plateau"}), "expected the callbacks"),
    ],
)
def test_a_checkpoint_of_another_version_or_run_is_refused_by_name(tmp_path, change, said):
    fit_line(tmp_path)
    arrays, state = read_newest_checkpoint(tmp_path / "checkpoints")
    change(state)
    write_checkpoint(tmp_path / "checkpoints", arrays, state, 1)
    with pytest.raises(CheckpointError, match=said) as caught:
        fit_line(tmp_path, epochs=2)
    assert caught.value.exit_code == 1


def test_float16_skips_a_step_whose_scaled_gradient_overflows(tmp_path):
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.01), initial_scale=3e38, dynamic_growth_steps=10
    )
    _, weight = fit_line(tmp_path, optimizer, steps_per_epoch=8, clip_norm=3.0)
    # 3e38 x 30 overflows; the square in the norm does so until the scale is below 6e17.
    assert weight == 0.0 and optimizer.dynamic_scale.numpy() == pytest.approx(3e38 / 2**8)
    with pytest.raises(TrainingDiverged):
        fit_line(
            tmp_path / "b", load=lambda i, d: line_load(i, d).map(lambda x, t, w: (x / 0, t, w))
        )


class Crash(Exception):
    pass


def crash():
    raise Crash


def test_resumed_run_equals_unbroken_run(tmp_path):
    """Stopped in the middle of epoch 4 after a checkpoint, and again at the end of epoch 5."""
    options = dict(epochs=7, ema=0.9, clip_norm=1.0, checkpoint_every=2, learning_rate=0.02)
    whole, model, optimizer = TINY.train(tmp_path / "whole", **options)
    for step in (17, 21, 26):
        with pytest.raises(Crash):
            TINY.train(tmp_path / "parts", callbacks=[TINY.AtStep(step, crash)], **options)
    parts, model_again, optimizer_again = TINY.train(
        tmp_path / "parts", callbacks=[TINY.AtStep(-1, crash)], **options
    )
    for name in ("step", "loss", "square", "absolute", "error", "lr"):
        assert parts[name] == whole[name], name
    assert len(set(whole["lr"])) > 1  # the plateau callback did something
    assert TINY.digest(model_again.variables) == TINY.digest(model.variables)
    assert TINY.digest(optimizer_again.variables) == TINY.digest(optimizer.variables)


def test_signal_during_validation_is_no_damaged_image_and_repeats_the_validation(tmp_path):
    def kernel(model):
        return {"kernel": float(model.layers[-1].kernel.numpy()[0, 0])}

    def validate_at_a_signal(model):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)  # the handler runs
        except Exception:  # as readers of pictures do
            return {"kernel": 0.0}

    def run(name, validate):
        steps = keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5)
        options = dict(epochs=3, ema=0.9, validate=validate)
        return fit_line(tmp_path / name, keras.optimizers.SGD(steps), **options)

    whole, weight = run("whole", kernel)
    with pytest.raises(SystemExit) as stopped:
        run("parts", validate_at_a_signal)
    assert stopped.value.code == 143
    parts, weight_again = run("parts", kernel)
    assert weight_again == weight
    for name in ("loss", "kernel", "lr"):
        assert parts[name] == whole[name], name
    assert whole["lr"] == pytest.approx([0.01, 0.005, 0.0025])


@pytest.mark.slow
def test_memory_stays_flat(tmp_path):
    command = [sys.executable, str(TINY_SCRIPT), str(tmp_path), json.dumps({"epochs": 30})]
    environment = os.environ | {
        "PYTHONPATH": str(TINY_SCRIPT.parents[3]),
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    memory = json.loads(done.stdout)["history"]["resident_mb"][3:]
    slope = np.polyfit(range(len(memory)), memory, 1)[0]
    assert len(memory) == 27 and slope < 1, memory  # MiB an epoch


def test_more_epochs_continue_and_another_batch_size_is_refused(tmp_path, capsys):
    fit_line(tmp_path, epochs=2)
    history, _ = fit_line(tmp_path, epochs=3)
    assert history["epoch"] == [1, 2, 3]
    assert "fit.epochs: 2 -> 3" in capsys.readouterr().err
    with pytest.raises(RunError, match="fit.steps_per_epoch: 1 -> 2"):
        fit_line(tmp_path, epochs=3, steps_per_epoch=2)
    with pytest.raises(RunError, match="recipe.rate: None -> 1"):
        fit_line(tmp_path, epochs=3, recipe={"rate": 1})


def test_settings_that_do_not_fit_end_with_a_message_and_code_2(tmp_path):
    with pytest.raises(UsageError, match="expected at least 1 training example"):
        fit_line(tmp_path, num_examples=0)
    with pytest.raises(UsageError, match="use a multiple of 1"):
        fit_line(tmp_path, batch_size=0)
    with pytest.raises(UsageError, match="expected seconds without a batch"):
        fit_line(tmp_path, input_timeout=-1.0)
    assert (UsageError.exit_code, WorkerLost.exit_code, ChiefFailed.exit_code) == (2, 1, 1)
    assert not list(tmp_path.iterdir())


def test_mistakes_are_named(tmp_path):
    scalar = lambda *a: {"square": tf.reduce_mean(line_losses(*a)["square"])}  # noqa: E731
    with pytest.raises(ValueError, match=r"expected loss 'square' of shape \(B,\)"):
        fit_line(tmp_path / "a", losses=scalar)
    with pytest.raises(ValueError, match="expected monitor to be one of"):
        fit_line(tmp_path / "b", monitor="los")
    with pytest.raises(ValueError, match="received fewer"):
        fit_line(tmp_path / "c", load=lambda i, d: line_load(i[1:], d[1:]))
    with pytest.raises(ValueError, match="use clip_norm"):
        fit_line(tmp_path / "d", keras.optimizers.SGD(0.1, clipnorm=1.0))
    both = lambda *a: line_losses(*a) | {"loss": line_losses(*a)["square"]}  # noqa: E731
    with pytest.raises(ValueError, match="other names than"):
        fit_line(tmp_path / "f", losses=both)
    with pytest.raises(ValueError, match="rename"):
        fit_line(tmp_path / "e", validate=lambda model: {"loss": 1.0})
