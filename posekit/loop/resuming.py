"""The loop's state into a checkpoint and back, on every worker."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from posekit.checkpoints import (
    CheckpointError,
    arrays_from_bytes,
    arrays_to_bytes,
    assign_variables,
    read_newest_checkpoint,
    variable_arrays,
    write_checkpoint,
)
from posekit.loop.callback_state import callback_state, restore_callbacks
from posekit.loop.distribution import broadcast, is_chief, on_chief, worker_position
from posekit.loop.divergence import check_weights
from posekit.loop.loop_state import Loop, Progress
from posekit.loop.runs import CHECKPOINTS


def save_progress(loop: Loop) -> None:
    """Writes a checkpoint of everything; all workers call it at the same step.

    Raises:
        WriteError: on the chief, the disk is full; the others raise ChiefFailed.
        TrainingDiverged: likewise, where a weight is not finite.
    """

    def write() -> None:
        check_weights(loop)
        plain, arrays = callback_state(loop.callbacks.callbacks, loop.callback_settings)
        arrays |= variable_arrays(model=loop.model.variables, optimizer=loop.optimizer.variables)
        state = {"progress": dataclasses.asdict(loop.progress), "callbacks": plain}
        write_checkpoint(loop.run_dir / CHECKPOINTS, arrays, state, loop.progress.step)

    on_chief(loop.strategy, write)


def resume(loop: Loop) -> None:
    """Puts the newest whole checkpoint back; without one, all workers start from the chief's state.

    Only the chief reads files; the other workers get their copy from it.

    Raises:
        CheckpointError: all checkpoints are damaged, or the newest whole one belongs to another
            network, optimizer, list of callbacks, length of epochs or version.
    """
    arrays: dict[str, np.ndarray] = {}

    def read() -> dict | None:
        found = read_newest_checkpoint(loop.run_dir / CHECKPOINTS)
        arrays.update(found[0] if found else {})
        return found and found[1]

    groups = dict(model=loop.model.variables, optimizer=loop.optimizer.variables)
    state = on_chief(loop.strategy, read)
    if state is None:
        _share_variables(loop.strategy, groups)
        return
    arrays = arrays_from_bytes(broadcast(loop.strategy, arrays_to_bytes(arrays)))
    loop.progress, callbacks = _progress_of(state, loop.steps)
    if loop.progress.step > loop.progress.epoch * loop.steps:
        loop.callbacks.on_epoch_begin(loop.progress.epoch)  # before its effects are overwritten
    assign_variables(arrays, **groups)
    restore_callbacks(loop.callbacks.callbacks, callbacks, arrays)
    loop.log.write_table(loop.progress.rows)
    loop.log.say(f"resuming at step {loop.progress.step}, epoch {loop.progress.epoch + 1}")


def _progress_of(state: dict, steps: int) -> tuple[Progress, list[dict]]:
    """Returns the progress and the callbacks' state, if they can be those of this run."""
    try:
        progress, callbacks = Progress(**state["progress"]), state["callbacks"]
        fits = 0 <= progress.step - progress.epoch * steps <= steps
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"expected a checkpoint of this version, received another one ({error}); go on with "
            "the version that recipe.json names, or choose another run folder"
        ) from error
    if not fits:
        raise CheckpointError(
            f"expected a checkpoint of epochs of {steps} steps, received step {progress.step} "
            f"after {progress.epoch} epochs; it belongs to another run, choose another run folder"
        )
    return progress, callbacks


def _share_variables(strategy: tf.distribute.Strategy, groups: dict[str, Sequence]) -> None:
    """Gives all workers the chief's variables.

    TensorFlow does so only when a variable is made; files loaded since then may differ, as where
    one worker could not fetch them.
    """
    if worker_position(strategy)[1] == 1:
        return
    own = arrays_to_bytes(variable_arrays(**groups)) if is_chief(strategy) else b""
    content = broadcast(strategy, own)
    if not is_chief(strategy):
        assign_variables(arrays_from_bytes(content), **groups)
