"""What a picture file says of itself, read without decoding it; with one verdict on bad files."""

import contextlib
import math
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.Image import Image

MAX_PIXELS = 100_000_000
"""Largest accepted height * width."""

# The plugin classes are used directly: `PIL.Image.open` would try forty formats, some of which
# are known for security faults, and puts its own pixel limit before ours.
_PLUGINS = {
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"GIF8": GifImagePlugin.GifImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    b"RIFF": WebPImagePlugin.WebPImageFile,
}
_ORIENTATION_TAG = 0x0112
_MAX_READS = 200_000
"""In front of the pixels, or behind; cameras' files take some hundred. Of megabytes of filler
Pillow reads each byte, or chunk, by itself."""


class ImageError(ValueError):
    """A picture that cannot be used.

    Args:
        reason: what is wrong with it.
        path: the file, where the picture came from one.
    """

    exit_code = 2

    def __init__(self, reason: str, path: str | os.PathLike | None = None):
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return f"Cannot use image {self.path or '(bytes)'}: {self.reason}"


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Yields a regular file to read; what the system answers becomes an ImageError."""
    try:
        # Asked before opening, because opening a pipe waits for its writer.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ImageError("expected a regular file, received a folder, pipe or device", path)
        with Path(path).open("rb") as file:
            yield file
    except ImageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(reason, path) from None


@contextlib.contextmanager
def as_image_error(path: str | os.PathLike | None) -> Iterator[None]:
    """Turns whatever Pillow raises into an ImageError of that path."""
    # Pillow's readers answer damaged files with a dozen error types (OSError, SyntaxError,
    # struct.error, ...), so all of them count.
    try:
        yield
    except Exception as error:
        raise ImageError(f"damaged: {error}", path) from None


def open_header(file: BinaryIO, path: str | os.PathLike | None) -> Image:
    """Opens a picture by its first bytes, whatever it is called; pixels are not decoded.

    Raises:
        ImageError: no JPEG, PNG, GIF, BMP or WebP, or a damaged header.
    """
    start = file.read(16)
    file.seek(0)
    plugin = next((plugin for magic, plugin in _PLUGINS.items() if start.startswith(magic)), None)
    if not start:
        raise ImageError("the file is empty", path)
    if plugin is None or (start.startswith(b"RIFF") and start[8:12] != b"WEBP"):
        raise ImageError(
            f"expected JPEG, PNG, GIF, BMP or WebP, received bytes that start with {start!r}", path
        )
    with as_image_error(path):
        reads = _CountedReads(file)
        header = plugin(reads)
        reads.left = math.inf
    return header


class _CountedReads:
    """A file that refuses to be read too often; what Pillow asks of one."""

    def __init__(self, file: BinaryIO):
        self.seek, self.tell, self._file = file.seek, file.tell, file
        self.left = _MAX_READS

    def read(self, size: int = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"more than {_MAX_READS} pieces beside the pixels")
        return self._file.read(size)


def limit_reads(header: Image) -> None:
    """Lets an open picture be read only so often again: for what stands behind the pixels."""
    if isinstance(header.fp, _CountedReads):
        header.fp.left = _MAX_READS


def check_size(header: Image, max_pixels: int, path: str | os.PathLike | None) -> None:
    """Refuses a picture without pixels, or of too many."""
    if not 0 < header.height * header.width <= max_pixels:
        raise ImageError(
            f"expected 1 to {max_pixels} pixels, received {header.height} x {header.width}; "
            "scale the picture down or raise max_pixels",
            path,
        )


def orientation(header: Image) -> int:
    """Returns the EXIF orientation, 1 to 8, of an open picture; 1 where none can be read."""
    # Damaged EXIF data count as none: the pixels alone decide whether a file is used, so that
    # training, which does not read them, and prediction come to the same verdict.
    try:
        if header.format == "PNG" and "exif" not in header.info:
            limit_reads(header)
            header.info |= _exif_chunk(header.fp)
        # Not PngImageFile's own getexif, which decodes the pixels to look behind them.
        number = Image.getexif(header).get(_ORIENTATION_TAG, 1)
    except Exception:  # Pillow answers with as many error types as for pixels
        return 1
    return number if number in range(2, 9) else 1


def _exif_chunk(file: BinaryIO) -> dict[str, bytes]:
    """Finds the EXIF data of a PNG by the heads of its chunks; many programs put them last."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"eXIf":
            return {"exif": file.read(length)}
        file.seek(length + 4, os.SEEK_CUR)
    return {}
