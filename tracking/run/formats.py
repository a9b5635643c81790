"""The forms of tracked people that other programs read, made from JSON Lines, frame by frame."""

import contextlib
import csv
import heapq
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from posekit.atomic_files import replaced_file
from posekit.boxes import xyxy_to_xywh
from posekit.datasets.posetrack_results import write_posetrack17, write_posetrack18
from posekit.json_lists import json_list
from posekit.poses import Poses, to_coco_results
from tracking.run.lines import TrackedFrame, TrackReader, read_tracks

_SEQUENCE = re.compile(r"(\d{6})_(mpii|bonn|mpiinew)_\w+")
_PICTURE = re.compile(r"(\d{1,8})\.\w+")


def posetrack18(path: Path, tracks: TrackReader) -> None:
    """PoseTrack18's form; ears and what the skeleton lacks are zeros.

    Ids and names are those of the data set where the source is a folder of it
    ("000342_mpii_test"), else the frames' indices and "SOURCE/INDEX.jpg". Pictures that could not
    be read are frames without people, as the evaluation wants all frames.
    """
    # Read in step: no more than a frame is held.
    ids, names, people = itertools.tee(_with_damaged(tracks), 3)
    write_posetrack18(
        path,
        (posetrack_id(tracks.header.source, frame) for frame in ids),
        _names(tracks, names),
        (frame.poses for frame in people),
    )


def posetrack17(path: Path, tracks: TrackReader) -> None:
    """PoseTrack17's form: as that of 2018, without ids; its frames are known by their names."""
    names, people = itertools.tee(_with_damaged(tracks), 2)
    write_posetrack17(path, _names(tracks, names), (frame.poses for frame in people))


def _with_damaged(tracks: TrackReader) -> Iterator[TrackedFrame]:
    return heapq.merge(tracks, _damaged(tracks), key=lambda frame: frame.index)


def _names(tracks: TrackReader, frames: Iterable[TrackedFrame]) -> Iterator[str]:
    for frame in frames:
        yield f"{tracks.header.source}/{frame.name or f'{frame.index:06d}.jpg'}"


def _damaged(tracks: TrackReader) -> list[TrackedFrame]:
    """Returns a frame without people for each picture that was damaged, as the last line says."""
    for _ in tracks:  # up to the last line
        pass
    blank = Poses.empty(tracks.header.skeleton)
    faults = (tracks.footer or {}).get("faults", ())
    pictures = (fault for fault in faults if fault.get("name"))
    return [TrackedFrame(fault["frame"], None, fault["name"], blank) for fault in pictures]


def posetrack_id(source: str, frame: TrackedFrame) -> int:
    """Returns PoseTrack18's image id: 1, six digits of the sequence, four of the picture.

    That of "000342_mpii_test" and "000012.jpg" is 10003420012; of other names the frame's index.
    """
    sequence, picture = _SEQUENCE.fullmatch(source), _PICTURE.fullmatch(frame.name)
    number = int(picture[1]) if picture else 10_000
    if sequence is None or number >= 10_000:
        return frame.index
    return 10**10 + int(sequence[1]) * 10**4 + number


def coco(path: Path, tracks: TrackReader) -> None:
    """COCO keypoint results, each with its `track_id`; the image ids are the frames' indices."""
    with json_list(path) as items:
        for frame in tracks:
            for entry in to_coco_results(frame.poses, frame.index):
                items.append(entry)


def csv_table(path: Path, tracks: TrackReader) -> None:
    """A line per person; of a keypoint that is not there the cells are empty."""
    names = tracks.header.skeleton.names
    columns = ["frame", "time", "file_name", "track_id", "score", "x1", "y1", "x2", "y2"]
    columns += [f"{name}_{part}" for name in names for part in ("x", "y", "score")]
    with _text(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for frame in tracks:
            table.writerows(_cells(frame))


def _cells(frame: TrackedFrame) -> list[list]:
    poses = frame.poses
    there = np.repeat(poses.keypoints[..., 2] > 0, 3, axis=1)
    keypoints = np.where(there, poses.keypoints.reshape(there.shape).astype(str), "")
    head = [frame.index, "" if frame.time is None else frame.time, frame.name]
    rows = zip(poses.track_ids, poses.scores, poses.boxes, keypoints, strict=True)
    return [[*head, number, score, *box, *row] for number, score, box, row in rows]


def mot(path: Path, tracks: TrackReader) -> None:
    """MOT Challenge's `frame,id,left,top,width,height,score,-1,-1,-1`; frames and ids from 1."""
    with _text(path) as file:
        for frame in tracks:
            poses = frame.poses
            rows = zip(poses.track_ids, xyxy_to_xywh(poses.boxes), poses.scores, strict=True)
            for number, box, score in rows:
                numbers = ",".join(map(str, (frame.index + 1, number + 1, *box, score)))
                file.write(f"{numbers},-1,-1,-1\n")


FORMATS = {
    "posetrack18": ("posetrack18.json", posetrack18),
    "posetrack17": ("posetrack17.json", posetrack17),
    "coco": ("coco.json", coco),
    "csv": ("tracks.csv", csv_table),
    "mot": ("mot.txt", mot),
}
"""Name -> (file name, what writes it)."""


def write_formats(tracks: Path | str, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Turns a file of tracks, whole or cut, into other forms; memory does not grow with it.

    Args:
        tracks: JSON Lines.
        folder: of the new files; such as are there are replaced, whole or not at all.
        formats: names of `FORMATS`.

    Returns:
        The files.

    Raises:
        TrackFileError: `tracks` is damaged.
        ValueError: an unknown format.
        OSError: the disk is full.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ValueError(f"expected formats out of {', '.join(FORMATS)}, received {unknown[0]}")
    reader, paths = read_tracks(tracks), []
    for name in formats:
        file_name, write = FORMATS[name]
        write(folder / file_name, reader)
        paths.append(folder / file_name)
    return paths


@contextlib.contextmanager
def _text(path: Path) -> Iterator:
    with (
        replaced_file(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file,
    ):
        yield file
