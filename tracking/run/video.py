"""Tracks a video from its first frame to its last, in a way that can be killed and resumed."""

import contextlib
import dataclasses
import itertools
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from posekit.draw_tracks import TrackDrawer
from posekit.frames import Frame
from posekit.loop.interruption import StopSignals
from posekit.poses import Poses
from posekit.strict_json import read_json, write_json
from posekit.video.segments import SegmentedVideo
from tracking.pipeline import PoseTracker
from tracking.run.checkpoint import CheckpointError, TrackCheckpoint, write_track_checkpoint
from tracking.run.folder import CHECKPOINT, REPORT, TRACKS, VIDEO, OutputError, opened_output
from tracking.run.formats import FORMATS, write_formats
from tracking.run.header import TrackHeader
from tracking.run.output import TrackOutput
from tracking.run.report import TrackReport, make_footer
from tracking.run.resume import SEGMENTS, check_output, what_is_there
from tracking.run.source import Video


@dataclasses.dataclass(frozen=True)
class TrackOptions:
    """Where and how a run writes; none of it changes the tracks.

    Args:
        output: folder.
        formats: names of `formats.FORMATS` to write beside the JSON Lines.
        limit: frames after which the run ends; None: all are tracked.
        checkpoint_every: frames.
        resume: go on with what an interrupted run left.
        overwrite: start anew over what is there.
    """

    output: Path
    formats: tuple[str, ...] = tuple(FORMATS)
    limit: int | None = None
    checkpoint_every: int = 100
    resume: bool = False
    overwrite: bool = False


def track_video(
    video: Video,
    tracker: PoseTracker,
    header: TrackHeader,
    options: TrackOptions,
    drawer: TrackDrawer | None = None,
) -> TrackReport:
    """Tracks the people of a video and writes a folder.

    Every `checkpoint_every` frames all is brought to disk and a checkpoint written. SIGINT and
    SIGTERM do so after the frame at hand and end the run; a killed run goes on at its last
    checkpoint, and its JSON Lines are in the end the same bytes as without the interruption. Memory
    does not grow with the video. A camera has no checkpoints, and a signal is its end.

    Args:
        video: from `posekit.video.reading.open_video`.
        tracker: a new one, whose settings and estimator the header describes.
        header: from `source.make_header`.
        options: where to write.
        drawer: a new one, for the annotated video; None: no video.

    Returns:
        The report, which is also written to report.json.

    Raises:
        OutputError: there are results already, or the folder cannot be used.
        CheckpointError: what is there was made from another source or with other settings.
        OSError: the disk is full.
    """
    with opened_output(options.output) as folder, StopSignals() as signals:
        checkpoint, footer = _begun(video, header, folder, options)
        if footer is not None:
            report = TrackReport(footer, footer["frames"], _seconds(folder, checkpoint))
            return _finished(folder, report, options)
        with contextlib.closing(_Run(video, tracker, header, folder, drawer, checkpoint)) as run:
            run.track(options.limit, options.checkpoint_every, signals)
        report = run.report(signals.exit_code)
        return report if run.footer is None else _finished(folder, report, options)


