"""Videos that were not written by the code under test, some with faults."""

from fractions import Fraction

import av
import cv2
import numpy as np

ORANGE = (220, 120, 30)


def picture(index, size=(96, 128)):
    """A square of 20 pixels whose left edge is at 4 * index, on grey."""
    image = np.full((*size, 3), 60, np.uint8)
    image[40:60, 4 * index : 4 * index + 20] = ORANGE
    return image


def square(image):
    """The colour of the square's middle and the x of its left edge."""
    orange = (image[..., 0].astype(int) - image[..., 2]) > 100
    columns = np.nonzero(orange[50])[0]
    return image[50, columns[len(columns) // 2]].astype(int), columns[0]


def encode(path, images, codec="libx264", stamps=None, pixels="yuv420p", orient=None, **options):
    """Writes with PyAV alone, so that what is read was not written by the code under test."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if orient:
            stream.set_display_rotation(*orient)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def noise(count, size=(96, 128)):
    """Pictures that need many bytes, so that damage hits frames and not the header."""
    return list(np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8))


def kinds(video):
    return [(fault.kind, fault.frame) for fault in video.faults]


def indices(video, **options):
    return [frame.index for frame in video.frames(**options)]


def opencv_video(path, images, codec="MJPG"):
    """Writes with OpenCV, as most programs on the net do."""
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, (width, height))
    for image in images:
        writer.write(image)
    writer.release()
    return path


def declare(path, frames):
    """Changes how many frames an AVI says it has: in its own header and in its stream's."""
    data = bytearray(path.read_bytes())
    for chunk, place in ((b"avih", 16), (b"strh", 32)):
        start = data.index(chunk) + 8 + place
        data[start : start + 4] = frames.to_bytes(4, "little")
    path.write_bytes(data)
    return path
