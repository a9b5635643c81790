"""The steps of an epoch: batch, train step, check, checkpoint."""

import json
import math
import time
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from posekit.atomic_files import write_file
from posekit.loop.distribution import on_chief, worker_position
from posekit.loop.loop_state import Loop
from posekit.loop.resuming import save_progress


class TrainingDiverged(ArithmeticError):
    """A loss or a gradient is not finite; the weights are those before that batch."""

    exit_code = 1


def train_epoch(loop: Loop, batches: Iterator) -> None:
    """Trains to the end of the epoch that the run is in.

    Raises:
        TrainingDiverged: a loss or gradient is not finite; nothing of that batch is kept.
        SystemExit: after a signal, once a checkpoint is written.
    """
    progress = loop.progress
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
