"""Where a tracking run stands: written whole beside its output, so that a killed run can go on."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from posekit.atomic_files import write_file
from posekit.strict_json import StrictDecoder

_STATES = ("tracker", "drawer")


class CheckpointError(ValueError):
    """A checkpoint that is damaged, or belongs to another run."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class TrackCheckpoint:
    """The run after some frames.

    Args:
        read: frames that went through the tracker.
        written: frames whose lines are written.
        first: index of the frame from which the video is read to go on.
        again: so many frames from there on only go into `PoseTracker.restore`.
        offset: bytes of JSON Lines with these lines.
        video: frames of the annotated video; None: none is written.
        people: poses written.
        identities: different track ids written.
        seconds: by stage.
        tracker: state of the `pipeline.PoseTracker`.
        drawer: state of the `posekit.draw_tracks.TrackDrawer`; empty without a video.
    """

    read: int
    written: int
    first: int
    again: int
    offset: int
    video: int | None
    people: int
    identities: tuple[int, ...]
    seconds: dict[str, float]
    tracker: dict[str, np.ndarray]
    drawer: dict[str, np.ndarray]


def write_track_checkpoint(path: Path | str, checkpoint: TrackCheckpoint) -> None:
    """Writes an .npz file without pickled objects, whole or not at all.

    Raises:
        OSError: the disk is full.
    """
    fields = {f.name: getattr(checkpoint, f.name) for f in dataclasses.fields(checkpoint)}
    states = {name: fields.pop(name) for name in _STATES}
    arrays = {f"{name}/{key}": value for name in _STATES for key, value in states[name].items()}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, about=json.dumps(fields), **arrays)
    write_file(path, content.getvalue())


def read_track_checkpoint(path: Path | str) -> TrackCheckpoint:
    """Reads what `write_track_checkpoint` wrote.

    Raises:
        CheckpointError: naming the file.
        OSError: it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        fields: dict[str, Any] = StrictDecoder().decode(str(arrays.pop("about")))
        fields["identities"] = tuple(fields["identities"])
        states: dict[str, dict[str, np.ndarray]] = {name: {} for name in _STATES}
        for key, value in arrays.items():
            name, _, own = key.partition("/")
            states[name][own] = value
        return TrackCheckpoint(**fields, **states)
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path}: expected a checkpoint of a tracking run, received: {error}; start anew with "
            "--overwrite"
        ) from error
