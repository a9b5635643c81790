"""Middlebury's .flo files: read, written, and a folder of them as a source of flow."""

import dataclasses
import os
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from posekit.atomic_files import replaced_file
from posekit.frames import Frame
from tracking.flow_field import Flow

MAGIC = b"PIEH"
UNKNOWN = 1e9
"""Beyond this, a component says that the flow of its pixel is not known; written as 1e10."""
_HEADER = np.dtype([("magic", "S4"), ("width", "<i4"), ("height", "<i4")])

Naming = Literal["index", "name"]


class FloError(ValueError):
    """A .flo file that cannot be used, or none for a pair of frames."""

    exit_code = 2


def read_flo(path: str | Path) -> Flow:
    """Reads a .flo file: "PIEH", width, height, then dx and dy of each pixel, little-endian.

    Args:
        path: of a regular file.

    Returns:
        Flow; where the file has a component beyond 1e9 ("unknown"), zero and not reliable. A file
        without such pixels says nothing of reliability: None.

    Raises:
        FloError: the file is absent, no .flo, cut, too long, or has NaN in it.
    """
    path = Path(path)
    if not path.is_file():
        raise FloError(f"expected a .flo file, found none at '{path}'; check the path")
    with path.open("rb") as file:
        # The header must agree with the size of the file before anything is made of its numbers.
        height, width = _size(file.read(_HEADER.itemsize), os.fstat(file.fileno()).st_size, path)
        vectors = np.fromfile(file, "<f4", 2 * height * width)
    if vectors.size != 2 * height * width:  # cut while it was being read
        raise FloError(f"'{path}': expected {2 * height * width} numbers, received {vectors.size}")
    vectors = vectors.reshape(height, width, 2)
    if np.isnan(vectors).any():
        raise FloError(f"'{path}': expected numbers, received NaN; recompute it")
    unknown = (np.abs(vectors) > UNKNOWN).any(axis=2)
    if not unknown.any():
        return Flow(vectors)
    return Flow(np.where(unknown[..., None], np.float32(0), vectors), ~unknown)


def _size(header: bytes, length: int, path: Path) -> tuple[int, int]:
    """(height, width) of a file's pixels."""
    if len(header) < _HEADER.itemsize or header[:4] != MAGIC:
        raise FloError(f"'{path}': expected a .flo file that starts with PIEH, it is none")
    facts = np.frombuffer(header, _HEADER)[0]
    width, height = int(facts["width"]), int(facts["height"])
    if width < 1 or height < 1 or length != _HEADER.itemsize + 8 * width * height:
        raise FloError(
            f"'{path}': expected {_HEADER.itemsize} + 8 width height bytes, received {length} with "
            f"width {width} and height {height}; it is cut or damaged"
        )
    return height, width


def write_flo(path: str | Path, flow: Flow) -> None:
    """Writes a .flo file, whole or not at all.

    Args:
        path: of the file.
        flow: pixels that are not reliable are written as unknown, which loses their vectors.

    Raises:
        OSError: when it cannot be written.
    """
    height, width = flow.size
    vectors = flow.vectors
    if flow.reliable is not None:
        vectors = np.where(flow.reliable[..., None], vectors, np.float32(10 * UNKNOWN))
    header = np.array((MAGIC, width, height), _HEADER)
    with replaced_file(path) as scratch, scratch.open("wb") as file:
        file.write(header.tobytes())
        file.write(np.ascontiguousarray(vectors, "<f4"))


@dataclasses.dataclass(frozen=True)
class FloFolder:
    """A flow source: .flo files that some other program wrote, from each frame to the next one.

    Args:
        folder: of the files.
        naming: by which of the first frame's properties its file is called: "index" (000000.flo is
            the flow from frame 0 to frame 1) or "name" (street7.flo that from street7.jpg to the
            picture after it). Both are met, and where pictures are called by numbers only the
            caller can tell which it is.

    Raises:
        FloError: the folder is not there.
    """

    folder: Path
    naming: Naming = "index"
    neighbours_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not Path(self.folder).is_dir():
            raise FloError(f"expected a folder of .flo files, found none at '{self.folder}'")

    def __call__(self, first: Frame, second: Frame) -> Flow:
        """Reads the flow from the first frame to the second.

        Raises:
            FloError: the frames are no neighbours, there is no such file, or it does not fit.
        """
        if second.index != first.index + 1 or first.size != second.size:
            raise FloError(
                "a folder of .flo files holds the flow from a frame to the next one of its size; "
                f"expected such frames, received {_word(first)} and {_word(second)}"
            )
        path = Path(self.folder) / flo_name(first, self.naming)
        flow = read_flo(path)
        if flow.size != first.size:
            raise FloError(
                f"'{path}': expected the size of frame {_word(first)}, received "
                f"{flow.size[0]}x{flow.size[1]}"
            )
        return flow


def flo_name(first: Frame, naming: Naming) -> str:
    """Names the file of the flow from a frame to the next one.

    Raises:
        FloError: by name, for a frame that has none.
    """
    if naming == "index":
        return f"{first.index:06d}.flo"
    if not Path(first.name).stem:
        raise FloError(
            f"frame {first.index} has no name to find its .flo file by; use naming 'index'"
        )
    return f"{Path(first.name).stem}.flo"


def _word(frame: Frame) -> str:
    height, width = frame.size
    return f"{frame.index} {frame.name!r} ({height}x{width})".replace(" ''", "")
