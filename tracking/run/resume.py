"""What an output folder holds when a tracking run starts, and what may be done with it."""

import shutil
import sys
from pathlib import Path
from typing import Any

from posekit.loop.runs import recipe_differences
from tracking.run.checkpoint import CheckpointError, TrackCheckpoint, read_track_checkpoint
from tracking.run.folder import CHECKPOINT, REPORT, TRACKS, VIDEO, OutputError
from tracking.run.formats import FORMATS
from tracking.run.header import TrackHeader
from tracking.run.lines import read_tracks

SEGMENTS = f"{VIDEO}.segments"
"""Folder of the annotated video's pieces, see `posekit.video.segments`."""
_FILES = (TRACKS, CHECKPOINT, REPORT, VIDEO, *(name for name, _ in FORMATS.values()))


def what_is_there(
    folder: Path, header: TrackHeader, resume: bool, overwrite: bool
) -> tuple[TrackCheckpoint | None, dict[str, Any] | None]:
    """Finds where to start; what is to be replaced is removed.

    Args:
        folder: of the output.
        header: of the run that starts.
        resume: go on with what is there, or start if there is nothing.
        overwrite: remove what is there.

    Returns:
        checkpoint: to go on from; None: from the first frame.
        footer: last line of a run that reached its end; None: it did not.

    Raises:
        OutputError: a camera cannot be gone on with.
        CheckpointError: naming what differs between the run that is there and this one.
        TrackFileError: the tracks that are there are damaged.
    """
    if resume and not header.fingerprint:
        raise OutputError("expected a video or a folder beside --resume, received a camera")
    tracks, path = folder / TRACKS, folder / CHECKPOINT
    whole = not overwrite and tracks.exists() and _has_header(tracks)
    footer = _footer(tracks, header) if whole else None
    if footer is None and not (whole and path.exists()):
        if resume:
            print(f"nothing to go on from in {folder}: starting at frame 0", file=sys.stderr)
        _clear(folder)
        return None, None
    return (read_track_checkpoint(path) if path.exists() else None), footer


def check_output(source: Path, folder: Path, resume: bool, overwrite: bool) -> None:
    """Refuses an output folder before anything is computed or removed.

    Args:
        source: video or folder of pictures.
        folder: of the output; it need not be there.
        resume: see `what_is_there`.
        overwrite: as there.

    Raises:
        OutputError: the new files would replace or join the source; or there are such files, and
            neither is asked for.
    """
    source, folder = source.resolve(), folder.resolve()
    if source == folder or (source.parent == folder and source.name in _FILES):
        raise OutputError(
            f"expected an --output apart from the source, received {folder} for {source}"
        )
    found = [name for name in _FILES if (folder / name).exists()]
    if found and not overwrite and not (resume and TRACKS in found):
        lacking = f" and no {TRACKS}" if resume else ""
        ways = "" if resume else "--resume to go on with an earlier run, "
        raise OutputError(
            f"expected a new folder, found {found[0]}{lacking} in {folder}; give {ways}--overwrite "
            "to replace it, or another --output"
        )


def _has_header(tracks: Path) -> bool:
    """False where the run was killed in its first line."""
    with tracks.open("rb") as file:
        return file.readline().endswith(b"\n")


def _footer(tracks: Path, header: TrackHeader) -> dict[str, Any] | None:
    reader = read_tracks(tracks)
    differences = recipe_differences(reader.header.to_json(), header.to_json())
    lines = [f"  {name}: {old!r} -> {new!r}" for name, (old, new) in differences.items()]
    if lines:
        raise CheckpointError(
            "\n".join(
                [
                    f"expected the source, models and settings that {tracks.parent} was made "
                    "with, received others:",
                    *lines,
                    "go back to the first ones, or give --overwrite or another --output",
                ]
            )
        )
    for _ in reader:
        pass
    return reader.footer


def _clear(folder: Path) -> None:
    """Removes what runs write, and nothing else."""
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / SEGMENTS, ignore_errors=True)
