"""SavedModels in the layout of TensorFlow Serving, NAME/VERSION/, each weight written once.

`keras.Model.export` writes every weight twice (263 MB for 136 MB of weights; keras issue 23553), so
a `tf.Module` that holds the variables is saved instead.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from posekit.atomic_files import TEMPORARY_PREFIX, flush_to_disk
from posekit.commands import UsageError
from posekit.warm_up import Request, write_warm_up

DESCRIPTION = "assets.extra/model.json"
"""What a client needs to know, from the folder of a version."""


def export_saved_model(
    folder: Path | str,
    model: keras.Model,
    signatures: Mapping[str, Callable],
    warm_up: Sequence[Request] = (),
    description: Mapping | None = None,
    version: int | None = None,
) -> Path:
    """Adds a version of a model; a server sees all of it or nothing.

    It is written to a folder `.tmp-...` beside, which servers pass over, flushed to disk and
    renamed. What a killed export leaves there may be deleted.

    Args:
        folder: of all versions; its name is the model's, and what a server is given as
            --model_base_path. Made if absent.
        model: holds every variable that the signatures read.
        signatures: name -> `tf.function` with an `input_signature` that returns a dict of tensors.
        warm_up: requests that the server runs before it takes others.
        description: further entries of the description file, beside the signatures' tensors.
        version: positive; None takes the one after the highest that is there.

    Returns:
        The folder of the version: saved_model.pb, variables/, assets.extra/.

    Raises:
        UsageError: the version is there already, or is no positive number.
        OSError: it cannot be written; nothing is left.
    """
    folder = Path(folder)
    version = next_version(folder) if version is None else version
    final = folder / str(version)
    if version < 1 or final.exists():
        raise UsageError(
            f"expected a new version of {folder.name}, 1 or more, received {version}; the next is "
            f"{next_version(folder)}, and versions are never overwritten"
        )
    temporary = folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        concrete = _save(temporary, model, signatures)
        write_warm_up(temporary, folder.name, warm_up)
        content = {"signatures": _tensors(concrete), **(description or {})}
        text = json.dumps(content, indent=1, allow_nan=False)
        (temporary / DESCRIPTION).write_text(text + "\n", "utf-8")
        for path in (*temporary.rglob("*"), temporary):
            flush_to_disk(path)
        os.rename(temporary, final)
        flush_to_disk(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def next_version(folder: Path | str) -> int:
    """One more than the highest version in a folder; 1 where there is none."""
    names = [path.name for path in Path(folder).glob("*")]
    return 1 + max((int(name) for name in names if name.isascii() and name.isdigit()), default=0)


def bytes_of_variables(version: Path | str) -> int:
    """Size of the weights on disk, in a folder of `export_saved_model`."""
    return sum(path.stat().st_size for path in Path(version, "variables").iterdir())


def bytes_of_weights(model: keras.Model) -> int:
    """Size of all variables of a model in memory."""
    return sum(variable.value.numpy().nbytes for variable in model.variables)


def _save(folder: Path, model: keras.Model, signatures: Mapping[str, Callable]) -> dict:
    concrete = {name: function.get_concrete_function() for name, function in signatures.items()}
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    tf.saved_model.save(module, str(folder), signatures=concrete)
    return concrete


def _tensors(concrete: Mapping) -> dict:
    """Maps signature -> inputs, outputs -> name -> dtype and shape; null is any length."""
    return {
        name: {
            "inputs": {spec.name: _tensor(spec) for spec in function.structured_input_signature[0]},
            "outputs": {key: _tensor(spec) for key, spec in function.structured_outputs.items()},
        }
        for name, function in concrete.items()
    }


def _tensor(spec: tf.TensorSpec) -> dict:
    return {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
