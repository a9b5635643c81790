"""A video in pieces, which a killed and resumed run continues without a gap."""

import dataclasses
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posekit.atomic_files import flush_to_disk, replaced_file
from posekit.video.faults import VideoError
from posekit.video.pyav import file_address, import_av
from posekit.video.video_file import VideoFile
from posekit.video.writing import FRAGMENTS, TIME_BASE, VideoWriter

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer

_WHOLE = {"movflags": "faststart", "movie_timescale": str(TIME_BASE.denominator)}
"""Options of a file that starts to play before it is loaded whole; the time of the first frame is
stored in the second unit."""


@dataclasses.dataclass(frozen=True)
class _Segment:
    path: Path
    first: int
    count: int
    earliest: int
    latest: int
    """Time stamps in ticks of `TIME_BASE`."""
    size: tuple[int, int]
    kind: tuple
    """Segments can be put one behind the other without encoding when these are equal."""

    @property
    def end(self) -> int:
        return self.first + self.count


class SegmentedVideo:
    """An mp4 file that is written in pieces until it is whole.

    The pieces lie in the folder "NAME.mp4.segments" beside it and are called by the number of
    frames before theirs: "NAME.000300.mp4". To be able to resume, call `flush` before the number of
    frames, `num_frames`, is saved elsewhere; the resumed run calls `cut` with that number. A run
    that starts anew calls `cut(0)`.

    Args:
        path: of the final file.
        rate: frames per second where frames have no time.
        length: frames per segment, unless `flush` ends it earlier.
        quality: as for `VideoWriter`.

    Attributes:
        num_frames: how many have been written, those of earlier runs included.

    Raises:
        VideoError: PyAV is missing.
    """

    def __init__(
        self, path: str | os.PathLike, rate: float = 30.0, length: int = 300, quality: int = 23
    ):
        if length < 1:
            raise ValueError(f"expected segments of at least 1 frame, received {length}")
        self.path = Path(path)
        self.folder = self.path.with_name(f"{self.path.name}.segments")
        self._rate, self._length, self._quality = rate, length, quality
        self._writer = None
        self._keep(_whole_segments(self.folder))

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Appends a frame; the arguments are those of `VideoWriter.write`.

        The first frame decides the size, also of the segments of a resumed run.
        """
        if self._writer is None:
            self.folder.mkdir(exist_ok=True)
            path = self.folder / f"{self.path.stem}.{self.num_frames:06d}.mp4"
            self._writer = VideoWriter(path, self._rate, self._size, self._quality, self._latest)
        self._writer.write(image, time)
        self._size, self._latest = self._writer.size, self._writer.latest
        self.num_frames += 1
        if self._writer.num_frames >= self._length:
            self.flush()

    def flush(self) -> None:
        """Ends the segment; what was written so far is on disk, also when the power fails."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()
            if writer.num_frames:  # else its first frame could not be encoded, and there is no file
                flush_to_disk(writer.path)
                flush_to_disk(self.folder)

    def cut(self, num_frames: int) -> None:
        """Drops all frames but the first ones; nothing is encoded again.

        Raises:
            VideoError: there are fewer.
        """
        self.flush()
        segments = _whole_segments(self.folder)
        found = segments[-1].end if segments else 0
        if not 0 <= num_frames <= found:
            raise VideoError(
                f"expected {num_frames} frames of an earlier run, found {found}; start anew",
                self.folder,
            )
        kept = [segment for segment in segments if segment.first < num_frames]
        for path in set(_segment_paths(self.folder)) - {segment.path for segment in kept}:
            path.unlink()
        if kept and kept[-1].end > num_frames:
            _copy_packets([kept[-1].path], kept[-1].path, FRAGMENTS, num_frames - kept[-1].first)
        self._keep(_whole_segments(self.folder))

    def join(self) -> int:
        """Puts the segments together, without encoding them again, and removes them.

        The final file appears whole or not at all, and starts to play before it is loaded whole.
        Where segments were encoded differently, because a run was resumed with another version of
        the encoder, they are encoded again.

        Returns:
            The number of frames; for 0 no file is made.
        """
        self.flush()
        segments = _whole_segments(self.folder)
        paths = [segment.path for segment in segments]
        if len({segment.kind for segment in segments}) == 1:
            _copy_packets(paths, self.path, _WHOLE)
        elif segments:
            self._encode_again(segments)
        shutil.rmtree(self.folder, ignore_errors=True)
        return segments[-1].end if segments else 0

    def _keep(self, segments: list[_Segment]) -> None:
        last = segments[-1] if segments else None
        self.num_frames = last.end if last else 0
        self._latest, self._size = (last.latest, last.size) if last else (None, None)

    def _encode_again(self, segments: list[_Segment]) -> None:
        with (
            replaced_file(self.path) as temporary,
            VideoWriter(temporary, self._rate, self._size, self._quality) as writer,
        ):
            for segment in segments:
                start = float(segment.earliest * TIME_BASE)
                for frame in VideoFile(segment.path).frames():
                    writer.write(frame.image, start + frame.time)


def _segment_paths(folder: Path) -> list[Path]:
    paths = [path for path in folder.glob("*.mp4") if path.suffixes[-2:-1]]
    paths = [path for path in paths if path.suffixes[-2][1:].isdecimal()]
    return sorted(paths, key=_first_frame)


def _first_frame(path: Path) -> int:
    return int(path.suffixes[-2][1:])


def _whole_segments(folder: Path) -> list[_Segment]:
    """The segments up to the first gap, which a segment leaves that was not ended."""
    segments, end = [], 0
    for path in _segment_paths(folder):
        segment = _read_segment(path) if _first_frame(path) == end else None
        if segment is None:
            break
        segments.append(segment)
        end = segment.end
    return segments


def _read_segment(path: Path) -> _Segment | None:
    av = import_av()
    try:
        with av.open(file_address(path)) as container:
            stamps = [packet.pts for packet in _packets(container)]
            stream = container.streams.video[0]
            context, size = stream.codec_context, (stream.height, stream.width)
            kind = (context.name, context.extradata, size, stream.time_base)
    except (av.error.FFmpegError, IndexError):  # killed before its first fragment
        return None
    if not stamps:
        return None
    return _Segment(path, _first_frame(path), len(stamps), stamps[0], stamps[-1], size, kind)


def _packets(container: "InputContainer") -> Iterator["Packet"]:
    """The whole frames; there are no B-frames, so they are in the order of the time."""
    for packet in container.demux(container.streams.video[0]):
        if packet.size and not packet.is_corrupt:
            yield packet


def _copy_packets(
    sources: list[Path], target: Path, options: dict[str, str], count: int | None = None
) -> None:
    """Copies the frames, or the first ones, of segments into one file."""
    av = import_av()
    with (
        replaced_file(target) as temporary,
        av.open(file_address(temporary), "w", format="mp4", options=options) as output,
    ):
        stream = None
        for source in sources:
            with av.open(file_address(source)) as container:
                stream = stream or output.add_stream_from_template(container.streams.video[0])
                for packet in itertools.islice(_packets(container), count):
                    packet.stream = stream
                    output.mux(packet)
