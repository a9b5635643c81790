"""I4: pictures that cost time: fillers in front of the pixels, thousands of scans."""

import struct
import zlib

import numpy as np
import pytest
from pictures import COLOUR, PALETTE, encoded

from posekit.images import (
    ImageError,
    decode_image,
    image_orientation,
    image_size,
    is_animated,
    read_image,
)


def chunk(name, content=b""):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name))


def with_scans(count):
    """A progressive JPEG whose last scan, of the last bits of a colour, comes again and again."""
    data = encoded(COLOUR, "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    scans = data.count(b"\xff\xda")
    return data[:-2] + scan * (count - scans) + b"\xff\xd9"


PNG, JPEG, GIF = (
    encoded(image, kind) for image, kind in ((COLOUR, "PNG"), (COLOUR, "JPEG"), (PALETTE, "GIF"))
)
COLOURS = 13 + 768  # where the first block of a GIF begins
FILLED = {
    "png": lambda n: PNG[:33] + chunk(b"abCd") * n + PNG[33:],
    "jpg": lambda n: JPEG[:2] + b"\xff" * n + JPEG[2:],
    "gif": lambda n: GIF[:COLOURS] + b"\x21\xfe\x01a\0" * n + GIF[COLOURS:],
}


@pytest.mark.parametrize("kind", FILLED)
def test_i4_fillers_in_front_of_the_pixels_are_not_read_to_their_end(kind, tmp_path, watch):
    path = tmp_path / "a.jpg"
    path.write_bytes(FILLED[kind](2_000_000))
    decode_image(JPEG)  # TensorFlow is there
    watch(10)
    for read in (read_image, image_size, image_orientation, is_animated):
        with pytest.raises(ImageError, match="pieces beside the pixels") as error:
            read(path)
        assert error.value.path == path
    path.write_bytes(FILLED[kind](1000))
    np.testing.assert_array_equal(read_image(path), decode_image(FILLED[kind](0)))


def test_i4_a_jpeg_of_thousands_of_scans_is_refused_undecoded():
    with pytest.raises(ImageError, match="expected at most 100 scans, received more"):
        decode_image(with_scans(5000))
    assert decode_image(with_scans(11)).shape == (48, 64, 3)
    end = b"\xff\xfe\x00\x04\xff\xd9"  # within a comment it is none
    for data in (with_scans(5000), JPEG[:-2] + end * 2000 + JPEG[-2:]):
        last = data.rindex(b"\xff\xda", 0, data.index(b"\xff\xda") + 4000)
        with pytest.raises(ImageError, match="expected at most 100 scans, received more"):
            decode_image(data[:last] + end + data[last:])
    marks = b"\xff\xda" * 200  # behind the end and in a comment they are no scans
    comment = b"\xff\xfe" + struct.pack(">H", len(marks) + 2) + marks
    data = JPEG[:2] + comment + JPEG[2:]
    np.testing.assert_array_equal(decode_image(data + marks), decode_image(JPEG))
