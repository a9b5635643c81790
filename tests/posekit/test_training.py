import csv
import json
import resource
import runpy
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from posekit.batches import sample_indices, worker_draws
from posekit.checkpoints import save_keras
from posekit.runs import RunError
from posekit.training import TrainingDiverged, fit

TINY = types.SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("tiny_training.py"))))
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
    options = {"load": line_load, "losses": line_losses} | options
    history = fit(
        model,
        num_examples=4,
        batch_size=4,
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
        optimizer=optimizer or keras.optimizers.SGD(0.01),
        run_dir=run_dir,
        **options,
    )
    return history, float(layer.kernel.numpy()[0, 0])


def test_order_of_samples_is_a_function_of_their_number():
    np.testing.assert_array_equal(sample_indices(0, 5, 5, seed=0), [2, 4, 3, 0, 1])
    np.testing.assert_array_equal(sample_indices(3, 4, 5, seed=0), [0, 1, 1, 4])
    assert sample_indices(3, 0, 5, seed=0).shape == (0,)
    whole = sample_indices(0, 35, 7, seed=3)
    np.testing.assert_array_equal(np.sort(whole.reshape(5, 7)), [range(7)] * 5)
    np.testing.assert_array_equal(sample_indices(11, 20, 7, seed=3), whole[11:31])
    assert (sample_indices(0, 35, 7, seed=4) != whole).any()


def test_each_worker_has_its_rows_of_each_batch():
    np.testing.assert_array_equal(worker_draws(1, 2, 4, worker=0, workers=2), [4, 5, 8, 9])
    np.testing.assert_array_equal(worker_draws(1, 2, 4, worker=1, workers=2), [6, 7, 10, 11])
    np.testing.assert_array_equal(worker_draws(1, 2, 4, worker=0, workers=1), range(4, 12))


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
    assert history["lr"] == pytest.approx([0.01, 0.01, 0.001, 0.0001, 0.0001])
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
    assert history["lr"] == pytest.approx([0.01, 0.01, 0.01, 0.001, 0.001])
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
    options = dict(epochs=6, ema=0.9, clip_norm=1.0, checkpoint_every=2, learning_rate=0.02)
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


def test_more_epochs_continue_and_another_batch_size_is_refused(tmp_path, capsys):
    fit_line(tmp_path, epochs=2)
    history, _ = fit_line(tmp_path, epochs=3)
    assert history["epoch"] == [1, 2, 3]
    assert "fit.epochs: 2 -> 3" in capsys.readouterr().err
    with pytest.raises(RunError, match="fit.steps_per_epoch: 1 -> 2"):
        fit_line(tmp_path, epochs=3, steps_per_epoch=2)
    with pytest.raises(RunError, match="recipe.rate: None -> 1"):
        fit_line(tmp_path, epochs=3, recipe={"rate": 1})


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
