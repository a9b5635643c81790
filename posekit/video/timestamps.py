"""When a decoded frame is to be shown."""

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoFrame

    from posekit.video.faults import FaultList


class Timestamps:
    """Seconds from the start of a video, for frames in the order in which they are shown.

    Args:
        time_base: seconds per tick.
        start: ticks at the start of the stream; None takes the first frame's.
        without_presentation: True for AVI, which has no presentation time stamps: with B-frames,
            PyAV gives those of decoding as if they were, out of order. The order in which frames
            come out is right, and so are the decoder's stamps, but for a constant delay.
    """

    def __init__(self, time_base: Fraction, start: int | None, without_presentation: bool = False):
        self._time_base = time_base
        self._without_presentation = without_presentation
        self._start = None if without_presentation else start
        self._latest, self._step, self._longest = None, 1, 0
        self.end: float | None = 0.0
        """Seconds at which the last frame ends, counted from the file's time 0; None: unknown.

        A frame whose file does not say how long it is shown may be as long as the longest before.
        """

    def time_of(self, frame: "VideoFrame", index: int, faults: "FaultList") -> float | None:
        """Returns a frame's time; None where the file does not say one.

        A stamp that is not later than the one before stays as the file says, but is a fault.
        """
        ticks = self._ticks_of(frame)
        if ticks is None:
            return None
        if self._start is None:
            self._start = ticks
        if self._latest is not None:
            self._step = ticks - self._latest
            if self._step <= 0:
                seconds = float(-self._step * self._time_base)
                faults.add("time", index, f"{seconds:g} s before the time stamp of the last frame")
        self._latest = ticks
        self._longest = max(self._longest, self._step if index else 0)
        length = max(self._step, frame.duration) if frame.duration else self._longest
        self.end = float((ticks + length) * self._time_base) if length else None
        return float((ticks - self._start) * self._time_base)

    def _ticks_of(self, frame: "VideoFrame") -> int | None:
        if not self._without_presentation:
            return frame.pts
        if frame.dts is None and self._latest is not None:  # of the delayed frames at the end
            return self._latest + self._step
        return frame.dts
