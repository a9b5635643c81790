"""Writes frames as a video."""

import contextlib
import math
import os
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from posekit.atomic_files import FULL, WriteError
from posekit.video.faults import VideoError
from posekit.video.pyav import file_address, import_av

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

TIME_BASE = Fraction(1, 60_000)
"""Seconds per tick. Holds 24, 25, 30, 50, 59.94 and 60 frames per second and milliseconds exactly;
MPEG-4 Part 2 allows no finer one."""
_KEY_SECONDS = 2
"""Time between frames that need no other; a killed process loses at most about so much."""
_LATEST = 1e12
"""Seconds, so that ticks fit into 64 bits."""
_LONGEST = 2**31 - 1
"""Ticks between two frames; FFmpeg's mp4 takes no more."""
_SLOWEST = Fraction(1, 1001)
"""Frames per second, as the encoder's idea of the speed."""
_MPEG4_QUALITY = 3 * 118
"""Quantizer, from 1 (best) to 31, times FFmpeg's unit of it."""
FRAGMENTS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont",
    "avoid_negative_ts": "make_non_negative",
    "flush_packets": "1",
}
"""Options of an mp4 that is playable while it grows. `frag_discont` and `make_non_negative` keep
the time of the first frame, which would become 0."""


class VideoWriter:
    """An mp4 file (H.264, 4:2:0) with a time stamp of its own for every frame.

    The file is written in fragments and stays playable, up to the last whole fragment, when the
    process is killed. Use it in a `with` statement; without a frame no file is made.

    Args:
        path: of the file; its folder must exist.
        rate: frames per second where frames have no time; also the encoder's idea of the speed.
        size: (height, width) of the video; None takes the first frame's. A row or column is
            repeated where a number is odd, as 4:2:0 needs; frames of other sizes are scaled to fit,
            between black bars.
        quality: constant rate factor of x264; lower is better and larger.
        after: `latest` of the video that this one continues, so that times go on from there.

    Attributes:
        codec: "libx264", or "mpeg4" where this PyAV comes without; that gives a warning.
        num_frames: how many have been written.
        size: (height, width) of the video; None before the first frame where it was not given.
        latest: time stamp of the last frame in ticks of `TIME_BASE`; None before the first.

    Raises:
        VideoError: PyAV is missing, or the file cannot be made.
        WriteError: the disk is full.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        rate: float = 30.0,
        size: tuple[int, int] | None = None,
        quality: int = 23,
        after: int | None = None,
    ):
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"expected a rate above 0 frames per second, received {rate}")
        self.path = Path(path)
        self.codec = find_codec()
        self.num_frames = 0
        self.size = None if size is None else _even(size)
        self._rate = max(Fraction(rate).limit_denominator(1001), _SLOWEST)
        self._period = min(max(1, round(1 / (Fraction(rate) * TIME_BASE))), _LONGEST)
        self._quality = quality
        self.latest = after
        self._container = None

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Appends a frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            time: seconds; None: one frame period after the frame before. Files cannot hold a time
                before 0, nor one that is not later than the one before, which videos that were put
                one behind the other have: it becomes 0 or the next tick (1/60000 s).
        """
        av = import_av()
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f"expected (H, W, 3) uint8 RGB, received {image.shape} {image.dtype}")
        if time is not None and not abs(time) < _LATEST:
            raise ValueError(f"expected a time in seconds, below {_LATEST:g}, received {time}")
        if self._container is None:
            self._open(image.shape[:2])
        frame = av.VideoFrame.from_ndarray(fit(image, self.size), format="rgb24")
        frame = self._to_yuv.reformat(frame, format="yuv420p", dst_colorspace="ITU709")
        self.latest = self._ticks(time)
        frame.pts, frame.duration, frame.time_base = self.latest, self._period, TIME_BASE
        with self._full_disk_named():
            self._container.mux(self._stream.encode(frame))
        self.num_frames += 1

    def close(self) -> None:
        """Writes what the encoder still holds."""
        if self._container is None:
            return
        container, self._container = self._container, None
        with self._full_disk_named(), container:
            container.mux(self._stream.encode())

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _open(self, size: tuple[int, int]) -> None:
        av = import_av()
        self.size = self.size or _even(size)
        container = av.open(file_address(self.path), "w", format="mp4", options=FRAGMENTS)
        self._stream = self._add_stream(container)
        try:
            with self._full_disk_named():
                container.start_encoding()
        except WriteError:
            raise
        except (av.error.FFmpegError, OSError) as error:
            height, width = self.size
            raise VideoError(
                f"cannot be written with frames of {height} x {width} (H.264 takes 16384 pixels a "
                f"side): {error.strerror}",
                self.path,
            ) from None
        self._container = container
        self._to_yuv = av.video.reformatter.VideoReformatter()

    @contextlib.contextmanager
    def _full_disk_named(self) -> Iterator[None]:
        try:
            yield
        except (import_av().error.FFmpegError, OSError) as error:
            if getattr(error, "errno", None) not in FULL:
                raise
            raise WriteError.of(error, self.path.name) from error

    def _add_stream(self, container: "OutputContainer") -> "VideoStream":
        # Without B-frames packets are in the order of the frames, so that segments can be cut
        # behind any of them, and times need no shift.
        options = {"bf": "0", "crf": str(self._quality), "preset": "veryfast"}
        if self.codec == "mpeg4":
            options = {"bf": "0", "flags": "+qscale", "global_quality": str(_MPEG4_QUALITY)}
        stream = container.add_stream(self.codec, rate=self._rate, options=options)
        stream.height, stream.width = self.size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = TIME_BASE
        context.gop_size = max(1, round(_KEY_SECONDS * self._rate))
        # Players guess the colours of small and large videos differently where they are not told.
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # 16 to 235
        return stream

    def _ticks(self, time: float | None) -> int:
        latest = -self._period if self.latest is None else self.latest
        if time is None:
            return latest + self._period
        return max(round(time / TIME_BASE), latest + 1, 0)


def find_codec() -> str:
    """Returns "libx264", or "mpeg4" with a warning where this build of PyAV has no H.264 encoder.

    Raises:
        VideoError: PyAV is missing.
    """
    if "libx264" in import_av().codecs_available:
        return "libx264"
    warnings.warn(
        "this PyAV has no encoder libx264; writing MPEG-4 Part 2, which browsers do not play",
        stacklevel=2,
    )
    return "mpeg4"


def fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Brings a frame to the size of the video.

    Args:
        image: (H, W, 3) uint8.
        size: (height, width).

    Returns:
        (height, width, 3) uint8: the last row and column repeated where one is missing; else scaled
        to fit, in the middle between black bars.
    """
    missing = size[0] - image.shape[0], size[1] - image.shape[1]
    if set(missing) <= {0, 1}:
        return np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], "edge")
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas = np.zeros((*size, 3), np.uint8)
    canvas[top : top + height, left : left + width] = cv2.resize(
        image, (width, height), interpolation=way
    )
    return canvas


def _even(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] + size[0] % 2, size[1] + size[1] % 2
