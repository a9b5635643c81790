"""The one training loop: any number of devices and machines, resumable at every step."""

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import tensorflow as tf

from posekit.loop.batches import training_batches
from posekit.loop.callback_state import callback_settings
from posekit.loop.distribution import is_chief, on_chief, worker_position
from posekit.loop.epoch_end import close_epoch
from posekit.loop.interruption import StopSignals
from posekit.loop.logs import RunLog
from posekit.loop.loop_state import Loop
from posekit.loop.options import FitOptions
from posekit.loop.resuming import resume
from posekit.loop.runs import opened_run
from posekit.loop.train_epoch import train_epoch
from posekit.loop.train_step import make_train_step, prepare_optimizer
from posekit.loop.watchdog import InputWatchdog

LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError)


class WorkerLost(RuntimeError):
    """Another worker process died; this one cannot go on without it."""

    exit_code = 1


def fit(model: keras.Model, losses: Callable, load: Callable, **options) -> dict[str, list[float]]:
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
        options: fields of `posekit.loop.options.FitOptions`, each described there; num_examples,
            batch_size, epochs, optimizer and run_dir must be given.

    Returns:
        Column of log.csv -> one number per epoch, from the first epoch on.

    Raises:
        ValueError: arguments that do not fit together; UsageError, RunError and CheckpointError
            among them.
        TrainingDiverged: a loss, gradient or weight is not finite; nothing of it is kept.
        WriteError: the disk takes no more.
        WorkerLost: another worker died.
        SystemExit: 143 or 130 after SIGTERM or SIGINT, once a checkpoint is written.
    """
    given = FitOptions(**options)
    strategy = given.strategy or tf.distribute.get_strategy()
    given.check(strategy.num_replicas_in_sync)
    if given.deterministic:
        tf.config.experimental.enable_op_determinism()
    loop = _make_loop(model, losses, given, strategy)
    with _running(loop, opened_run(given.run_dir, given.settings(), given.may_change)):
        _run(loop, load)
    if loop.signals.received:  # it came in the last moments, which no step follows
        raise SystemExit(loop.signals.exit_code)
    return _history(loop.progress.rows)


def _make_loop(
    model: keras.Model, losses: Callable, options: FitOptions, strategy: tf.distribute.Strategy
) -> Loop:
    optimizer = prepare_optimizer(model, options.optimizer, strategy, options.ema)
    run_dir, epochs, steps = Path(options.run_dir), options.epochs, options.steps
    signals = StopSignals()
    return Loop(
        model=model,
        options=options,
        run_dir=run_dir,
        steps=steps,
        optimizer=optimizer,
        strategy=strategy,
        train_step=make_train_step(
            model, losses, optimizer, strategy, options.batch_size, options.clip_norm
        ),
        callbacks=keras.callbacks.CallbackList(
            list(options.callbacks), model=model, epochs=epochs, steps=steps, verbose=0
        ),
        log=RunLog(run_dir if is_chief(strategy) else None, epochs),
        signals=signals,
        watchdog=InputWatchdog(options.input_timeout, signals),
    )


def _run(loop: Loop, load: Callable) -> None:
    loop.model.stop_training = False
    loop.callbacks.on_train_begin()
    loop.callback_settings = callback_settings(loop.callbacks.callbacks)
    resume(loop)
    progress, epochs = loop.progress, loop.options.epochs
    batches = training_batches(
        load,
        loop.strategy,
        first_step=progress.step,
        last_step=epochs * loop.steps,
        groups=loop.options.groups,
        **loop.options.order(),
    )
    while progress.epoch < epochs and not progress.stopped:
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
