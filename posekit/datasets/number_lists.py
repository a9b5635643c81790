"""Numbers of annotation files, checked."""

from typing import Any

import numpy as np

from posekit.datasets.coco_columns import MAX_COORDINATE


def number_array(values: Any, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Turns (lists of) numbers into float64.

    Args:
        values: from a JSON file.
        shape: wanted; -1 for an axis of any length.
        where: their place in the file.

    Raises:
        ValueError: naming `where`: of another shape, or with something that is no number below
            `MAX_COORDINATE`.
    """
    try:
        array = np.array(values)
    except ValueError:  # a ragged list
        array = np.array(None)
    fits = array.ndim == len(shape) and (array.dtype.kind in "fiu" or not array.size)
    fits = fits and all(n in (-1, m) for n, m in zip(shape, array.shape, strict=True))
    if not fits or not (np.abs(array.astype(np.float64)) < MAX_COORDINATE).all():
        wanted = " x ".join("n" if n == -1 else str(n) for n in shape)
        raise ValueError(
            f"{where}: expected {f'{wanted} numbers' if shape else 'a number'} below "
            f"{MAX_COORDINATE:g}, received {values!r:.80}"
        )
    return array.astype(np.float64)


def whole_number(value: Any, where: str) -> int:
    """Passes a whole number of at most 64 bits.

    Raises:
        ValueError: naming `where`.
    """
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError(f"{where}: expected a whole number, received {value!r:.40}")
    return value


def flag(value: Any, where: str) -> bool:
    """Passes true, false, 1 or 0.

    Raises:
        ValueError: naming `where`.
    """
    if value not in (0, 1):
        raise ValueError(f"{where}: expected true or false, received {value!r:.40}")
    return bool(value)
