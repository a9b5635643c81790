"""State dicts in files: torch's own, and .npz that needs no torch."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posekit.atomic_files import replaced_file

MAX_BYTES = 2**30


def read_state(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a torch file or an .npz into arrays, without running anything that it may hold.

    Args:
        path: of an .npz (`save_npz`), or else of a torch file that holds a dict of tensors,
            plainly or under "state_dict".

    Raises:
        ValueError: where the file is damaged, holds other things, or more than 1 GB (2**30).
        ImportError: for a torch file where torch is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"expected a weights file, found none at '{path}'; check the path")
    state = _read_npz(path) if path.suffix == ".npz" else _read_torch(path)
    strange = [name for name, array in state.items() if not isinstance(array, np.ndarray)]
    if strange:
        raise ValueError(f"expected only tensors in '{path}', received another '{strange[0]}'")
    return state


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"it unpacks to {size} bytes, over the limit of {MAX_BYTES}")
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"expected an .npz of plain arrays, '{path}' is not: {error}") from error


def _read_torch(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"reading '{path}' needs torch: pip install torch==2.13.0, or turn it into an .npz "
            "elsewhere with scripts/convert_torch.py, which this function reads without torch"
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen unrelated types for damaged files
        reason = str(error).partition("\n")[0]  # what follows recommends to read it unsafely
        raise ValueError(f"expected a torch file of tensors, '{path}' is not: {reason}") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict):
        raise ValueError(f"expected a dict of tensors in '{path}', received {type(state).__name__}")
    return {str(name): _array(tensor, torch) for name, tensor in state.items()}


def _array(tensor, torch):
    """A tensor as an array, floats as float32 (NumPy has no bfloat16); others as they are."""
    if not isinstance(tensor, torch.Tensor):
        return tensor
    return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()


def save_npz(path: str | Path, state: Mapping[str, np.ndarray]) -> None:
    """Writes a state dict as an .npz that `load_torchvision` reads without torch.

    The file appears whole or not at all. Batch counters are left out.

    Args:
        path: of the file to write, ending in .npz.
        state: name to array.

    Raises:
        ValueError: where path ends in something else.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"expected a path that ends in .npz, received '{path}'")
    kept = {name: a for name, a in state.items() if not name.endswith("num_batches_tracked")}
    with replaced_file(path) as scratch:
        np.savez(scratch, allow_pickle=False, **kept)
