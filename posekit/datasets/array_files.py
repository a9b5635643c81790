"""Arrays out of MATLAB, HDF5 and NumPy files of strangers: no code is run, sizes are bounded."""

from pathlib import Path

import numpy as np

from posekit.datasets.mat_files import MatFileError, read_mat, variable_names
from posekit.npz_files import NpzError, read_npz
from posekit.regular_files import check_regular

MAX_VALUES = 100_000_000
"""Largest accepted array; MPII has 2 million predicted coordinates."""
SUFFIXES = (".mat", ".h5", ".hdf5", ".npz")


def read_array(path: str | Path, name: str) -> np.ndarray:
    """Reads one array of a `.mat` (up to version 7), `.h5` or `.npz` file.

    Raises:
        ValueError: naming the file: damaged, of another form, without that array, or too large.
        OSError: the file cannot be read.
    """
    path = Path(path)
    readers = {".mat": _read_mat, ".h5": _read_h5, ".hdf5": _read_h5, ".npz": _read_npz}
    if path.suffix not in readers:
        raise ValueError(f"{path}: expected a file {', '.join(SUFFIXES)}")
    check_regular(path)
    with path.open("rb"):
        pass  # a missing file is an OSError, whatever the reader makes of it
    try:
        return readers[path.suffix](path, name)
    except (MatFileError, NpzError):
        raise
    except _Unfit as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # the readers answer damaged files with a dozen error types
        raise ValueError(
            f"{path}: expected a whole {path.suffix} file, received: {error!r:.200}"
        ) from None


class _Unfit(ValueError):
    """A readable file without the wanted array."""


def _check(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    if name not in shapes:
        raise _Unfit(f"expected an array {name!r}, received {sorted(shapes)!r:.300}")
    if np.prod(np.array(shapes[name], object), initial=1) > MAX_VALUES:
        raise _Unfit(f"{name}: expected at most {MAX_VALUES} values, received {shapes[name]}")


def _read_mat(path: Path, name: str) -> np.ndarray:
    _check(name, dict.fromkeys(variable_names(path), ()))  # its size is bounded by `mat_files`
    return np.array(read_mat(path, (name,))[name])


def _read_h5(path: Path, name: str) -> np.ndarray:
    import h5py

    with h5py.File(path) as file:
        links = {key: file.get(key, getlink=True) for key in file}
        plain = [key for key, link in links.items() if isinstance(link, h5py.HardLink)]
        found = {key: file[key] for key in plain if isinstance(file[key], h5py.Dataset)}
        _check(name, {key: item.shape for key, item in found.items()})
        if found[name].is_virtual or found[name].external:
            raise _Unfit(f"{name}: expected the values in the file itself, not in another file")
        return found[name][()]


def _read_npz(path: Path, name: str) -> np.ndarray:
    return read_npz(path, (name,), 8 * MAX_VALUES)[name]
