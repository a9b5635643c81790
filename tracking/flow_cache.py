"""Flow kept on disk by what was in the frames, so that no pair of frames is computed twice."""

import contextlib
import hashlib
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np

from posekit.atomic_files import TEMPORARY_PREFIX, replaced_file, whole_files
from posekit.frames import Frame
from tracking.flow import FlowSource, check_pair
from tracking.flow_field import Flow

STEP = 1 / 64
"""Pixels; vectors are kept in whole steps, so the error is at most half of one."""
ABANDONED = 3600
"""Seconds after which a file that is not finished will not be."""
_LARGEST = 32_767
# What NumPy and zipfile raise for damaged files; NotImplementedError is a RuntimeError.
_DAMAGE = (ValueError, TypeError, KeyError, EOFError, RuntimeError, MemoryError, OSError)
_DAMAGE += (zipfile.BadZipFile, zlib.error)


class CachedFlow:
    """A flow source that asks another one once for each pair of frames, and keeps the answers.

    A file is named by a hash of both pictures and of the other source's `key`, so files of many
    videos and settings share a folder, and several processes may, too. A damaged file is computed
    anew. Vectors are rounded to 1/64 pixel (error up to 0.008 pixels; beyond 512 pixels the step
    doubles until they fit), in the first answer too: both runs see the same numbers.

    Args:
        source: with a property `key`, a text that tells what its flow depends on beside the frames.
        folder: made where it is absent.
        limit: bytes of all files; the oldest are removed to stay under it. None: no limit.

    Raises:
        ValueError: a source without key, or a limit below 0.
        OSError: when the folder or a file cannot be written.
    """

    def __init__(self, source: FlowSource, folder: str | Path, limit: int | None = None) -> None:
        if not isinstance(getattr(source, "key", None), str):
            raise ValueError(
                f"expected a flow source with a text `key`, received {type(source).__name__}; "
                "files of a folder need no cache"
            )
        if limit is not None and limit < 0:
            raise ValueError(f"expected a limit in bytes from 0, received {limit}")
        self.source = source
        self.folder = Path(folder)
        self.limit = limit
        self._unseen = limit or 0  # bytes written since the folder was looked at; at first: look
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, first: Frame, second: Frame) -> Flow:
        """Returns the flow from the first frame to the second."""
        check_pair(first.image, second.image)
        path = self.path_of(first, second)
        flow = read_packed(path, first.size)
        if flow is not None:
            return flow
        flow = write_packed(path, self.source(first, second))
        self._stay_under_limit(path)
        return flow

    def path_of(self, first: Frame, second: Frame) -> Path:
        """Names the file of a pair of frames, whether it is there or not."""
        digest = hashlib.blake2b(self.source.key.encode(), digest_size=20)
        for frame in (first, second):
            digest.update(repr(frame.image.shape).encode())
            digest.update(np.ascontiguousarray(frame.image))
        return self.folder / f"{digest.hexdigest()}.npz"

    def _stay_under_limit(self, path: Path) -> None:
        """Looks at the folder after each tenth of the limit, and then leaves a tenth free."""
        if self.limit is None:
            return
        with contextlib.suppress(FileNotFoundError):  # another process removed it
            self._unseen += path.stat().st_size
        if self._unseen < self.limit / 10:
            return
        self._unseen = 0
        remove_oldest(self.folder, int(0.9 * self.limit))


def write_packed(path: str | Path, flow: Flow) -> Flow:
    """Writes a flow in few bytes: 0.2 MB at 640x360, a ninth of what it takes in memory.

    What is stored is by how much a pixel's steps differ from those of its neighbours, since flow is
    smooth: 40 % less after compression than the steps themselves.

    Args:
        path: of the .npz to write; whole or not at all.
        flow: any.

    Returns:
        The flow as `read_packed` will read it.

    Raises:
        OSError: when it cannot be written.
    """
    largest = float(np.abs(flow.vectors).max())
    step = STEP
    while largest > step * _LARGEST:
        step *= 2
    steps = np.rint(flow.vectors.transpose(2, 0, 1) / np.float32(step)).astype(np.int16)
    zero = np.int16(0)  # differences may wrap around; so do the sums, back to where they were
    packed = np.diff(np.diff(steps, axis=2, prepend=zero), axis=1, prepend=zero)
    arrays = {"steps": packed, "step": np.float64(step)}
    if flow.reliable is not None:
        arrays["reliable"] = np.packbits(flow.reliable)
    with (
        replaced_file(path) as scratch,
        # As np.savez_compressed, at a third of the time: it has no level.
        zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return Flow(_vectors(steps, step), flow.reliable)


def read_packed(path: str | Path, size: tuple[int, int]) -> Flow | None:
    """Reads what `write_packed` wrote.

    Args:
        path: of the file.
        size: (height, width) that the flow must have.

    Returns:
        The flow; None where the file is absent, damaged, or of another size.
    """
    height, width = size
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > 5 * height * width + 4096:
                return None  # would unpack to more than such a flow takes
        with np.load(path, allow_pickle=False) as arrays:
            packed, step = arrays["steps"], float(arrays["step"])
            bits = arrays.get("reliable")
        if packed.shape != (2, height, width) or packed.dtype != np.int16 or not step > 0:
            return None
        steps = np.cumsum(np.cumsum(packed, axis=1, dtype=np.int16), axis=2, dtype=np.int16)
        return Flow(_vectors(steps, step), None if bits is None else _unpacked(bits, size))
    except _DAMAGE:
        return None


def remove_oldest(folder: Path, limit: int) -> None:
    """Removes the oldest files of a cache until the others take at most `limit` bytes.

    Files that were begun an hour ago and never finished go too: their process was killed.
    """
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # another process removed it
            if path.stat().st_mtime < time.time() - ABANDONED:
                path.unlink()
    sizes = []
    for path in whole_files(folder, ".npz"):
        try:
            facts = path.stat()
        except FileNotFoundError:  # another process removed it
            continue
        sizes.append((facts.st_mtime_ns, facts.st_size, path))
    total = sum(size for _, size, _ in sizes)
    for _, size, path in sorted(sizes):
        if total <= limit:
            return
        path.unlink(missing_ok=True)
        total -= size


def _vectors(steps: np.ndarray, step: float) -> np.ndarray:
    """(2, H, W) int16 -> (H, W, 2) float32."""
    return np.ascontiguousarray(steps.transpose(1, 2, 0)) * np.float32(step)


def _unpacked(bits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    if bits.shape != (-(-height * width // 8),):
        raise ValueError(f"expected a bit for each of {height * width} pixels")
    return np.unpackbits(bits, count=height * width).astype(bool).reshape(size)
