"""The one training loop: any number of devices and machines, resumable at every step."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from posekit.commands import UsageError
from posekit.loop.batches import training_batches
from posekit.loop.callback_state import callback_settings
from posekit.loop.distribution import is_chief, on_chief, worker_position
from posekit.loop.epoch_end import close_epoch
from posekit.loop.interruption import StopSignals
from posekit.loop.logs import RunLog
from posekit.loop.loop_state import Loop
from posekit.loop.resuming import resume
from posekit.loop.runs import opened_run, plain_settings
from posekit.loop.train_epoch import train_epoch
from posekit.loop.train_step import make_train_step, prepare_optimizer
from posekit.loop.watchdog import InputWatchdog

LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError)


class WorkerLost(RuntimeError):
    """Another worker process died; this one cannot go on without it."""

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
    groups: np.ndarray | None = None,
) -> dict[str, list[float]]:
    """Trains a model, or continues where the run folder's newest checkpoint stands.

    With several workers, all start from the chief's variables, whatever the others' were; all get
    the same history, and none waits for another afterwards. The chief may then work on alone, as in
    an evaluation, while the others end: measured for two minutes, with networks loaded and run.
    Only what has to run on all workers, such as model.predict, would wait for those gone.

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
        groups: (num_examples,) number of what each example is cut from, such as its image; those
            of one group come near each other, see `loop.batches.sample_indices`.
        input_timeout: seconds without a batch after which the process ends with exit code 1.

    Returns:
        Column of log.csv -> one number per epoch, from the first epoch on.

    Raises:
        ValueError: arguments that do not fit together; UsageError, RunError and CheckpointError
            among them.
        TrainingDiverged: a loss or gradient is not finite; nothing of that batch is kept.
        WorkerLost: another worker died.
        SystemExit: 143 or 130 after SIGTERM or SIGINT, once a checkpoint is written.
    """
    strategy = strategy or tf.distribute.get_strategy()
    steps = steps_per_epoch or max(1, num_examples // batch_size)
    _check_arguments(num_examples, batch_size, epochs, mode, strategy.num_replicas_in_sync)
    order = dict(num_examples=num_examples, batch_size=batch_size, seed=seed, steps_per_epoch=steps)
    rules = dict(epochs=epochs, clip_norm=clip_norm, ema=ema, monitor=monitor, mode=mode)
    settings = plain_settings({"recipe": recipe or {}, "fit": {**order, **rules}})
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    optimizer = prepare_optimizer(model, optimizer, strategy, ema)
    signals = StopSignals()
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
        signals=signals,
        watchdog=InputWatchdog(input_timeout, signals),
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
        _run(loop, load, {**order, "groups": groups})
    return _history(loop.progress.rows)


def _check_arguments(
    num_examples: int, batch_size: int, epochs: int, mode: str, replicas: int
) -> None:
    if num_examples < 1:
        raise UsageError(
            f"expected at least 1 training example, received {num_examples}; check the folder and "
            "the split of the data"
        )
    if batch_size < 1 or batch_size % replicas:
        raise UsageError(
            f"expected a global batch_size that {replicas} replicas can share equally, received "
            f"{batch_size}; use a multiple of {replicas}"
        )
    if epochs < 1 or mode not in ("min", "max"):
        raise UsageError(f"expected epochs >= 1 and mode min or max, received {epochs}, {mode!r}")


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
        train_epoch(loop, batches)
        close_epoch(loop)
    loop.callbacks.on_train_end()


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
