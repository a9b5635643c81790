"""NumPy's .npz files of strangers: plain numbers, and no more of them than the file holds.

`numpy.load` takes the memory that a header asks for before it looks at what is there, and answers
damaged files with a dozen error types.
"""

import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from posekit.archives import check_packing
from posekit.regular_files import check_regular

MAX_BYTES = 1 << 30
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_NUMBERS = "biuf"


class NpzError(ValueError):
    """No .npz of numbers, a damaged one, or one without the array that is wanted."""


def read_npz(
    path: str | Path, names: Sequence[str] = (), max_bytes: int | None = None
) -> dict[str, np.ndarray]:
    """Reads arrays of whole or floating-point numbers, or of truth values.

    Args:
        path: of the file.
        names: of the arrays that are wanted, and must be there; none: all that are there.
        max_bytes: largest accepted sum of the file's arrays, unpacked; None: `MAX_BYTES`.

    Raises:
        NpzError: naming the file.
        OSError: it cannot be read.
    """
    check_regular(path)
    with Path(path).open("rb") as file:
        try:
            return _read(file, names, max_bytes or MAX_BYTES)
        except NpzError as error:
            raise NpzError(f"{path}: {error}") from None
        except Exception as error:  # zipfile and NumPy answer damaged files with a dozen types
            reason = str(error) or type(error).__name__
            raise NpzError(
                f"{path}: expected an .npz of plain arrays, received: {reason}"
            ) from error


def _read(file: io.BufferedReader, names: Sequence[str], max_bytes: int) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        check_packing(members)
        size = sum(member.file_size for member in members)
        if size > max_bytes:
            raise ValueError(f"it unpacks to {size} bytes, over the limit of {max_bytes}")
        found = {member.filename.removesuffix(".npy"): member for member in members}
        missing = [name for name in names if name not in found]
        if missing:
            raise NpzError(f"expected an array {missing[0]!r}, received {sorted(found)!r:.300}")
        if len(found) < len(members):
            raise ValueError("an array twice")
        return {name: _array(name, archive.read(found[name])) for name in names or found}


def _array(name: str, data: bytes) -> np.ndarray:
    file = io.BytesIO(data)
    shape, by_columns, dtype = _READERS[npy.read_magic(file)](file)
    start = file.tell()
    if dtype.kind not in _NUMBERS or math.prod(shape) * dtype.itemsize != len(data) - start:
        raise ValueError(
            f"{name!r:.60} of {dtype} and shape {shape!r:.80} in {len(data) - start} bytes"
        )
    flat = np.frombuffer(data, dtype, offset=start)
    return flat.reshape(shape, order="F" if by_columns else "C").copy()
