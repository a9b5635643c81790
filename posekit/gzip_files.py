"""Files that may be gzipped, for readers that know plain files only."""

import contextlib
import gzip
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from posekit.regular_files import check_regular

_PIECE = 1 << 20


@contextlib.contextmanager
def plain_file(path: str | Path, max_bytes: int = 1 << 30) -> Iterator[Path]:
    """Yields the path itself or, for a `.gz` file, that of an unpacked copy.

    The copy has the file's name without `.gz`, in a temporary folder that goes at the end. In a
    ValueError that a reader raises on the copy, its path is replaced by that of the file.

    Args:
        path: of a file.
        max_bytes: largest accepted unpacked size; unpacking stops there, whatever the file says.

    Raises:
        ValueError: the file is no gzip file, cut, damaged, or unpacks to more than `max_bytes`.
        OSError: it cannot be read, is a pipe or device, or the disk is full.
    """
    path = Path(path)
    if path.suffix != ".gz":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.stem)
        _unpack(path, copy, max_bytes)
        try:
            yield copy
        except ValueError as error:
            if str(copy) not in str(error):
                raise
            raise ValueError(str(error).replace(str(copy), str(path))) from None


def _unpack(path: Path, copy: Path, max_bytes: int) -> None:
    check_regular(path)
    with path.open("rb") as packed, copy.open("wb") as plain:
        pieces = iter(_pieces(packed, path))
        while piece := next(pieces, b""):
            plain.write(piece)
            if plain.tell() > max_bytes:
                raise ValueError(f"{path}: expected at most {max_bytes} bytes when unpacked")


def _pieces(packed, path: Path) -> Iterator[bytes]:
    # Only reading is caught here: a full disk must not be taken for a damaged file.
    try:
        with gzip.GzipFile(fileobj=packed) as file:
            while piece := file.read(_PIECE):
                yield piece
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: expected a whole gzip file, received: {error}") from None
