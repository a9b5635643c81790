"""MATLAB's .mat files of versions 5 to 7, in Python alone.

`scipy.io.loadmat` trusts the file: reading copies of a small file of structs with one to three
bytes changed, SciPy 1.17 ended the process by a segmentation fault within 500 copies in each of
three runs. Here each size is checked against what holds it, so that a damaged file is an error, and
MPII's kind of structs takes no longer. (Version 7.3 is HDF5, and not meant.)
"""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from posekit.regular_files import check_regular

MAX_BYTES = 1 << 30
"""Largest accepted content, unpacked."""
_MAX_DEPTH = 32
_HEADER = 128
_SHORT_HEAD = 40  # of a matrix of two axes without name
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_STORED |= {13: "u8", 16: "u1", 17: "u2", 18: "u4"}
_CODES = dict(zip(_STORED, "bBhHiIfdqQBHI", strict=True))
_CLASSES = dict(enumerate("f8 f4 i1 u1 i2 u2 i4 u4 i8 u8".split(), start=6))


class MatFileError(ValueError):
    """No .mat file of versions 5 to 7, or a damaged one."""


def read_mat(path: str | Path, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Reads the variables of a file.

    Args:
        path: the file.
        names: variables wanted; none given: all.

    Returns:
        name -> array with the file's axes; a number for an array of one; text for letters; a flat
        list for cells; a flat list of dicts, field -> value, for structs, also for one alone; None
        for what is none of these (objects, functions, sparse and complex arrays).

    Raises:
        MatFileError: naming the file: no .mat file of these versions, damaged, or too large.
        OSError: the file cannot be read.
    """
    with _errors_of(path):
        return {
            name: content.matrix(start, stop)
            for name, content, start, stop in _matrices(path)
            if not names or name in names
        }


def variable_names(path: str | Path) -> list[str]:
    """Returns the names of a file's variables; raises as `read_mat`."""
    with _errors_of(path):
        return [found[0] for found in _matrices(path)]


@contextlib.contextmanager
def _errors_of(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, struct.error, zlib.error, MemoryError) as error:
        raise MatFileError(
            f"{path}: expected a whole MATLAB file of version 5 to 7, received: {error}"
        ) from None


def _matrices(path: str | Path) -> Iterator[tuple[str, "_Content", int, int]]:
    """Yields name, content, start and end of each variable."""
    path = Path(path)
    check_regular(path)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    data = path.read_bytes()
    orders = {b"IM": "<", b"MI": ">"}
    if len(data) < _HEADER or data[126:128] not in orders:
        raise ValueError("no header of MATLAB 5")
    content = _Content(data, orders[data[126:128]])
    at, end = _HEADER, len(data)
    while at < end:
        kind, start, stop, at = content.element(at, end)
        inner = content
        if kind == _COMPRESSED:
            unpacked = _unpack(data[start:stop])
            inner = _Content(unpacked, content.order)
            kind, start, stop, _ = inner.element(0, len(unpacked))
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind} where a variable should be")
        yield inner.matrix_head(start, stop)[2], inner, start, stop


