"""The steps of an epoch: batch, train step, check, checkpoint."""

import time
from collections.abc import Iterator

import keras
import tensorflow as tf

from posekit.loop.distribution import worker_position
from posekit.loop.divergence import check_step
from posekit.loop.loop_state import Loop
from posekit.loop.resuming import save_progress


def train_epoch(loop: Loop, batches: Iterator) -> None:
    """Trains to the end of the epoch that the run is in.

    Raises:
        TrainingDiverged: a loss or gradient is not finite; nothing of that batch is kept.
        SystemExit: after a signal, once a checkpoint is written.
    """
    progress, every = loop.progress, loop.options.checkpoint_every
    done = progress.step - progress.epoch * loop.steps
    if done == 0:
        loop.callbacks.on_epoch_begin(progress.epoch)
    # Of several workers, one alone cannot save.
    save = (lambda: save_progress(loop)) if worker_position(loop.strategy)[1] == 1 else None
    loop.log.start_epoch(progress.epoch + 1, loop.steps, done)
    for number in range(done, loop.steps):
        started = time.monotonic()
        loop.callbacks.on_train_batch_begin(number)
        if number + 1 == loop.steps:  # a schedule's rate is another one after the step
            progress.lr = float(keras.ops.convert_to_numpy(loop.optimizer.learning_rate))
        with loop.watchdog.waiting(save):
            batch = next(batches)
        terms, stop = _train_batch(loop, batch)
        progress.seconds += time.monotonic() - started
        loop.callbacks.on_train_batch_end(number, terms)
        loop.log.advance(terms["loss"])
        due = every and progress.step % every == 0
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
    check_step(loop, batch, terms, float(gradients))
    progress = loop.progress
    progress.step += 1
    for name, value in terms.items():
        progress.sums[name] = progress.sums.get(name, 0.0) + value
    return terms, float(stop) > 0