class _Run:
    """The frames of a run, from the first or from a checkpoint on."""

    def __init__(
        self,
        video: Video,
        tracker: PoseTracker,
        header: TrackHeader,
        folder: Path,
        drawer: TrackDrawer | None,
        checkpoint: TrackCheckpoint | None,
    ):
        self.footer: dict[str, Any] | None = None
        self._video, self._tracker, self._folder = video, tracker, folder
        self._live = not header.fingerprint
        self._read = checkpoint.read if checkpoint else 0
        self._frames = video.frames(checkpoint.first if checkpoint else 0)
        longest = tracker.settings.queue * tracker.settings.shortest
        self._recent: deque[int] = deque(maxlen=longest)  # indices of the last frames
        if checkpoint:
            tracker.stopwatch.seconds.update(checkpoint.seconds)
            self._restore(checkpoint)
        self._output = TrackOutput(folder, header, tracker.stopwatch, drawer, checkpoint)

    def track(self, limit: int | None, every: int, signals: StopSignals) -> None:
        """Goes to the end, where there is a footer, or until a signal."""
        for frame in self._next_frames(limit):
            self._write(self._tracker.update(frame))
            self._read += 1
            self._recent.append(frame.index)
            if signals.received and self._live:
                break
            if not self._live and (signals.received or self._read % every == 0):
                self._checkpoint()
            if signals.received:
                return
        self._write(self._tracker.finish())
        self.footer = self._footer(limited=limit is not None and self._read >= limit)
        if self.footer["limited"] and self._is_at_end():
            self.footer = self._footer(limited=False)
        self._frames.close()
        self._output.finish(self.footer)

    def report(self, signal_code: int = 0) -> TrackReport:
        """Says what was done."""
        seconds = dict(self._tracker.stopwatch.seconds)
        return TrackReport(self.footer, self._read, seconds, signal_code)

    def close(self) -> None:
        """Ends the files where they are."""
        self._frames.close()
        self._output.close()

    def _next_frames(self, limit: int | None) -> Iterator[Frame]:
        while limit is None or self._read < limit:
            with self._tracker.stopwatch.stage("read"):
                frame = next(self._frames, None)
            if frame is None:
                return
            yield frame

    def _is_at_end(self) -> bool:
        """Whether no frame is left; of a camera one always is."""
        return not self._live and next(self._frames, None) is None

    def _footer(self, limited: bool) -> dict[str, Any]:
        counts = self._output.written, self._output.people, len(self._output.identities)
        return make_footer(self._video, *counts, limited)

    def _write(self, released: Sequence[tuple[Frame, Poses]]) -> None:
        for frame, poses in released:
            self._output.write(frame, poses)

    def _checkpoint(self) -> None:
        again = self._tracker.frames_needed
        first = self._recent[-again] if again else self._recent[-1] + 1
        states = {"tracker": self._tracker.state(), "seconds": self._tracker.stopwatch.seconds}
        fields = self._output.sync() | {"read": self._read, "first": first, "again": again}
        write_track_checkpoint(self._folder / CHECKPOINT, TrackCheckpoint(**fields, **states))

    def _restore(self, checkpoint: TrackCheckpoint) -> None:
        with self._tracker.stopwatch.stage("read"):
            before = list(itertools.islice(self._frames, checkpoint.again))
        if len(before) < checkpoint.again:
            raise CheckpointError(
                f"expected the source of the run, received one of {self._video.decoded_frames} "
                "frames; give --overwrite to start anew"
            )
        self._recent.extend(frame.index for frame in before)
        self._tracker.restore(checkpoint.tracker, before)


def _begun(
    video: Video, header: TrackHeader, folder: Path, options: TrackOptions
) -> tuple[TrackCheckpoint | None, dict[str, Any] | None]:
    """As `what_is_there`, for a run whose limit is not behind what is there."""
    how = options.resume, options.overwrite
    check_output(video.path, folder, *how)
    checkpoint, footer = what_is_there(folder, header, *how)
    tracked = footer["frames"] if footer else checkpoint.read if checkpoint else 0
    limit, ended = options.limit, footer is not None and footer["limited"]
    if (limit is not None and limit < tracked) or (ended and limit != tracked):
        raise OutputError(
            f"--frames: expected {'' if ended else 'at least '}{tracked}, as tracked in "
            f"{folder}, received {limit}; start anew with --overwrite, or take another --output"
        )
    return checkpoint, footer


def _seconds(folder: Path, checkpoint: TrackCheckpoint | None) -> dict[str, float]:
    """How long a run took that was killed at its end, or was not killed at all."""
    if (folder / REPORT).exists():
        return read_json(folder / REPORT).get("seconds", {})
    return checkpoint.seconds if checkpoint else {}


def _finished(folder: Path, report: TrackReport, options: TrackOptions) -> TrackReport:
    """Makes what is made of the whole; may be done again after having been killed here."""
    write_formats(folder / TRACKS, folder, options.formats)
    write_json(folder / REPORT, report.to_json())
    if not (folder / VIDEO).exists() and (folder / SEGMENTS).exists():
        SegmentedVideo(folder / VIDEO).join()
    shutil.rmtree(folder / SEGMENTS, ignore_errors=True)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return report
