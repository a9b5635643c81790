import concurrent.futures
import io
import os
import struct
import subprocess
import sys
import threading
import zlib

import cv2
import numpy as np
import pytest
from pictures import ALPHA, BITS, COLOUR, GREY, PALETTE, RGB
from PIL import Image, ImageOps

from posekit.images import (
    ImageError,
    decode_image,
    image_orientation,
    image_size,
    is_animated,
    read_image,
)


def encoded(image, name, **options):
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def with_alpha(image):
    image = image.copy()
    image.putalpha(ALPHA)
    return image


def png_16_bit(pixels):
    return cv2.imencode(".png", pixels)[1].tobytes()


JPEG = encoded(COLOUR, "JPEG", quality=95)
PNG = encoded(COLOUR, "PNG")

KINDS = {
    "png": (PNG, COLOUR),
    "grey": (encoded(GREY, "PNG"), GREY),
    "grey alpha": (encoded(with_alpha(GREY), "PNG"), GREY),
    "alpha": (encoded(with_alpha(COLOUR), "PNG"), COLOUR),
    "palette": (encoded(PALETTE, "PNG"), PALETTE),
    "palette alpha": (encoded(PALETTE, "PNG", transparency=3), PALETTE),
    "1 bit": (encoded(BITS, "PNG"), BITS),
    # 200 in the low byte must be dropped, and dark pictures must not turn white.
    "16 bit": (png_16_bit(RGB[..., ::-1].astype(np.uint16) * 256 + 200), COLOUR),
    "16 bit grey": (png_16_bit(np.asarray(GREY).astype(np.uint16) * 256), GREY),
    "gif": (encoded(PALETTE, "GIF"), PALETTE),
    "gif animated": (
        encoded(PALETTE, "GIF", save_all=True, append_images=[PALETTE.rotate(180)]),
        PALETTE,
    ),
    "webp": (encoded(COLOUR, "WEBP", lossless=True), COLOUR),
    "webp alpha": (encoded(with_alpha(COLOUR), "WEBP", lossless=True, exact=True), COLOUR),
    "webp animated": (
        encoded(COLOUR, "WEBP", lossless=True, save_all=True, append_images=[GREY]),
        COLOUR,
    ),
    "bmp": (encoded(COLOUR, "BMP"), COLOUR),
    "bmp alpha": (encoded(with_alpha(COLOUR), "BMP"), COLOUR),
    "bmp palette": (encoded(PALETTE, "BMP"), PALETTE),
    "bmp grey": (encoded(GREY, "BMP"), GREY),
    "bmp 1 bit": (encoded(BITS, "BMP"), BITS),
    "jpeg": (JPEG, Image.open(io.BytesIO(JPEG))),
    "jpeg progressive": (
        encoded(COLOUR, "JPEG", quality=95, progressive=True),
        Image.open(io.BytesIO(JPEG)),
    ),
    "jpeg grey": (encoded(GREY, "JPEG", quality=100), GREY),
    "jpeg cmyk": (encoded(COLOUR.convert("CMYK"), "JPEG", quality=100), COLOUR),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_colours_of_its_twin(kind):
    data, twin = KINDS[kind]
    pixels = decode_image(data)
    assert pixels.shape == (48, 64, 3) and pixels.dtype == np.uint8
    difference = pixels.astype(int) - np.asarray(twin.convert("RGB"))
    assert np.abs(difference).max() <= 2
    assert image_size(data) == (48, 64)


def test_a_wrong_extension_does_not_matter(tmp_path):
    path = tmp_path / "ünï 日本 ☃.jpg"
    path.write_bytes(PNG)
    np.testing.assert_array_equal(read_image(path), RGB)
    np.testing.assert_array_equal(read_image(str(path)), RGB)
    assert image_size(path) == (48, 64)


def overwritten_scan():
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    data = bytearray(encoded(Image.fromarray(cv2.blur(noise, (9, 9))), "JPEG", quality=90))
    # In a scan, ff must be followed by 00 or by a marker that belongs there; c4 does not.
    data[len(data) // 2 : len(data) // 2 + 200] = b"\x12\xff\xc4\x34" * 50
    return bytes(data)


DAMAGED = {
    "half jpeg": JPEG[: len(JPEG) // 2],
    "jpeg less two bytes": JPEG[:-2],
    "overwritten jpeg": overwritten_scan(),
    "half png": PNG[: len(PNG) // 2],
    "png bad checksum": PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:],
    "half gif": KINDS["gif"][0][:1000],
    "half webp": KINDS["webp"][0][:60],
    "half bmp": KINDS["bmp"][0][:1000],
    "header only": JPEG[:40],
    "three bytes": b"\xff\xd8\xff",
    "sound": b"RIFF\0\0\0\0WAVEfmt ",
    "tiff": encoded(COLOUR, "TIFF"),
    "html": b"<!DOCTYPE html><title>404</title>",
    "empty": b"",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_bytes_are_refused_with_path_and_reason(damage, tmp_path):
    path = tmp_path / "bad.jpg"
    path.write_bytes(DAMAGED[damage])
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert caught.value.path == path and caught.value.reason
    assert str(path) in str(caught.value) and caught.value.reason in str(caught.value)
    with pytest.raises(ImageError):
        decode_image(DAMAGED[damage])


def test_the_reason_says_what_the_bytes_are():
    with pytest.raises(ImageError, match="expected JPEG, PNG.*DOCTYPE"):
        decode_image(DAMAGED["html"])


@pytest.mark.parametrize("name", ["missing.jpg", ".", "loop.jpg", "n" * 300, "nul\0.jpg"])
def test_paths_without_a_file_are_refused(name, tmp_path):
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    with pytest.raises(ImageError) as caught:
        read_image(f"{tmp_path}/{name}")
    assert caught.value.path == f"{tmp_path}/{name}"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(PNG)
    path.chmod(0)
    with pytest.raises(ImageError, match="denied"):
        read_image(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    errors = []

    def read():
        with pytest.raises(ImageError, match="regular file") as caught:
            read_image(path)
        errors.append(caught.value)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(timeout=300)
    assert len(errors) == 1


def png_chunk(name, content):
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png_bomb(height, width):
    rows = zlib.compress(bytes(10_000_000))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return PNG[:8] + header + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def jpeg_bomb(height, width):
    frame = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:frame] + struct.pack(">HH", height, width) + JPEG[frame + 4 :]


BOMBS = {
    "400 million": png_bomb(20000, 20000),
    "2500 million": png_bomb(50000, 50000),
    "jpeg": jpeg_bomb(60000, 60000),
}
REFUSE = """
import sys
from posekit.images import ImageError, decode_image

def peak():  # kB; ru_maxrss would count the parent process as well
    return next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)

data = open(sys.argv[1], "rb").read()
before = peak()
try:
    decode_image(data)
except ImageError as error:
    assert "pixels" in str(error), error
    assert peak() - before < 50_000
    assert "tensorflow" not in sys.modules
    print("refused")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_from_the_header(bomb, tmp_path):
    (tmp_path / "bomb").write_bytes(BOMBS[bomb])
    command = [sys.executable, "-c", REFUSE, str(tmp_path / "bomb")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.stdout == "refused\n", result.stderr


def test_the_limit_counts_pixels():
    assert decode_image(PNG, max_pixels=48 * 64).shape == (48, 64, 3)
    with pytest.raises(ImageError, match="48 x 64"):
        decode_image(PNG, max_pixels=48 * 64 - 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (20000, 1), (3, 5)])
def test_extreme_sizes(size):
    image = Image.fromarray(np.full((*size, 3), 77, np.uint8))
    for name in ("PNG", "JPEG", "BMP"):
        assert (np.abs(decode_image(encoded(image, name)).astype(int) - 77) <= 2).all()


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_exif_is_ignored_by_default_and_applied_on_request(orientation, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name == "WEBP" else {}
    data = encoded(COLOUR, name, exif=exif, **options)
    stored = decode_image(data)
    assert stored.shape == (48, 64, 3) and image_size(data) == (48, 64)
    upright = decode_image(data, exif=True)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert upright.shape == (expected.height, expected.width, 3)
    assert np.abs(upright.astype(int) - np.asarray(expected)).max() <= 2
    assert upright.flags.c_contiguous


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_exif_behind_the_pixels_of_a_png_is_found_without_decoding_them(tmp_path):
    data = encoded(COLOUR, "PNG", exif=turned(6))
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    late = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    np.testing.assert_array_equal(decode_image(late, exif=True), decode_image(data, exif=True))
    path = tmp_path / "bomb.png"
    path.write_bytes(png_bomb(50000, 50000)[:-12] + data[start:end] + data[-12:])
    assert image_orientation(path) == 6  # decoding would take 7.5 GB


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_counts_as_none(name, tmp_path):
    data = encoded(COLOUR, name, exif=turned(6))
    place = data.index(b"MM\0*")
    data = data[:place] + b"\xff\xff\xff\xff" + data[place + 4 :]
    if name == "PNG":
        start = data.index(b"eXIf")
        end = start + 4 + int.from_bytes(data[start - 4 : start], "big")
        data = data[:end] + struct.pack(">I", zlib.crc32(data[start:end])) + data[end + 4 :]
    assert decode_image(data, exif=True).shape == (48, 64, 3)
    (tmp_path / "a").write_bytes(data)
    assert image_orientation(tmp_path / "a") == 1


def test_animations_are_known(tmp_path):
    for kind in ("gif animated", "webp animated", "gif", "webp", "png", "jpeg", "bmp"):
        (tmp_path / "a").write_bytes(KINDS[kind][0])
        assert is_animated(tmp_path / "a") == ("animated" in kind)


def test_threads_and_tf_data_agree_with_one_thread():
    import tensorflow as tf

    datas = [KINDS[kind][0] for kind in KINDS] * 4
    alone = [decode_image(data) for data in datas]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decode_image, datas))
    np.testing.assert_array_equal(alone, together)

    def decode(data):
        return tf.numpy_function(decode_image, [data], tf.uint8)

    in_graph = list(tf.data.Dataset.from_tensor_slices(datas).map(decode, 4).as_numpy_iterator())
    np.testing.assert_array_equal(alone, in_graph)


def test_reading_leaves_real_files_alone_and_gives_their_stated_size(shared):
    path = shared / "data/formats/coco/000000000785.jpg"
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert read_image(path).shape == (425, 640, 3) == (*image_size(path), 3)
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
