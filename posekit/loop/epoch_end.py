"""The end of an epoch: validation, best and last model, callbacks, checkpoint, log."""

import contextlib
import math
from collections.abc import Iterator

from posekit.checkpoints import save_keras
from posekit.loop.distribution import on_chief
from posekit.loop.divergence import check_weights
from posekit.loop.interruption import StopRequested
from posekit.loop.logs import FIRST, LAST, resident_mb
from posekit.loop.loop_state import Loop
from posekit.loop.resuming import save_progress


def close_epoch(loop: Loop) -> None:
    """Validates, saves and logs; where a signal interrupts it, it is done again on resume.

    Raises:
        SystemExit: after a signal, once a checkpoint is written.
        TrainingDiverged: a weight is not finite; nothing is saved.
        ValueError: `monitor` is no column, or a metric has the name of another column.
    """
    progress = loop.progress
    logs = {name: value / loop.steps for name, value in progress.sums.items()}
    measured = on_chief(loop.strategy, lambda: _measure(loop, logs))
    if measured is None:
        save_progress(loop)
        raise SystemExit(loop.signals.exit_code)
    metrics, progress.best = measured
    logs |= metrics
    loop.callbacks.on_epoch_end(progress.epoch, dict(logs))
    progress.epoch += 1
    progress.stopped = bool(loop.model.stop_training)
    progress.rows.append(_row(loop, logs))
    progress.sums, progress.seconds = {}, 0.0
    save_progress(loop)
    loop.log.write_table(progress.rows)
    loop.log.write_row(progress.rows[-1])


def _measure(loop: Loop, logs: dict[str, float]) -> tuple[dict, float | None] | None:
    """On the chief: metrics and best value, with both .keras files written; None if interrupted."""
    check_weights(loop)
    options, epoch = loop.options, loop.progress.epoch + 1
    due = epoch % options.validate_every == 0 or epoch == options.epochs
    metrics, pictures = {}, {}
    with _averaged_weights(loop):
        try:
            with loop.signals.interruptible():
                if due and options.validate is not None:
                    metrics = {k: float(v) for k, v in options.validate(loop.model).items()}
                if due and options.pictures is not None:
                    pictures = options.pictures(loop.model)
        except StopRequested:
            return None
        loop.log.write_pictures(pictures, epoch, loop.progress.step)
        _check_names(logs, metrics, options.monitor, due)
        value = (logs | metrics).get(options.monitor, math.nan)
        better = _is_better(value, loop.progress.best, options.mode)
        _save_models(loop, ["last.keras", "best.keras"] if better else ["last.keras"])
    return metrics, value if better else loop.progress.best


def _check_names(logs: dict, metrics: dict, monitor: str, due: bool) -> None:
    if clash := {*logs, *FIRST, *LAST}.intersection(metrics):
        raise ValueError(
            "expected validate to use other names than the losses and the columns of log.csv, "
            f"received {sorted(clash)}; rename them"
        )
    if due and monitor not in logs | metrics:
        raise ValueError(
            f"expected monitor to be one of {sorted(logs | metrics)}, received {monitor!r}"
        )


def _is_better(value: float, best: float | None, mode: str) -> bool:
    """NaN is never better."""
    if best is None:
        return not math.isnan(value)
    return value < best if mode == "min" else value > best


def _save_models(loop: Loop, names: list[str]) -> None:
    """Saves without the optimizer, which belongs to checkpoints."""
    optimizer, loop.model.optimizer = loop.model.optimizer, None
    try:
        for name in names:
            save_keras(loop.options.saved_model or loop.model, loop.run_dir / name)
    finally:
        loop.model.optimizer = optimizer


@contextlib.contextmanager
def _averaged_weights(loop: Loop) -> Iterator[None]:
    """Swaps in the moving average of the weights, where there is one."""
    if loop.options.ema is None:
        yield
        return
    variables = loop.model.trainable_variables
    kept = [variable.numpy() for variable in variables]
    loop.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)


def _row(loop: Loop, logs: dict[str, float]) -> dict:
    """One row of log.csv, for the epoch just finished."""
    progress = loop.progress
    rate = loop.steps * loop.options.batch_size / max(progress.seconds, 1e-9)
    return {
        "epoch": progress.epoch,
        "step": progress.step,
        "lr": progress.lr,
        **logs,
        "seconds": round(progress.seconds, 3),
        "samples_per_second": round(rate, 2),
        "resident_mb": resident_mb(),
    }
