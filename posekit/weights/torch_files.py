"""Reads the tensors of PyTorch files without PyTorch, and without running what they may hold.

torch.save has written two formats. Since 1.6 a zip archive: `data.pkl`, a pickle in which tensors
refer to storages, and one member per storage. Before that one stream: three short pickles (magic
number, version, sizes of C types), the pickle, a pickle of the storages' keys, and the storages.
torchvision still publishes files of both.
"""

import dataclasses
import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from posekit.archives import check_packing
from posekit.weights.pickles import Name, read_pickle

MAX_BYTES = 2**30
"""Limit of the file, of what it unpacks to, and of all tensors together."""
MAX_AXES = 8
_DAMAGE = (ValueError, EOFError, OverflowError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What Python's zipfile raises for damaged archives; NotImplementedError is a RuntimeError."""
_ZIP = b"PK\x03\x04"
_STREAM = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
# bfloat16 is the upper half of float32, which NumPy has.
_TYPES = {"Float": "f4", "Double": "f8", "Half": "f2", "BFloat16": "u2", "Long": "i8", "Int": "i4"}
_TYPES |= {"Short": "i2", "Char": "i1", "Byte": "u1", "Bool": "?"}
_TYPES = {f"torch.{name}Storage": dtype for name, dtype in _TYPES.items()}
_BFLOAT16 = "torch.BFloat16Storage"


@dataclasses.dataclass(frozen=True)
class _Storage:
    """A row of numbers in the file."""

    kind: str
    key: str
    count: int

    @property
    def size(self) -> int:
        return self.count * np.dtype(_TYPES[self.kind]).itemsize


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides count numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.storage, _Storage) or type(self.shape) is not tuple:
            raise ValueError("it holds a tensor without storage or shape")
        numbers = (self.offset, *self.shape, *self.strides)
        if any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError("a tensor's shape, strides and offset are not all whole numbers")
        if len(self.shape) != len(self.strides) or len(self.shape) > MAX_AXES:
            raise ValueError(f"expected a stride for each of at most {MAX_AXES} axes of a tensor")
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((side - 1) * stride for side, stride in steps)
        if self.count and last >= self.storage.count:
            raise ValueError(
                f"it holds a tensor of shape {self.shape} that reaches past its storage of "
                f"{self.storage.count} numbers"
            )

    @property
    def count(self) -> int:
        return math.prod(self.shape)


def read_torch(path: str | Path) -> dict[str, Any]:
    """Reads the state dict from a file that `torch.save` wrote.

    Args:
        path: of a zip archive (since PyTorch 1.6) or the stream of older ones, holding a dict of
            tensors, plainly or under "state_dict".

    Returns:
        Name -> array, and what else the dict holds as it is. Floats of any width become float32
        (NumPy has no bfloat16); others keep their type.

    Raises:
        ValueError: the file is of another kind, damaged, larger than 1 GB (2**30 bytes), or names
            anything that tensors do not need, such as a module's class: nothing of that is run.
        OSError: it cannot be read.
    """
    path = Path(path)
    try:
        return _read(path)
    except _DAMAGE as error:
        raise ValueError(
            f"expected a torch file of tensors, '{path}' is not: {error}. If you trust its source, "
            "read it in PyTorch and write the tensors alone: torch.save(model.state_dict(), path)"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"it has {size} bytes, over the limit of {MAX_BYTES}")
    data = io.BytesIO(path.read_bytes())
    if data.getvalue().startswith(_ZIP):
        return _read_zip(data)
    if data.getvalue().startswith(_STREAM):
        return _read_stream(data)
    raise ValueError("it is neither a zip archive nor the older stream that torch.save writes")


