"""Checkpoints that are whole or absent: temporary folder, flush, manifest with hashes, rename."""

import hashlib
import io
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posekit.atomic_files import TEMPORARY_PREFIX, WriteError, flush_to_disk, replaced_file

if TYPE_CHECKING:  # files are checked without TensorFlow, in a moment
    import keras

VARIABLES, STATE, MANIFEST = "variables.npz", "state.json", "manifest.json"
DAMAGED = (OSError, ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile)
"""What files raise that are not what `write_checkpoint` made."""


class CheckpointError(ValueError):
    """Checkpoints exist, but none can be used, or not for this network."""

    exit_code = 1


def write_checkpoint(
    folder: Path | str, arrays: dict[str, np.ndarray], state: dict, step: int, keep: int = 3
) -> Path:
    """Adds a checkpoint; older ones than the last `keep` are removed once it is complete.

    Args:
        folder: of all checkpoints of the run; made if absent.
        arrays: name -> array of any numeric type.
        state: what JSON can hold.
        step: global step, for the name only.
        keep: how many to keep.

    Returns:
        The new folder, NUMBER-step-STEP; the highest NUMBER is the newest.

    Raises:
        WriteError: what was there before is still there.
    """
    folder = Path(folder)
    temporary, name = folder / f"{TEMPORARY_PREFIX}{os.getpid()}-step-{step}", f"of step {step}"
    try:
        number = _number(next(iter(_newest_first(folder)), folder)) + 1
        final = folder / f"{number:06d}-step-{step}"
        name = final.name
        temporary.mkdir(parents=True)
        _write_files(temporary, arrays, state)
        os.rename(temporary, final)
        flush_to_disk(folder)
    except OSError as error:
        raise WriteError.of(error, f"checkpoint {name}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for old in _newest_first(folder)[keep:]:
        shutil.rmtree(old, ignore_errors=True)  # one too many is no reason to stop
    return final


def read_newest_checkpoint(folder: Path | str) -> tuple[dict[str, np.ndarray], dict] | None:
    """Reads the newest checkpoint whose hashes fit; says on stderr which ones it passes over.

    Returns:
        (arrays, state) as given to `write_checkpoint`, or None where there never was one.

    Raises:
        CheckpointError: every checkpoint is damaged.
    """
    folder = Path(folder)
    found = _newest_first(folder)
    for path in found:
        try:
            return _read_files(path)
        except DAMAGED as error:
            print(f"warning: checkpoint {path.name} is damaged ({error})", file=sys.stderr)
    if found:
        raise CheckpointError(
            f"expected a whole checkpoint, received {len(found)} damaged ones in {folder.name}/; "
            "remove that folder to start afresh"
        )
    return None


def has_checkpoint(folder: Path | str) -> bool:
    """Tells whether there is a checkpoint, damaged or not."""
    return bool(_newest_first(Path(folder)))


def variable_arrays(**groups: "Sequence[keras.Variable]") -> dict[str, np.ndarray]:
    """Copies variables: "GROUP INDEX" -> array. bfloat16 is kept as its bits, uint16."""
    return {
        f"{group} {index}": _storable(variable.numpy())
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }


def assign_variables(arrays: dict[str, np.ndarray], **groups: "Sequence[keras.Variable]") -> None:
    """Puts arrays of `variable_arrays` back, all or none.

    Raises:
        CheckpointError: names the first variable whose shape or number differs.
    """
    pairs = []
    for group, variables in groups.items():
        saved = {key for key in arrays if key.startswith(f"{group} ")}
        if saved != {f"{group} {index}" for index in range(len(variables))}:
            raise CheckpointError(
                f"expected {len(variables)} variables of the {group}, received {len(saved)} in the "
                "checkpoint; it belongs to another network or optimizer, use a new run folder"
            )
        pairs += [(arrays[f"{group} {i}"], variable) for i, variable in enumerate(variables)]
    for array, variable in pairs:
        if array.shape != tuple(variable.shape):
            raise CheckpointError(
                f"expected {variable.path} of shape {tuple(variable.shape)}, received "
                f"{array.shape} in the checkpoint; use a new run folder for another network"
            )
    for array, variable in pairs:
        bits = array.dtype == np.uint16 and str(variable.dtype) == "bfloat16"
        variable.assign(array.view(variable.numpy().dtype) if bits else array)


def save_keras(model: "keras.Model", path: Path | str) -> None:
    """Saves a .keras file whole, or leaves the one that was there.

    Raises:
        OSError: as `atomic_files.replaced_file`.
    """
    with replaced_file(path) as temporary:
        model.save(temporary)


def arrays_to_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Packs arrays as an uncompressed .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def arrays_from_bytes(content: bytes | bytearray) -> dict[str, np.ndarray]:
    """Unpacks `arrays_to_bytes`; never unpickles."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _write_files(folder: Path, arrays: dict[str, np.ndarray], state: dict) -> None:
    contents = {VARIABLES: arrays_to_bytes(arrays), STATE: json.dumps(state, indent=1).encode()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    contents[MANIFEST] = json.dumps({"sha256": hashes}, indent=1).encode()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        flush_to_disk(folder / name)
    flush_to_disk(folder)


def _read_files(folder: Path) -> tuple[dict[str, np.ndarray], dict]:
    hashes = json.loads((folder / MANIFEST).read_bytes())["sha256"]
    contents = {name: (folder / name).read_bytes() for name in (VARIABLES, STATE)}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != hashes[name]:
            raise ValueError(f"{name} differs from its sha256 in {MANIFEST}")
    return arrays_from_bytes(contents[VARIABLES]), json.loads(contents[STATE])


def _storable(array: np.ndarray) -> np.ndarray:
    return array.view(np.uint16) if str(array.dtype) == "bfloat16" else array


def _newest_first(folder: Path) -> list[Path]:
    """None of a missing folder; one that cannot be listed is an error and not an empty one."""
    try:
        return sorted(filter(_number, folder.iterdir()), key=_number, reverse=True)
    except FileNotFoundError:
        return []


def _number(path: Path) -> int:
    """0 of what is no checkpoint, such as somebody's notes."""
    found = re.fullmatch("([0-9]+)-step-[0-9]+", path.name)
    return int(found[1]) if found else 0
