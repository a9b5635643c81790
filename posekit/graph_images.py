"""Encoded pictures to RGB inside a TensorFlow graph, by the rules of `images`, for servers."""

import tensorflow as tf

from posekit.images import MAX_PIXELS

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"


def decode_in_graph(data: tf.Tensor, max_pixels: int = MAX_PIXELS) -> tf.Tensor:
    """Decodes one JPEG or PNG file to the same pixels as `images.decode_image`.

    Args:
        data: () string, the content of the file.
        max_pixels: largest accepted height * width, read from the header before decoding.

    Returns:
        (H, W, 3) uint8 RGB, as stored: the EXIF orientation is ignored, as no TensorFlow operation
        reads it. Alpha is ignored, grey becomes RGB, 16-bit values lose their low byte.

    Raises:
        tf.errors.InvalidArgumentError: when it runs: another format, damaged, or too large.

    Not `tf.io.decode_image`, whose transform for JPEG is up to 3 levels off the accurate one.
    """
    is_jpeg = tf.strings.substr(data, 0, len(_JPEG)) == _JPEG
    is_png = tf.strings.substr(data, 0, len(_PNG)) == _PNG
    known = tf.debugging.Assert(
        is_jpeg | is_png, ["expected the bytes of a JPEG or PNG file, received another format"]
    )
    with tf.control_dependencies([known]):
        size = tf.cond(is_jpeg, lambda: _jpeg_size(data), lambda: _png_size(data))
    pixels = tf.reduce_prod(tf.cast(size, tf.float32))  # an integer product could overflow
    message = f"expected 1 to {max_pixels} pixels, received (height, width):"
    small = tf.debugging.Assert((0 < pixels) & (pixels <= max_pixels), [message, size])
    with tf.control_dependencies([small]):
        return tf.cond(is_jpeg, lambda: _decode_jpeg(data), lambda: tf.io.decode_png(data, 3))


def _decode_jpeg(data: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")


def _jpeg_size(data: tf.Tensor) -> tf.Tensor:
    return tf.image.extract_jpeg_shape(data)[:2]


def _png_size(data: tf.Tensor) -> tf.Tensor:
    """Reads (height, width) of the header, which comes first in every PNG: width, then height."""
    # Padded, because the error of a `substr` beyond the end quotes the bytes, which are no UTF-8.
    header = tf.strings.substr(tf.strings.join([data, b"\0" * 24]), 16, 8)
    return tf.io.decode_raw(header, tf.int32, little_endian=False)[::-1]
