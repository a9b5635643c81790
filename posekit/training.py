"""The one training loop: any number of devices and machines, resumable at every step."""

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from posekit.atomic_files import write_file
from posekit.batches import InputWatchdog, training_batches
from posekit.callback_state import callback_settings
from posekit.distribution import is_chief, on_chief, worker_position
from posekit.epoch_end import close_epoch
from posekit.interruption import StopSignals
from posekit.logs import RunLog
from posekit.loop_state import Loop
from posekit.resuming import resume, save_progress
from posekit.runs import opened_run, plain_settings
from posekit.train_step import make_train_step, prepare_optimizer

LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError)


class WorkerLost(RuntimeError):
    """Another worker process died; this one cannot go on without it."""


class TrainingDiverged(ArithmeticError):
    """A loss or a gradient is not finite; the weights are those before that batch."""

    exit_code = 1


def fit(
    model: keras.Model,
    losses: Callable,
    load: Callable,
    *,
    num_examples: int,
    batch_size: int,
    epochs: int,
    optimizer: keras.optimizers.Optimizer,
    run_dir: Path | str,
    steps_per_epoch: int | None = None,
    seed: int = 0,
    validate: Callable | None = None,
    validate_every: int = 1,
    monitor: str = "loss",
    mode: str = "min",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    clip_norm: float | None = None,
    ema: float | None = None,
    pictures: Callable | None = None,
    saved_model: keras.Model | None = None,
    strategy: tf.distribute.Strategy | None = None,
    recipe: object = None,
    may_change: Sequence[str] = ("epochs",),
    checkpoint_every: int | None = None,
    deterministic: bool = False,
    input_timeout: float | None = 600.0,
) -> dict[str, list[float]]:
    """Trains a model, or continues where the run folder's newest checkpoint stands.

    Args:
        model: made inside `strategy.scope()`; called with a batch's images.
        losses: (outputs, targets, weights) -> dict name -> (B,) tensor, one number per example.
            Their sum, averaged over the global batch, is minimized.
        load: (indices (M,) int64, draws (M,) int64) -> tf.data.Dataset of M single samples (image,
            targets dict with "image_id", weights dict) in that order; `draws` are sample numbers
            counted from the start of training, the seeds of random augmentation.
        num_examples: size of the training set.
        batch_size: global; a multiple of the number of replicas.
        epochs: in all, those of earlier calls included; may be raised on resume.
        optimizer: made inside `strategy.scope()`; its learning rate may be a Keras schedule.
        run_dir: gets recipe.json, log.csv, tensorboard/, pictures/, checkpoints/, last.keras and
            best.keras.
        steps_per_epoch: num_examples // batch_size if None, at least 1.
        seed: of the order of the data.
        validate: model -> dict name -> float; called on the chief at the end of an epoch. It calls
            model(images, training=False), alone or in a tf.function; with several workers,
            model.predict would wait for the others.
        validate_every: epochs between validations; the last epoch is always validated.
        monitor: column of log.csv that decides about best.keras.
        mode: "min" or "max": what is better.
        callbacks: Keras callbacks; they run on every worker. model.stop_training is read at the
            end of each epoch.
        clip_norm: limit of the global norm of the gradient of the whole batch.
        ema: momentum of an exponential moving average of the weights; validation, pictures,
            last.keras and best.keras then use the average.
        pictures: model -> dict name -> (H, W, 3) uint8 RGB; called after validate.
        saved_model: what last.keras and best.keras hold; `model` if None. May share its layers.
        strategy: from `make_strategy`; TensorFlow's default if None.
        recipe: dataclass or dict for recipe.json; compared on resume.
        may_change: names in it that may differ on resume.
        checkpoint_every: steps between checkpoints within an epoch; there is one at each end.
        deterministic: makes TensorFlow's operations deterministic, for the whole process.
        input_timeout: seconds without a batch after which the process ends with exit code 1.

    Returns:
        Column of log.csv -> one number per epoch, from the first epoch on.

    Raises:
        ValueError: arguments that do not fit together; RunError, CheckpointError among them.
        TrainingDiverged: a loss or gradient is not finite; nothing of that batch is kept.
        WorkerLost: another worker died.
        SystemExit: 143 or 130 after SIGTERM or SIGINT, once a checkpoint is written.
    """
    strategy = strategy or tf.distribute.get_strategy()
    steps = steps_per_epoch or max(1, num_examples // batch_size)
    _check_arguments(batch_size, epochs, mode, strategy.num_replicas_in_sync)
    order = dict(num_examples=num_examples, batch_size=batch_size, seed=seed, steps_per_epoch=steps)
    rules = dict(epochs=epochs, clip_norm=clip_norm, ema=ema, monitor=monitor, mode=mode)
    settings = plain_settings({"recipe": recipe or {}, "fit": {**order, **rules}})
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    optimizer = prepare_optimizer(model, optimizer, strategy, ema)
    loop = Loop(
        model=model,
        saved_model=saved_model or model,
        optimizer=optimizer,
        callbacks=keras.callbacks.CallbackList(
            list(callbacks), model=model, epochs=epochs, steps=steps, verbose=0
        ),
        strategy=strategy,
        train_step=make_train_step(model, losses, optimizer, strategy, batch_size, clip_norm),
        validate=validate,
        pictures=pictures,
        run_dir=Path(run_dir),
        log=RunLog(Path(run_dir) if is_chief(strategy) else None, epochs),
        signals=StopSignals(),
        watchdog=InputWatchdog(input_timeout),
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        validate_every=validate_every,
        checkpoint_every=checkpoint_every,
        monitor=monitor,
        mode=mode,
        ema=ema,
    )
    with _running(loop, opened_run(run_dir, settings, may_change)):
        _run(loop, load, order)
    return _history(loop.progress.rows)


def _check_arguments(batch_size: int, epochs: int, mode: str, replicas: int) -> None:
    if batch_size < 1 or batch_size % replicas:
        raise ValueError(
            f"expected a global batch_size that {replicas} replicas can share equally, received "
            f"{batch_size}; use a multiple of {replicas}"
        )
    if epochs < 1 or mode not in ("min", "max"):
        raise ValueError(f"expected epochs >= 1 and mode min or max, received {epochs}, {mode!r}")


def _run(loop: Loop, load: Callable, order: dict) -> None:
    loop.model.stop_training = False
    loop.callbacks.on_train_begin()
    loop.callback_settings = callback_settings(loop.callbacks.callbacks)
    resume(loop)
    progress = loop.progress
    batches = training_batches(
        load,
        loop.strategy,
        first_step=progress.step,
        last_step=loop.epochs * loop.steps,
        **order,
    )
    while progress.epoch < loop.epochs and not progress.stopped:
        _train_epoch(loop, batches)
        close_epoch(loop)
    loop.callbacks.on_train_end()


def _train_epoch(loop: Loop, batches: Iterator) -> None:
    progress = loop.progress
    done = progress.step - progress.epoch * loop.steps
    if done == 0:
        loop.callbacks.on_epoch_begin(progress.epoch)
    loop.log.start_epoch(progress.epoch + 1, loop.steps, done)
    for number in range(done, loop.steps):
        started = time.monotonic()
        loop.callbacks.on_train_batch_begin(number)
        with loop.watchdog.waiting():
            batch = next(batches)
        terms, stop = _train_batch(loop, batch)
        progress.seconds += time.monotonic() - started
        loop.callbacks.on_train_batch_end(number, terms)
        loop.log.advance(terms["loss"])
        due = loop.checkpoint_every and progress.step % loop.checkpoint_every == 0
        if stop or (due and number + 1 < loop.steps):
            save_progress(loop)
        if stop:
            raise SystemExit(loop.signals.exit_code)
    loop.log.end_epoch()


def _train_batch(loop: Loop, batch) -> tuple[dict[str, float], bool]:
    stop = tf.constant(float(bool(loop.signals.received)))
    terms, gradients, stop = loop.train_step(batch, stop)
    terms = {name: float(value) for name, value in terms.items()}
    terms = {"loss": sum(terms.values())} | terms
    _check_finite(loop, batch, terms, float(gradients))
    progress = loop.progress
    progress.step += 1
    for name, value in terms.items():
        progress.sums[name] = progress.sums.get(name, 0.0) + value
    return terms, float(stop) > 0


def _check_finite(loop: Loop, batch, terms: dict[str, float], gradients: float) -> None:
    scale = getattr(loop.optimizer, "dynamic_scale", None)
    retried = scale is not None and scale.numpy() >= 1.0  # float16: a smaller scale may do
    if math.isfinite(terms["loss"]) and (math.isfinite(gradients) or retried):
        return
    ids = batch[1].get("image_id")
    ids = [] if ids is None else np.ravel(loop.strategy.gather(ids, axis=0).numpy()).tolist()
    where = dict(epoch=loop.progress.epoch + 1, step=loop.progress.step + 1)
    shown = {name: f"{value:.6g}" for name, value in terms.items()}
    report = {**where, "terms": shown, "gradients": f"{gradients:g}", "image_ids": ids}
    path = loop.run_dir / "diverged.json"
    on_chief(loop.strategy, lambda: write_file(path, json.dumps(report, indent=1) + "\n"))
    raise TrainingDiverged(
        f"expected finite losses and gradients, received {shown} at step {where['step']} (epoch "
        f"{where['epoch']}); images {ids}. Look at these images (diverged.json has the list), "
        "lower the learning rate or set clip_norm; the last checkpoint is untouched"
    )


@contextlib.contextmanager
def _running(loop: Loop, run: contextlib.AbstractContextManager) -> Iterator[None]:
    """Opens what the run holds, and lets callbacks find model.optimizer, as in Keras' own fit."""
    before = getattr(loop.model, "optimizer", None)
    with contextlib.ExitStack() as stack:
        on_chief(loop.strategy, lambda: str(stack.enter_context(run)))
        for part in (loop.log, loop.signals, loop.watchdog):
            stack.enter_context(part)
        loop.model.optimizer = loop.optimizer
        try:
            yield
        except LOST as error:
            if worker_position(loop.strategy)[1] == 1:
                raise
            raise WorkerLost(
                "expected every worker to keep running, but one has gone; its own output may say "
                "why. Start all workers again with the same commands: training goes on from the "
                f"last checkpoint ({' '.join(str(error).split())[:400]})"
            ) from error
        finally:
            loop.model.optimizer = before


def _history(rows: list[dict]) -> dict[str, list[float]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, math.nan) for row in rows] for name in names}
