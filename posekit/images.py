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

import io
import os
import re

import numpy as np

from posekit.image_headers import (
    MAX_PIXELS,
    ImageError,
    as_image_error,
    check_size,
    limit_reads,
    open_header,
    opened,
    orientation,
)
from posekit.orientation import turn_upright

MAX_SCANS = 100
"""Of a JPEG file: progressive ones have ten, and each costs as much as a picture."""
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


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
    with opened(path) as file:
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
    header = open_header(io.BytesIO(data), path)
    check_size(header, max_pixels, path)
    if header.format == "JPEG":
        _check_scans(data, header.fp.tell(), path)
    if header.format in ("JPEG", "PNG"):
        pixels = _decode_strictly(data, header.format, path)
    else:
        with as_image_error(path):
            pixels = np.array(header.convert("RGB"))
    return turn_upright(pixels, orientation(header)) if exif else pixels


def image_size(source: bytes | str | os.PathLike, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Reads the stored (height, width) of a picture from its header; decodes nothing.

    Args:
        source: a path, or the first bytes of a file (all of it, if it may be a WebP).
        max_pixels: largest accepted height * width.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    if isinstance(source, bytes):
        header = open_header(io.BytesIO(source), None)
        check_size(header, max_pixels, None)
        return header.height, header.width
    with opened(source) as file:
        header = open_header(file, source)
        check_size(header, max_pixels, source)
        return header.height, header.width


def image_orientation(path: str | os.PathLike) -> int:
    """Reads the EXIF orientation, 1 to 8, of a picture file; 1 where none can be read.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    with opened(path) as file:
        return orientation(open_header(file, path))


def is_animated(path: str | os.PathLike) -> bool:
    """Tells whether a picture file has frames behind the first one, which alone is read.

    Where what is behind it is damaged, nobody knows: False. It is no reason to refuse the first.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    with opened(path) as file:
        header = open_header(file, path)
        try:
            with as_image_error(path):
                limit_reads(header)
                return bool(getattr(header, "is_animated", False))
        except ImageError:
            return False


def _check_scans(data: bytes, start: int, path: str | os.PathLike | None) -> None:
    """Refuses a JPEG of thousands of scans; `start` is that of the first one's content.

    Within scans no other byte than a marker's follows 0xff; the segments between them are passed
    over by their lengths, whatever they hold; nothing is read behind the end.
    """
    scans = segments = 1
    while found := _MARKER.search(data, start):
        if found[0] == b"\xff\xd9":
            return
        scans += found[0] == b"\xff\xda"
        segments += 1
        if scans > MAX_SCANS or segments > 10 * MAX_SCANS:
            raise ImageError(f"expected at most {MAX_SCANS} scans, received more", path)
        start = found.end() + int.from_bytes(data[found.end() : found.end() + 2])


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
