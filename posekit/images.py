"""From bytes to an RGB array, with one verdict on damaged files everywhere.

Training, evaluation and prediction all read pictures here, because decoders disagree: OpenCV
returns half-grey pictures for cut JPEG files and turns pictures by their EXIF tag, Pillow clips
16-bit PNG to white. The rules are:

* JPEG, PNG, GIF, BMP and WebP are known by their first bytes, not by their name; anything else,
  TIFF included, is refused.
* The size is read from the header and refused above ``max_pixels`` before anything is decoded.
* JPEG and PNG pixels come from TensorFlow, which refuses cut files and scans with foreign
  markers; the rest from Pillow (TensorFlow 2.21 gets the colours of palette BMP wrong and refuses
  WebP with alpha). JPEG has no checksum: of 200 files with 200 random bytes in the scan,
  TensorFlow refused 111, Pillow 103, OpenCV none; the others decode with wrong colours.
* Grey, palette, CMYK and 1-bit pictures become RGB; alpha is ignored, not blended; 16-bit values
  lose their low byte; of an animation the first frame counts.
* The EXIF orientation is ignored, because annotations refer to the stored pixels;
  ``exif=True`` applies it, for pictures that come straight from a camera. Damaged EXIF data are
  none, so that they never decide whether a file is used.
"""

import contextlib
import io
import os
import re
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.Image import Image

from posekit.orientation import turn_upright

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


def read_image(
    path: str | os.PathLike, exif: bool = False, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Reads a picture file as RGB.

    Args:
        path: a regular file (links are followed; pipes and devices are refused, never waited for).
        exif: turn the picture upright by its EXIF orientation.
        max_pixels: largest accepted height * width.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: with the path and the reason.
    """
    with _opened(path) as file:
        if os.fstat(file.fileno()).st_size > 8 * max_pixels:
            raise ImageError(f"expected at most {8 * max_pixels} bytes", path)
        data = file.read()
    return decode_image(data, exif, max_pixels, path)


def decode_image(
    data: bytes,
    exif: bool = False,
    max_pixels: int = MAX_PIXELS,
    path: str | os.PathLike | None = None,
) -> np.ndarray:
    """Decodes the bytes of a picture file to RGB; safe to call from many threads.

    Args:
        data: the content of a JPEG, PNG, GIF, BMP or WebP file.
        exif: turn the picture upright by its EXIF orientation.
        max_pixels: largest accepted height * width, checked before decoding.
        path: named in errors.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: the bytes are no such picture, damaged, or more than `max_pixels`.
    """
    header = _open_header(io.BytesIO(data), path)
    _check_size(header, max_pixels, path)
    if header.format in ("JPEG", "PNG"):
        pixels = _decode_strictly(data, header.format, path)
    else:
        with _as_image_error(path):
            pixels = np.array(header.convert("RGB"))
    return turn_upright(pixels, _orientation(header)) if exif else pixels


def image_size(source: bytes | str | os.PathLike, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Reads the stored (height, width) of a picture from its header; decodes nothing.

    Args:
        source: a path, or the first bytes of a file (all of it, if it may be a WebP).
        max_pixels: largest accepted height * width.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    if isinstance(source, bytes):
        header = _open_header(io.BytesIO(source), None)
        _check_size(header, max_pixels, None)
        return header.height, header.width
    with _opened(source) as file:
        header = _open_header(file, source)
        _check_size(header, max_pixels, source)
        return header.height, header.width


def image_orientation(path: str | os.PathLike) -> int:
    """Reads the EXIF orientation, 1 to 8, of a picture file; 1 where none can be read.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    with _opened(path) as file:
        return _orientation(_open_header(file, path))


def is_animated(path: str | os.PathLike) -> bool:
    """Tells whether a picture file has frames behind the first one, which alone is read.

    Where what is behind it is damaged, nobody knows: False. It is no reason to refuse the first.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    with _opened(path) as file:
        header = _open_header(file, path)
        try:
            with _as_image_error(path):
                return bool(getattr(header, "is_animated", False))
        except ImageError:
            return False


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[BinaryIO]:
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
def _as_image_error(path: str | os.PathLike | None) -> Iterator[None]:
    # Pillow's readers answer damaged files with a dozen error types (OSError, SyntaxError,
    # struct.error, ...), so all of them count.
    try:
        yield
    except Exception as error:
        raise ImageError(f"damaged: {error}", path) from None


def _open_header(file: BinaryIO, path: str | os.PathLike | None) -> Image:
    start = file.read(16)
    file.seek(0)
    plugin = next((plugin for magic, plugin in _PLUGINS.items() if start.startswith(magic)), None)
    if not start:
        raise ImageError("the file is empty", path)
    if plugin is None or (start.startswith(b"RIFF") and start[8:12] != b"WEBP"):
        raise ImageError(
            f"expected JPEG, PNG, GIF, BMP or WebP, received bytes that start with {start!r}", path
        )
    with _as_image_error(path):
        return plugin(file)


def _check_size(header: Image, max_pixels: int, path: str | os.PathLike | None) -> None:
    if not 0 < header.height * header.width <= max_pixels:
        raise ImageError(
            f"expected 1 to {max_pixels} pixels, received {header.height} x {header.width}; "
            "scale the picture down or raise max_pixels",
            path,
        )


def _decode_strictly(data: bytes, file_format: str, path: str | os.PathLike | None) -> np.ndarray:
    import tensorflow as tf  # seconds to import, so only when pixels are wanted

    try:
        if file_format == "PNG":
            return tf.io.decode_png(data, channels=3).numpy()
        # The accurate transform costs nothing measurable and equals libjpeg's default.
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    except tf.errors.OpError as error:
        message = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", error.message).strip()
        raise ImageError(f"damaged: {message}", path) from None


def _orientation(header: Image) -> int:
    # Damaged EXIF data count as none: the pixels alone decide whether a file is used, so that
    # training, which does not read them, and prediction come to the same verdict.
    try:
        if header.format == "PNG" and "exif" not in header.info:
            header.info |= _exif_chunk(header.fp)
        # Not PngImageFile's own getexif, which decodes the pixels to look behind them.
        orientation = Image.getexif(header).get(_ORIENTATION_TAG, 1)
    except Exception:  # Pillow answers with as many error types as for pixels
        return 1
    return orientation if orientation in range(2, 9) else 1


def _exif_chunk(file: BinaryIO) -> dict[str, bytes]:
    """Finds the EXIF data of a PNG by the heads of its chunks; many programs put them last."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"eXIf":
            return {"exif": file.read(length)}
        file.seek(length + 4, os.SEEK_CUR)
    return {}
