"""What a Keras callback has counted so far, as data that a checkpoint can hold."""

from collections.abc import Sequence

import keras
import numpy as np

from posekit.checkpoints import CheckpointError

PLAIN = (bool, int, float, str, type(None))
# Keras sets `params` anew, and turns the sign of `min_delta` at the first epoch end of a process.
NOT_STATE = ("params", "min_delta")


def callback_settings(callbacks: Sequence[keras.callbacks.Callback]) -> list[dict]:
    """Copies the plain attributes of each callback, as they are after on_train_begin."""
    return [_plain_attributes(callback) for callback in callbacks]


def callback_state(
    callbacks: Sequence[keras.callbacks.Callback], settings: list[dict]
) -> tuple[list[dict], dict[str, np.ndarray]]:
    """Collects the attributes that differ from `settings`: counters, best values, best weights.

    Attributes that never change, such as patience, are left out, so a resumed run uses the values
    its code gives.

    Returns:
        plain: one JSON-able dict for each callback: {"class": name, "attributes": {...}}.
        arrays: "callback INDEX ATTRIBUTE PLACE" -> array, for attributes that are lists of arrays.
    """
    plain, arrays = [], {}
    for index, (callback, before) in enumerate(zip(callbacks, settings, strict=True)):
        now = _plain_attributes(callback)
        changed = {k: v for k, v in now.items() if k not in before or not _same(before[k], v)}
        plain.append({"class": type(callback).__name__, "attributes": changed})
        for name, value in _array_attributes(callback).items():
            arrays |= {f"callback {index} {name} {i}": array for i, array in enumerate(value)}
    return plain, arrays


def restore_callbacks(
    callbacks: Sequence[keras.callbacks.Callback],
    plain: list[dict],
    arrays: dict[str, np.ndarray],
) -> None:
    """Puts the state back.

    Raises:
        CheckpointError: other callbacks than when the checkpoint was written.
    """
    names = [type(callback).__name__ for callback in callbacks]
    saved = [state["class"] for state in plain]
    if names != saved:
        raise CheckpointError(
            f"expected the callbacks of the checkpoint, {saved}, received {names}; resume with the "
            "same callbacks or start in a new run folder"
        )
    lists: dict[tuple[int, str], list] = {}
    for key, array in arrays.items():
        if key.startswith("callback "):
            _, index, name, _ = key.split(" ")
            lists.setdefault((int(index), name), []).append(array)
    for callback, state in zip(callbacks, plain, strict=True):
        vars(callback).update(state["attributes"])
    for (index, name), value in lists.items():
        setattr(callbacks[index], name, value)


def _plain_attributes(callback: keras.callbacks.Callback) -> dict:
    return {
        name: _plain(value)
        for name, value in vars(callback).items()
        if name not in NOT_STATE and _is_plain(value)
    }


def _array_attributes(callback: keras.callbacks.Callback) -> dict[str, list]:
    return {
        name: value
        for name, value in vars(callback).items()
        if isinstance(value, list) and value and all(isinstance(v, np.ndarray) for v in value)
    }


def _is_plain(value) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return isinstance(value, (*PLAIN, np.generic))


def _plain(value):
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _same(a, b) -> bool:
    return type(a) is type(b) and (a == b or (a != a and b != b))
