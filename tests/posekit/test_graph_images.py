import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from posekit.graph_images import decode_in_graph
from posekit.images import decode_image

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 51, 3), np.uint8)


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def decode(data):
    return decode_in_graph(data, max_pixels=37 * 51)


def encode(mode: str, file_format: str, pixels=PIXELS, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, file_format, **options)
    return file.getvalue()


JPEG, PNG = encode("RGB", "JPEG"), encode("RGB", "PNG")
TURNED = Image.Exif()
TURNED[0x0112] = 6
DEEP = io.BytesIO()
Image.fromarray(np.arange(0, 65536, 7, np.uint16)[:1800].reshape(36, 50)).save(DEEP, "PNG")
# Headers that promise 60000 x 60000 pixels, a product beyond 32 bits, and a negative width.
_FRAME = JPEG.index(b"\xff\xc0") + 5
HUGE_JPEG = JPEG[:_FRAME] + struct.pack(">HH", 60000, 60000) + JPEG[_FRAME + 4 :]
HUGE_PNG = PNG[:16] + struct.pack(">II", 60000, 60000) + PNG[24:]
NEGATIVE_PNG = PNG[:16] + struct.pack(">II", 1 << 31, 1) + PNG[24:]


@pytest.mark.parametrize(
    "data",
    [
        JPEG,
        PNG,
        encode("L", "JPEG"),
        encode("CMYK", "JPEG"),
        encode("RGB", "JPEG", exif=TURNED),
        encode("P", "PNG"),
        encode("RGBA", "PNG"),
        DEEP.getvalue(),
    ],
)
def test_pixels_are_those_of_the_python_path(data):
    np.testing.assert_array_equal(decode(data), decode_image(data))


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "expected the bytes of a JPEG or PNG"),
        (b"<html>", "expected the bytes of a JPEG or PNG"),
        (encode("RGB", "BMP"), "expected the bytes of a JPEG or PNG"),
        (JPEG[:-200], "Invalid JPEG data"),
        (JPEG[:20], "Invalid JPEG data"),
        (PNG[:100], "Invalid PNG"),
        (PNG[:20], r"expected 1 to 1887 pixels.* \[0 51\]"),
        (PNG[:10], r"expected 1 to 1887 pixels.* \[0 0\]"),
        (HUGE_JPEG, r"expected 1 to 1887 pixels.* \[60000 60000\]"),
        (HUGE_PNG, r"expected 1 to 1887 pixels.* \[60000 60000\]"),
        (NEGATIVE_PNG, "expected 1 to 1887 pixels"),
        (encode("RGB", "PNG", np.zeros((38, 51, 3), np.uint8)), r"received .* \[38 51\]"),
    ],
)
def test_other_bytes_are_refused(data, reason):
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        decode(data)
