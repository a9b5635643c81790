"""State dicts in files: torch's own, and .npz that also holds colours; neither needs torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from posekit.atomic_files import replaced_file
from posekit.colours import check_colours
from posekit.npz_files import read_npz
from posekit.weights.torch_files import read_torch

COLOURS = ("order", "mean", "std")
PREFIX = "colours/"
"""Before these, the names of arrays that say what colours the weights were trained on."""


def read_state(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a torch file or an .npz into arrays, without running anything that it may hold.

    Args:
        path: of an .npz (`save_npz`), or else of a torch file that holds a dict of tensors,
            plainly or under "state_dict"; see `posekit.weights.torch_files`.

    Returns:
        Name -> array; with "colours/order", "colours/mean", "colours/std" where the file says.

    Raises:
        ValueError: where the file is damaged, holds other things, or more than 1 GB (2**30).
        OSError: where it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"expected a weights file, found none at '{path}'; check the path")
    state = read_npz(path) if path.suffix == ".npz" else read_torch(path)
    strange = [name for name, array in state.items() if not isinstance(array, np.ndarray)]
    if strange:
        raise ValueError(f"expected only tensors in '{path}', received another '{strange[0]}'")
    return state


def save_npz(
    path: str | Path,
    state: Mapping[str, np.ndarray],
    order: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> None:
    """Writes a state dict as an .npz, which `load_torchvision` reads.

    The file appears whole or not at all. Batch counters are left out.

    Args:
        path: of the file to write, ending in .npz.
        state: name to array.
        order: colour order that the weights expect, three indices into R, G, B; None, and then
            None for all three: not said, or said in `state` already.
        mean: three pixel values 0 to 255, in that order.
        std: as mean.

    Raises:
        ValueError: where path ends in something else, or colours make no sense.
        OSError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"expected a path that ends in .npz, received '{path}'")
    kept = {name: a for name, a in state.items() if not name.endswith("num_batches_tracked")}
    kept |= _colour_arrays(state, (order, mean, std))
    with replaced_file(path) as scratch:
        np.savez(scratch, allow_pickle=False, **kept)


def _colour_arrays(state: Mapping[str, np.ndarray], colours: tuple) -> dict[str, np.ndarray]:
    if all(value is None for value in colours):
        return {}
    names = [PREFIX + name for name in COLOURS]
    if any(value is None for value in colours) or not state.keys().isdisjoint(names):
        raise ValueError(
            "expected order, mean and std together, and none in the state dict already; "
            f"received {dict(zip(COLOURS, colours, strict=True))}"
        )
    check_colours(*colours)
    dtypes = (np.int32, np.float32, np.float32)
    arrays = (np.asarray(value, dtype) for value, dtype in zip(colours, dtypes, strict=True))
    return dict(zip(names, arrays, strict=True))
