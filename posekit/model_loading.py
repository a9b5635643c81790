"""Loads the .keras files of this library, checked before Keras makes anything of them."""

import contextlib
import io
import math
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np

import posekit.normalization  # noqa: F401  its layer is in most files
from posekit.model_files import WEIGHTS, ModelFileError, check_model_file

_LOADING = threading.Lock()
_MISFIT = re.compile(
    r"variable\.shape=(\(.*?\)), Received: value\.shape=(\(.*?\))\. .*?<Variable path=([^,]+),"
)
"""Keras' words on the first array of another shape than its layer's; 3.15."""


def load_model(path: Path | str) -> keras.Model:
    """Reads a network from a .keras file, without its optimizer.

    Keras' safe mode still makes any layer of any size that the file describes, some of which read
    other files, or need more memory than there is. Here the file may only hold layers that our
    networks have, and its layers may ask for no more weights than it holds.

    Args:
        path: .keras file; the modules of a room whose layers it holds must be imported already.

    Raises:
        ModelFileError: naming the file: missing, of another form, or with other layers, members or
            links than our networks have.
        ValueError, TypeError, KeyError, OSError: what Keras finds wrong.
    """
    check_model_file(path)
    try:
        count = _stored_weights(path)
        with _LOADING, _limited_weights(count):
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    # What zipfile and h5py raise for damaged files.
    except (ModelFileError, zipfile.BadZipFile, RuntimeError, KeyError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    except ValueError as error:
        if misfit := _MISFIT.search(str(error)):  # without the thousand numbers that Keras shows
            wanted, found, name = misfit.groups()
            raise ModelFileError(
                f"{path}: expected {name} of shape {wanted}, as its layers have it, received "
                f"{found}; the weights are those of another network"
            ) from error
        raise


def _stored_weights(path: Path | str) -> int:
    """Counts the numbers in the file of weights; refuses all but plain arrays that are all there.

    Such are neither links to other files, nor virtual, nor packed, nor larger than what is stored.
    """
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read(WEIGHTS))) as file:
        counts = []

        def check(name: str, link: object) -> str | None:
            item = file[name] if type(link) is h5py.HardLink else link
            if isinstance(item, h5py.Dataset):
                counts.append(math.prod(item.shape or ()))
                return _fault(item)
            kind = type(item).__name__
            return None if kind == "Group" else f"expected arrays, received {kind} {name!r:.60}"

        fault = file.visititems_links(check)  # which may not raise
    if fault:
        raise ModelFileError(f"{WEIGHTS}: {fault}")
    return sum(counts)


def _fault(array: h5py.Dataset) -> str | None:
    size, stored = math.prod(array.shape or ()) * array.dtype.itemsize, array.id.get_storage_size()
    elsewhere = array.is_virtual or array.external or array.chunks or array.dtype.hasobject
    if stored != size or elsewhere:
        return (
            f"expected numbers that are all in the file, unpacked, received for {array.name!r:.60} "
            f"the shape {array.shape} in {stored} bytes"
        )
    # Peaks and boxes that are NaN exceed no threshold, so such a network would find nobody.
    if array.dtype.kind == "f" and not np.isfinite(array[()]).all():
        return (
            f"expected finite numbers, received NaN or infinity in {array.name!r:.60}; a diverged "
            "training gives such, take an earlier checkpoint"
        )
    return None


@contextlib.contextmanager
def _limited_weights(count: int) -> Iterator[None]:
    """Refuses layers that ask for more than `count` numbers in all, before memory is taken.

    Keras makes all variables by its layers' add_weight, and compares shapes with the file only
    afterwards.
    """
    left, add_weight = count, keras.Layer.add_weight

    def counted(layer: keras.Layer, shape: tuple[int, ...] | None = None, *args, **options):
        nonlocal left
        left -= math.prod(shape or ())
        if left < 0:
            raise ModelFileError(
                f"expected the weights of its layers, received fewer: {count} numbers in "
                f"{WEIGHTS}, and layer {layer.name!r:.60} asks for the shape {tuple(shape)}"
            )
        return add_weight(layer, shape, *args, **options)

    keras.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.Layer.add_weight = add_weight
