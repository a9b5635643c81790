"""Tracked people of a video as JSON Lines: a header, a line per frame, a footer.

What a killed run leaves behind is valid up to its last line, which may be cut. Coordinates are
pixels of the frame; a keypoint with score 0 is not there.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from posekit.atomic_files import WriteError
from posekit.datasets.number_lists import number_array
from posekit.frames import Frame
from posekit.poses import Poses, shortest_floats
from posekit.skeletons import Skeleton
from posekit.strict_json import NotStrictError, StrictDecoder
from tracking.run.header import TrackHeader

MAX_LINE = 1 << 26
"""Largest accepted line in bytes; 1,000 people of 17 keypoints take one hundredth of it."""


class TrackFileError(ValueError):
    """A file that is no JSON Lines of tracks, or is damaged elsewhere than at its end."""

    exit_code = 2


class TrackedFrame(NamedTuple):
    """The people of one frame.

    Args:
        index: place in the video, from 0; those of pictures that cannot be read are missing.
        time: seconds; None: not known.
        name: file name, of a picture in a folder.
        poses: with track ids.
    """

    index: int
    time: float | None
    name: str
    poses: Poses


class TrackWriter:
    """Writes frames in their order, each line flushed.

    Args:
        path: of a new file; with `offset` of one to go on with.
        header: of a new file.
        offset: bytes to keep of the file, from `sync`; what stands behind them is cut off.

    Raises:
        OSError: the file is there although none is to be kept, or is not there.
        TrackFileError: it is shorter than what is to be kept.
    """

    def __init__(self, path: Path | str, header: TrackHeader, offset: int | None = None):
        self._size, self._name = header.size, Path(path).name
        self._file = open(path, "xb" if offset is None else "r+b")
        if offset is None:
            self._line(header.to_json())
            return
        held = os.fstat(self._file.fileno()).st_size
        if held < offset:
            self._file.close()
            raise TrackFileError(
                f"{path}: expected at least the {offset} bytes of the checkpoint, received {held}; "
                "start anew with --overwrite"
            )
        self._file.truncate(offset)
        self._file.seek(offset)

    def write(self, frame: Frame, poses: Poses) -> None:
        """Adds a frame; the poses have track ids.

        Raises:
            ValueError: they have none.
            WriteError: the disk is full.
        """
        self._line(frame_entry(frame, poses, frame.size != self._size))

    def finish(self, footer: dict[str, Any]) -> None:
        """Adds the last line and closes the file."""
        self._line({"end": True, **footer})
        self.sync()
        self.close()

    def sync(self) -> int:
        """Waits until all is on disk; returns the bytes there are."""
        with self._named_errors():
            os.fsync(self._file.fileno())
            return self._file.tell()

    def close(self) -> None:
        """Closes the file without a last line."""
        with self._named_errors():
            self._file.close()

    def _line(self, value: dict[str, Any]) -> None:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
        with self._named_errors():
            self._file.write(text.encode("utf-8", "backslashreplace") + b"\n")
            self._file.flush()

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteError.of(error, self._name) from error


def frame_entry(frame: Frame, poses: Poses, with_size: bool = False) -> dict[str, Any]:
    """Returns the object of a frame's line, numbers with the fewest digits of their float32.

    Raises:
        ValueError: poses without track ids.
    """
    if poses.track_ids is None:
        raise ValueError("expected poses with track ids, received none; a Tracker gives them")
    columns = (poses.track_ids.tolist(), *map(shortest_floats, (poses.scores, poses.boxes)))
    rows = zip(*columns, shortest_floats(poses.keypoints), strict=True)
    names = ("track_id", "score", "box", "keypoints")
    entry: dict[str, Any] = {"frame": frame.index, "time": frame.time}
    entry |= {"file_name": frame.name} if frame.name else {}
    entry |= dict(zip(("height", "width"), frame.size, strict=True)) if with_size else {}
    return entry | {"people": [dict(zip(names, row, strict=True)) for row in rows]}


class TrackReader:
    """Reads a file of tracks frame by frame, as often as asked; made by `read_tracks`.

    `header` is there at once, `footer` once all frames were read: None where the file has none.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.footer: dict[str, Any] | None = None
        self._decoder = StrictDecoder()
        _, value = next(self._values(), (1, None))
        try:
            self.header = TrackHeader.from_json(value or {})
        except ValueError as error:
            raise self._error(1, error) from None

    @property
    def complete(self) -> bool:
        """Whether the run reached its end; known once all frames were read."""
        return self.footer is not None

    def __iter__(self) -> Iterator[TrackedFrame]:
        """Yields the frames.

        Raises:
            TrackFileError: naming the line, what was expected and what was received.
        """
        self.footer = None
        values = self._values()
        next(values)
        latest = -1
        for line, value in values:
            if self.footer is not None:
                raise self._error(line, "expected nothing after the last line")
            if value.get("end") is True:
                self.footer = value
                continue
            frame = self._frame(value, latest, line)
            latest = frame.index
            yield frame

    def _values(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line numbers and objects; a cut last line is left out."""
        with self.path.open("rb") as file:
            for number, text in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
                try:
                    yield number, self._object(text)
                except ValueError as error:
                    if not text.endswith(b"\n") and len(text) <= MAX_LINE:
                        return
                    raise self._error(number, error) from None

    def _object(self, text: bytes) -> dict[str, Any]:
        if len(text) > MAX_LINE:
            raise ValueError(f"expected at most {MAX_LINE} bytes, received more")
        try:
            value = self._decoder.decode(text.decode("utf-8"))
        except NotStrictError:
            raise
        except (ValueError, RecursionError) as error:
            raise ValueError(f"expected JSON, received: {error}") from None
        if not isinstance(value, dict):
            raise ValueError(f"expected an object, received {value!r:.60}")
        return value

    def _frame(self, value: dict[str, Any], latest: int, line: int) -> TrackedFrame:
        index, name, time = value.get("frame"), value.get("file_name", ""), value.get("time")
        try:
            if type(index) is not int or index <= latest:
                raise ValueError(f"expected a frame above {latest}, received {index!r:.40}")
            if not isinstance(name, str):
                raise ValueError(f"field file_name: expected text, received {name!r:.40}")
            if not (time is None or (type(time) in (int, float) and abs(time) < 1e300)):
                raise ValueError(f"field time: expected seconds, received {time!r:.40}")
            time = None if time is None else float(time)  # damaged videos have any
            return TrackedFrame(index, time, name, poses_of(value, self.header.skeleton))
        except ValueError as error:
            raise self._error(line, error) from None

    def _error(self, line: int, reason: object) -> TrackFileError:
        return TrackFileError(f"{self.path}: line {line}: {reason}")


def read_tracks(path: Path | str) -> TrackReader:
    """Opens a file of tracks, whole or cut by the end of its run.

    Returns:
        An iterable of `TrackedFrame`, with `header`, and `footer` and `complete` once it was read.

    Raises:
        TrackFileError: naming the line; a cut last line is no error.
        OSError: the file cannot be read.
    """
    return TrackReader(path)


def poses_of(value: dict[str, Any], skeleton: Skeleton) -> Poses:
    """Returns the people of a frame's object.

    Raises:
        ValueError: naming the field.
    """
    people = value.get("people")
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ValueError(f"field people: expected a list of objects, received {people!r:.40}")
    if not people:
        blank = Poses.empty(skeleton)
        return dataclasses.replace(blank, track_ids=np.zeros(0, np.int64))
    shapes = {"keypoints": (skeleton.num_keypoints, 3), "score": (), "box": (4,), "track_id": ()}
    keypoints, scores, boxes, ids = (
        number_array([p.get(name) for p in people], (len(people), *shape), f"field {name}")
        for name, shape in shapes.items()
    )
    return Poses(keypoints, scores, boxes, skeleton, ids)
