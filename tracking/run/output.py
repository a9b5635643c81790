"""What a tracking run writes frame by frame: JSON Lines and an annotated video."""

from pathlib import Path
from typing import Any

from posekit.draw_tracks import TrackDrawer
from posekit.frames import Frame
from posekit.poses import Poses
from posekit.video.segments import SegmentedVideo
from tracking.run.checkpoint import CheckpointError, TrackCheckpoint
from tracking.run.folder import TRACKS, VIDEO
from tracking.run.header import TrackHeader
from tracking.run.lines import TrackWriter
from tracking.stopwatch import Stopwatch

RATE = 25.0
"""Frames per second of the annotated video where the source says none."""


class TrackOutput:
    """Writes from the first frame on, or goes on where a checkpoint was taken.

    Args:
        folder: of the files.
        header: of the run.
        stopwatch: counts the stages "write", "draw" and "encode".
        drawer: of the annotated video; None: no video is made.
        checkpoint: what was written behind it is dropped.

    Raises:
        CheckpointError: the checkpoint is that of a run with a video and this one has none, or the
            other way round.
    """

    def __init__(
        self,
        folder: Path,
        header: TrackHeader,
        stopwatch: Stopwatch,
        drawer: TrackDrawer | None = None,
        checkpoint: TrackCheckpoint | None = None,
    ):
        if checkpoint and (checkpoint.video is None) != (drawer is None):
            option = "--no-video" if checkpoint.video is None else "--video"
            raise CheckpointError(f"expected {option}, as the run was started, received the other")
        self.written = checkpoint.written if checkpoint else 0
        self.people = checkpoint.people if checkpoint else 0
        self.identities = set(checkpoint.identities if checkpoint else ())
        self._stopwatch, self._drawer = stopwatch, drawer
        self._video = SegmentedVideo(folder / VIDEO, header.rate or RATE) if drawer else None
        if self._video:
            self._video.cut(checkpoint.video if checkpoint else 0)
        if checkpoint and drawer:
            drawer.restore(checkpoint.drawer)
        offset = checkpoint.offset if checkpoint else None
        self._lines = TrackWriter(folder / TRACKS, header, offset)

    def write(self, frame: Frame, poses: Poses) -> None:
        """Adds the next frame.

        Raises:
            OSError: the disk is full.
        """
        with self._stopwatch.stage("write"):
            self._lines.write(frame, poses)
        if self._video:
            with self._stopwatch.stage("draw"):
                image = self._drawer.draw(frame.image, poses)
            with self._stopwatch.stage("encode"):
                self._video.write(image, frame.time)
        self.written += 1
        self.people += len(poses)
        self.identities.update(poses.track_ids.tolist())

    def sync(self) -> dict[str, Any]:
        """Waits until all is on disk; returns these fields of a `TrackCheckpoint`."""
        if self._video:
            with self._stopwatch.stage("encode"):
                self._video.flush()
        with self._stopwatch.stage("write"):
            offset = self._lines.sync()
        return {
            "written": self.written,
            "offset": offset,
            "video": self._video.num_frames if self._video else None,
            "people": self.people,
            "identities": tuple(sorted(self.identities)),
            "drawer": self._drawer.state() if self._drawer else {},
        }

    def finish(self, footer: dict[str, Any]) -> None:
        """Adds the last line; the pieces of the video stay."""
        self.sync()
        self._lines.finish(footer)

    def close(self) -> None:
        """Ends the files where they are."""
        if self._video:
            self._video.flush()
        self._lines.close()