def _read_zip(file: io.BytesIO) -> dict[str, Any]:
    with zipfile.ZipFile(file) as archive:
        check_packing(archive.infolist())
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise ValueError(f"it unpacks to more than {MAX_BYTES} bytes")
        roots = [name.removesuffix("data.pkl") for name in sizes if name.endswith("/data.pkl")]
        if len(roots) != 1 or f"{roots[0]}constants.pkl" in sizes:
            raise ValueError("it is a TorchScript program or another archive, no state dict")
        root = roots[0]
        state = _read_state(io.BytesIO(archive.read(f"{root}data.pkl")), {})
        big = f"{root}byteorder" in sizes and archive.read(f"{root}byteorder") == b"big"
        blocks = {}
        for storage in _storages(state):
            name = f"{root}data/{storage.key}"
            if sizes.get(name) != storage.size:
                raise ValueError(
                    f"storage {storage.key!r:.40} is absent or not {storage.size} bytes"
                )
            blocks[storage.key] = archive.read(name)
    return _arrays(state, blocks, big)


def _read_stream(file: io.BytesIO) -> dict[str, Any]:
    _, version, system = (read_pickle(file, {}) for _ in range(3))
    if version != 1001 or not isinstance(system, dict):
        raise ValueError("it is of an unknown version of the older format")
    storages: dict[str, _Storage] = {}
    state = _read_state(file, storages)
    keys = read_pickle(file, {})
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise ValueError("its list of storages does not fit its tensors")
    blocks = {}
    for storage in (storages[str(key)] for key in keys):
        count, blocks[storage.key] = int.from_bytes(file.read(8), "little"), file.read(storage.size)
        if count != storage.count or len(blocks[storage.key]) < storage.size:
            raise ValueError(f"storage {storage.key!r:.40} is cut (is the file whole?)")
    return _arrays(state, blocks, big=not system.get("little_endian", True))


def _read_state(file: io.BytesIO, storages: dict[str, _Storage]) -> dict[str, Any]:
    """Reads the pickle of a state dict, with `_Tensor` in it; notes the storages by key."""

    def storage(word, kind, key, location, count, view=None) -> _Storage:
        known = isinstance(kind, Name) and kind.text in _TYPES and type(key) in (str, int)
        if word != "storage" or not known or type(count) is not int or view is not None:
            raise ValueError("it refers to something other than a storage of plain numbers")
        result = _Storage(kind.text, str(key), count)
        if not 0 <= result.size <= MAX_BYTES or storages.setdefault(str(key), result) != result:
            raise ValueError(f"storage {key!r:.40} has an impossible size, or two")
        return result

    calls = dict.fromkeys(_TYPES)
    calls["collections.OrderedDict"] = lambda: {}  # filled by other opcodes
    calls["torch._utils._rebuild_tensor_v2"] = lambda *parts: _Tensor(*parts[:4])
    calls["torch._utils._rebuild_parameter"] = lambda tensor, *_: tensor
    value = read_pickle(file, calls, storage)
    state = value.get("state_dict", value) if isinstance(value, dict) else value
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__} in place of a dict")
    return {str(name): item for name, item in state.items()}


def _storages(state: dict[str, Any]) -> set[_Storage]:
    storages = {tensor.storage for tensor in state.values() if isinstance(tensor, _Tensor)}
    if len({storage.key for storage in storages}) < len(storages):
        raise ValueError("a storage is used with two types")
    return storages


def _arrays(state: dict[str, Any], blocks: dict[str, bytes], big: bool) -> dict[str, Any]:
    tensors = [tensor for tensor in state.values() if isinstance(tensor, _Tensor)]
    if sum(tensor.count for tensor in tensors) * 4 > MAX_BYTES:
        raise ValueError(f"its tensors unfold to more than {MAX_BYTES} bytes")
    return {
        name: _array(item, blocks[item.storage.key], big) if isinstance(item, _Tensor) else item
        for name, item in state.items()
    }


def _array(tensor: _Tensor, block: bytes, big: bool) -> np.ndarray:
    dtype = np.dtype(_TYPES[tensor.storage.kind])
    numbers = np.frombuffer(block, dtype.newbyteorder(">" if big else "<"))
    if not tensor.count:
        numbers, strides = np.zeros(1, dtype), (0,) * len(tensor.shape)
    else:
        numbers, strides = numbers[tensor.offset :], tensor.strides
    steps = [stride * dtype.itemsize for stride in strides]
    array = np.lib.stride_tricks.as_strided(numbers, tensor.shape, steps).astype(dtype)
    if tensor.storage.kind == _BFLOAT16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32) if dtype.kind == "f" else array