def _unpack(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(packed, MAX_BYTES)
    if not unpacker.eof:
        raise ValueError("a variable that is cut, or too large")
    return unpacked


class _Content:
    """Elements one behind the other, each checked against the end of what holds it."""

    def __init__(self, data: bytes, order: str):
        self.data = data
        self.order = order
        self._tag = struct.Struct(order + "II").unpack_from
        self._one = {kind: struct.Struct(order + code) for kind, code in _CODES.items()}
        self._heads: dict[bytes, tuple[int, tuple[int, ...], str]] = {}
        self._empty = np.zeros((0, 0))

    def element(self, at: int, end: int) -> tuple[int, int, int, int]:
        """Returns type, start and end of its content, and the place of the next element."""
        if at + 8 > end:
            raise ValueError("the end of the file (is it cut?)")
        kind, size = self._tag(self.data, at)
        if kind >> 16:  # up to four bytes share the eight with their tag
            size, kind, stop = kind >> 16, kind & 0xFFFF, at + 4 + (kind >> 16)
            if size > 4:
                raise ValueError(f"a short element of {size} bytes")
            return kind, at + 4, stop, at + 8
        stop = at + 8 + size
        if stop > end:
            raise ValueError("an element that is longer than its holder (is the file cut?)")
        padding = 0 if kind == _COMPRESSED else -size % 8
        return kind, at + 8, stop, min(stop + padding, end)

    def numbers(self, at: int, end: int) -> tuple[np.ndarray, int]:
        """Returns the plain numbers of an element, and the place of the next one."""
        kind, start, stop, following = self.element(at, end)
        if kind not in _STORED:
            raise ValueError(f"an element of type {kind} where numbers should be")
        dtype = np.dtype(self.order + _STORED[kind])
        if (stop - start) % dtype.itemsize:
            raise ValueError(f"{stop - start} bytes where numbers of {dtype.itemsize} should be")
        count = (stop - start) // dtype.itemsize
        return np.frombuffer(self.data, dtype, count, start), following

    def matrix_head(self, at: int, end: int) -> tuple[int, tuple[int, ...], str, int]:
        """Returns class (negative if complex), axes, name, and the place of the content."""
        # Millions of numbers stand alone, under few different heads.
        key = self.data[at : min(at + _SHORT_HEAD, end)]
        if key in self._heads:
            return *self._heads[key], at + _SHORT_HEAD
        head, following = self._matrix_head(at, end)
        if following - at == _SHORT_HEAD and len(self._heads) < 10_000:
            self._heads[key] = head
        return *head, following

    def _matrix_head(self, at: int, end: int) -> tuple[tuple[int, tuple[int, ...], str], int]:
        flags, at = self.numbers(at, end)
        shape, at = self.numbers(at, end)
        name, at = self.numbers(at, end)
        if not len(flags) or not 2 <= len(shape) <= 8 or (shape < 0).any():
            raise ValueError(f"a matrix of axes {shape.tolist()}")
        number = int(flags[0])
        kind = number & 0xFF
        return (-kind if number & 0x800 else kind, tuple(shape.tolist()), _text(name)), at

    def matrix(self, at: int, end: int, depth: int = 0) -> Any:
        """Returns the value of a matrix, whose content this is; see `read_mat`."""
        if at == end:
            return self._empty
        if depth > _MAX_DEPTH:
            raise ValueError(f"structs nested deeper than {_MAX_DEPTH}")
        kind, shape, _, at = self.matrix_head(at, end)
        count = 1
        for axis in shape:
            count *= axis
        if kind in (_CELL, _STRUCT):
            return self._items(kind, count, at, end, depth)
        if kind != _CHAR and kind not in _CLASSES:
            return None
        if count == 1 and kind != _CHAR:
            return self._number(at, end)
        values, _ = self.numbers(at, end)
        if kind == _CHAR:
            return _text(values)
        if len(values) != count:
            raise ValueError(f"{len(values)} numbers where {count} should be")
        dtype = np.dtype(_CLASSES[kind])
        return values.astype(dtype).reshape(shape, order="F")

    def _number(self, at: int, end: int) -> float:
        kind, start, stop, _ = self.element(at, end)
        one = self._one.get(kind)
        if one is None or one.size != stop - start:
            raise ValueError(f"{stop - start} bytes of type {kind} where one number should be")
        return one.unpack_from(self.data, start)[0]

    def _items(self, kind: int, count: int, at: int, end: int, depth: int) -> list[Any]:
        """Returns the values of cells, or dicts of structs."""
        fields = [""]
        if kind == _STRUCT:
            length, at = self.numbers(at, end)
            letters, at = self.numbers(at, end)
            width = int(length[0]) if len(length) == 1 else 0
            if width < 1 or len(letters) % width:
                raise ValueError("field names of uneven length")
            fields = [_text(row) for row in letters.reshape(-1, width)]
        if count * 8 > end - at:  # each takes eight bytes at least
            raise ValueError(f"{count} cells or structs where there is no room for them")
        items = []
        for _ in range(count):
            item = {}
            for field in fields:
                inner, start, stop, at = self.element(at, end)
                if inner != _MATRIX:
                    raise ValueError(f"an element of type {inner} where a value should be")
                item[field] = self.matrix(start, stop, depth + 1)
            items.append(item if kind == _STRUCT else item[""])
        return items


def _text(letters: np.ndarray) -> str:
    """Letters up to the first zero, which pads names."""
    codes = letters.tolist()
    codes = codes[: codes.index(0)] if 0 in codes else codes
    return "".join(map(chr, codes)) if all(0 < code < 0x110000 for code in codes) else ""
