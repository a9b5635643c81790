"""Picture files that tests make: good ones of every kind, damaged ones, and bombs."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

SIZE = (48, 64)
"""(height, width)."""
Y, X = np.mgrid[: SIZE[0], : SIZE[1]]
RGB = np.stack([4 * X, 5 * Y, 2 * (X + Y)], axis=-1).astype(np.uint8)
COLOUR = Image.fromarray(RGB)
GREY = COLOUR.convert("L")
PALETTE = COLOUR.quantize(200)
BITS = GREY.convert("1")
ALPHA = Image.fromarray((4 * X).astype(np.uint8))  # from transparent to opaque


def encoded(image: Image.Image, name: str, **options) -> bytes:
    """The content of a file in the format of that name."""
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    """An EXIF block that holds an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def with_alpha(image: Image.Image) -> Image.Image:
    """The image, transparent on the left."""
    image = image.copy()
    image.putalpha(ALPHA)
    return image


def png_16_bit(pixels: np.ndarray) -> bytes:
    """PNG of (H, W) or (H, W, 3) BGR uint16."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def noise(size: tuple[int, int] = (120, 160), seed: int = 0) -> Image.Image:
    """A picture whose JPEG scan is long."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return Image.fromarray(cv2.blur(pixels, (5, 5)))


def half(data: bytes) -> bytes:
    """The first half of a file."""
    return data[: len(data) // 2]


def less_two(data: bytes) -> bytes:
    """A JPEG without its end marker."""
    return data[:-2]


def overwritten(data: bytes) -> bytes:
    """A JPEG with 200 foreign bytes in its scan, markers among them that do not belong there."""
    middle = len(data) // 2
    return data[:middle] + b"\x12\xff\xc4\x34" * 50 + data[middle + 200 :]


def silently_overwritten(data: bytes) -> bytes:
    """A JPEG with foreign bytes in its scan that decode, to other colours."""
    middle = len(data) // 2
    return data[:middle] + b"\x12\x34\x56\x78" * 4 + data[middle + 16 :]


def png_chunk(name: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    sum_of = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + sum_of


def png_bomb(height: int, width: int) -> bytes:
    """A small PNG that promises so many pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = png_chunk(b"IDAT", zlib.compress(bytes(10_000_000)))
    return b"\x89PNG\r\n\x1a\n" + header + rows + png_chunk(b"IEND", b"")


def jpeg_bomb(height: int, width: int) -> bytes:
    """A small JPEG whose header promises so many pixels."""
    data = encoded(COLOUR, "JPEG")
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]
