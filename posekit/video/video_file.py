"""Video files and cameras, frame by frame."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posekit.frames import Frame
from posekit.images import MAX_PIXELS
from posekit.orientation import turn_upright
from posekit.video.faults import FaultList, VideoError
from posekit.video.pyav import file_address, import_av
from posekit.video.timestamps import Timestamps

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_PATIENCE = 100
"""Failed reads in a row after which a file counts as ended."""
# Rows of the display matrix -> EXIF orientation, see `posekit.orientation`.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}


class VideoFile:
    """A video file, or a camera, whose frames are decoded one after the other.

    Frames come upright: turned and mirrored as the file's display matrix says, which phones write.
    Damaged files are read as far as they go; `faults` says what was wrong. Opening decodes the
    first frame, so that the size is that of the frames.

    Args:
        path: a regular file (links are followed), or a camera's device.
        max_pixels: largest accepted height * width.
        device: how FFmpeg calls the kind of camera, "v4l2" on Linux; None for files.
        threads: of the decoder. More are faster (4 on two cores: 280 instead of 190 frames per
            second of 1088 x 1920 H.264), but in damaged files the guessed parts depend on their
            number, faults count as up to so many frames too early, and one near the end takes up to
            so many frames behind it along.

    Attributes:
        size: upright (height, width) of the first frame.
        rate: average frames per second as the file says; None where it does not.
        declared_frames: how many frames the file says it has; None where it does not.
        decoded_frames: how many have been decoded, those before `start` included.
        faults: what was wrong with the frames so far; those before `start` included.

    Raises:
        VideoError: with the path and the reason.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        max_pixels: int = MAX_PIXELS,
        device: str | None = None,
        threads: int = 1,
    ):
        self.path = Path(path)
        self._threads = threads
        self._max_pixels = max_pixels
        self._device = device
        self._restart()
        _check_kind(self.path, device is not None)
        with self._opened() as (container, stream):
            self.rate = float(stream.average_rate) if stream.average_rate else None
            self.declared_frames = stream.frames or None
            self._declared_seconds = _seconds(container, stream)
            stored = stream.height, stream.width
        self._check_size(stored)
        with contextlib.closing(self.frames()) as frames:
            first = next(frames, None)
        self.size = stored if first is None else first.size
        self._restart()

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Yields the frames in the order in which they are shown; each call begins anew.

        Args:
            start: frames with a lower index are decoded, as later ones depend on them, but neither
                converted nor yielded.

        Yields:
            Frames whose index counts what was decoded, from 0, and whose time is the file's, also
            when the rate varies. Sizes differ where the resolution changes within the file.
        """
        av = import_av()
        self._restart()
        to_rgb = av.video.reformatter.VideoReformatter()
        with self._opened() as (container, stream):
            avi = container.format.name == "avi"
            times = Timestamps(stream.time_base, stream.start_time, without_presentation=avi)
            for index, frame in enumerate(self._decoded(container, stream)):
                self.decoded_frames = index + 1
                if frame.is_corrupt:
                    self.faults.add("corrupt", index, "parts of the frame are guessed")
                time = times.time_of(frame, index, self.faults)
                if index >= start:
                    pixels = to_rgb.reformat(frame, format="rgb24").to_ndarray()
                    yield Frame(_upright(pixels, frame), index, time)
        self.faults.add_count(self._expected_frames(), self.decoded_frames)
        self.faults.add_length(self._declared_seconds, times.end, self.decoded_frames)

    def _restart(self) -> None:
        self.decoded_frames, self.faults = 0, FaultList()
        self._hidden = 0

    def _expected_frames(self) -> int | None:
        """Edit lists hide frames that are declared, as when a phone shortens a video."""
        return self.declared_frames and self.declared_frames - self._hidden

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple["InputContainer", "VideoStream"]]:
        av = import_av()
        name, options = file_address(self.path), {"protocol_whitelist": "file"}
        if self._device:
            name, options = str(self.path), {}
        try:
            container = av.open(
                name, format=self._device, options=options, metadata_errors="replace"
            )
        except (av.error.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise VideoError(f"expected a video, received: {reason}", self.path) from None
        with container:
            yield container, self._stream_of(container)

    def _stream_of(self, container: "InputContainer") -> "VideoStream":
        stream = container.streams.best("video")
        kind = container.format.name
        if stream is None:
            raise VideoError(f"expected a video, received no such stream in {kind}", self.path)
        if kind.endswith("_pipe") or kind in ("image2", "tty"):
            raise VideoError(f"expected a video, received a picture or text ({kind})", self.path)
        if stream.codec_context is None:
            raise VideoError("no decoder for this kind of video", self.path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        stream.codec_context.options = {"max_pixels": str(self._max_pixels)}
        return stream

    def _decoded(
        self, container: "InputContainer", stream: "VideoStream"
    ) -> Iterator["VideoFrame"]:
        av = import_av()
        for packet in self._packets(container, stream):
            self._hidden += packet.is_discard
            try:
                frames = packet.decode()
            except av.error.EOFError:  # also said by decoders that have nothing left
                continue
            except av.error.FFmpegError as error:
                self.faults.add("undecodable", self.decoded_frames, error.strerror)
                continue
            yield from frames

    def _packets(self, container: "InputContainer", stream: "VideoStream") -> Iterator["Packet"]:
        av = import_av()
        failures = 0
        while failures < _PATIENCE:
            try:
                for packet in container.demux(stream):
                    failures = 0
                    yield packet
                return
            except av.error.FFmpegError as error:
                failures += 1
                self.faults.add("undecodable", self.decoded_frames, error.strerror)

    def _check_size(self, size: tuple[int, int]) -> None:
        if size[0] * size[1] > self._max_pixels:
            raise VideoError(
                f"expected at most {self._max_pixels} pixels, received {size[0]} x {size[1]}; "
                "scale the video down or raise max_pixels",
                self.path,
            )


def _check_kind(path: Path, is_camera: bool) -> None:
    expected = "a camera's device" if is_camera else "a regular file"
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(reason, path) from None
    if not (stat.S_ISCHR if is_camera else stat.S_ISREG)(status.st_mode):
        raise VideoError(f"expected {expected}, received something else", path)
    if not is_camera and status.st_size == 0:
        raise VideoError("the file is empty", path)


def _seconds(container: "InputContainer", stream: "VideoStream") -> float | None:
    """How long the stream is said to be, in the formats that do not count frames.

    Others do, or FFmpeg guesses from what is left of the file.
    """
    if container.format.name not in ("matroska,webm", "flv"):
        return None
    with contextlib.suppress(ValueError):
        hours, minutes, seconds = map(float, stream.metadata.get("DURATION", "").split(":"))
        return 3600 * hours + 60 * minutes + seconds
    alone = len(container.streams) == 1
    return container.duration / 1e6 if alone and container.duration else None


def _upright(pixels: np.ndarray, frame: "VideoFrame") -> np.ndarray:
    from av.sidedata.sidedata import Type

    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return pixels
    # Nine numbers row by row, 16 bits after the point; x' = a x + c y, y' = b x + d y.
    a, b, _, c, d = np.sign(np.rint(np.frombuffer(bytes(matrix), np.int32)[:5] / 2**16)).astype(int)
    return turn_upright(pixels, _ORIENTATIONS.get((a, b, c, d), 1))
