"""Writes .keras files with half-precision kernels: half the size, read by Keras as any other."""

import os
import tempfile
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np

from posekit.atomic_files import replaced_file

_WEIGHTS = "model.weights.h5"


def save_half(model: keras.Model, path: Path | str) -> None:
    """Saves a model with float16 in place of float32 for every array of two and more axes.

    Biases and statistics, a hundredth of the bytes, stay float32. `keras.saving.load_model` reads
    the file back to float32 variables, rounded to 11 significant bits.

    Args:
        model: of float32 weights.
        path: of the .keras file to make or to replace.

    Raises:
        ValueError: a weight that float16 cannot hold; an existing file is untouched.
        OSError: as `atomic_files.replaced_file`.
    """
    for variable in model.weights:
        largest = np.abs(variable.numpy()).max(initial=0)
        if not largest <= np.finfo(np.float16).max:
            raise ValueError(
                f"expected weights below 65504, received {largest} in {variable.path}; "
                "save in full precision"
            )
    with tempfile.TemporaryDirectory() as folder, replaced_file(path) as temporary:
        whole = Path(folder, "whole.keras")
        model.save(whole)
        _rewrite(whole, temporary, folder)


def _rewrite(whole: Path, path: Path, folder: str) -> None:
    with (
        zipfile.ZipFile(whole) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, _halved(content, folder) if name == _WEIGHTS else content)


def _halved(content: bytes, folder: str) -> bytes:
    before, after = (os.path.join(folder, name) for name in ("before.h5", "after.h5"))
    Path(before).write_bytes(content)
    with h5py.File(before) as source, h5py.File(after, "w") as target:
        _copy(source, target)
    return Path(after).read_bytes()


def _copy(source: h5py.Group, target: h5py.Group) -> None:
    for key, value in source.attrs.items():
        target.attrs[key] = value
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy(item, target.create_group(name))
            continue
        small = item.dtype == np.float32 and item.ndim >= 2
        target.create_dataset(name, data=item[()].astype(np.float16) if small else item[()])
