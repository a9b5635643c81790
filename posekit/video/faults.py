"""What can be wrong with a video."""

import dataclasses
import os
from typing import Literal

MAX_FAULTS = 1000
"""Faults that are kept of a video, so that memory is bounded whatever the damage."""
TOLERANCE = 0.5
"""Seconds by which a whole video may be shorter than its file says."""


class VideoError(ValueError):
    """A video that cannot be read or written at all.

    Args:
        reason: what is wrong with it.
        path: the file, folder or device, where there is one.
    """

    exit_code = 2

    def __init__(self, reason: str, path: str | os.PathLike | None = None):
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return self.reason if self.path is None else f"Cannot use video {self.path}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something that was wrong with a video that could be read nevertheless.

    Args:
        kind: "undecodable": data that gave no frame; "corrupt": a frame with guessed parts;
            "picture": a file of a folder that is no whole picture; "time": a time stamp that is
            not later than the one before; "count": other than the declared number of frames, less
            than the declared time, or no frame at all.
        frame: index of the frame, or of the one that should have come.
        reason: in words.
        name: file name, of a picture in a folder.
    """

    kind: Literal["undecodable", "corrupt", "picture", "time", "count"]
    frame: int
    reason: str
    name: str = ""


class FaultList(list[Fault]):
    """The first `MAX_FAULTS` faults of a video; `total` counts all."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def add(self, kind: str, frame: int, reason: str, name: str = "") -> None:
        """Appends a fault, or only counts it when there are too many."""
        self.total += 1
        if len(self) < MAX_FAULTS:
            self.append(Fault(kind, frame, reason, name))

    def add_count(self, declared: int | None, decoded: int) -> None:
        """Appends a fault when another number of frames was declared than decoded."""
        if declared is not None and declared != decoded:
            self.add("count", decoded, f"declared {declared} frames, decoded {decoded}")

    def add_length(self, declared: float | None, decoded: float | None, frames: int) -> None:
        """Appends a fault when a video that does not count its frames ends before its time.

        Args:
            declared: seconds; None when unknown.
            decoded: end of the last frame, seconds; None when unknown.
            frames: how many were decoded.
        """
        known = declared is not None and decoded is not None
        if known and declared - decoded > TOLERANCE:
            self.add("count", frames, f"declared {declared:.2f} s, decoded {decoded:.2f} s")
        elif frames == 0 and not self.total:
            self.add("count", 0, "decoded no frame")
