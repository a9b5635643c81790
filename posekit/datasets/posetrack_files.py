"""Files of PoseTrack, one sequence each, as arrays: the forms of 2018 (COCO-like) and 2017."""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from posekit.datasets.coco_columns import inner_name
from posekit.datasets.posetrack17 import frames_of_annolist
from posekit.datasets.posetrack18 import frames_of_images
from posekit.strict_json import read_json


@dataclasses.dataclass(frozen=True)
class PoseTrackSequence:
    """F frames and A people of one file, in its order; unlabelled frames included.

    Args:
        file: where they come from; its stem names the results of this sequence.
        image_ids: (F,) int64; None in files of 2017, which have none.
        file_names: F names relative to the data set's folder.
        sizes: (F, 2) int32 (height, width); zeros where the file does not say.
        videos: F names of videos; a file may hold several.
        labelled: (F,) bool.
        ignore_regions: F tuples of (P, 2) polygons of points, where nobody is annotated.
        frame: (A,) int64 rows of the people's frames.
        keypoints: (A, 15, 3) float64 x, y, v of `skeletons.POSETRACK`; v is 2 where there is one.
        track_ids: (A,) int64; -1 for none.
        head_boxes: (A, 4) float64 xyxy; NaN for none.
        is_crowd: (A,) bool.
        listed: (A,) bool, False for who has not even an empty list of keypoints.
    """

    file: Path
    image_ids: np.ndarray | None
    file_names: tuple[str, ...]
    sizes: np.ndarray
    videos: tuple[str, ...]
    labelled: np.ndarray
    ignore_regions: tuple[tuple[np.ndarray, ...], ...]
    frame: np.ndarray
    keypoints: np.ndarray
    track_ids: np.ndarray
    head_boxes: np.ndarray
    is_crowd: np.ndarray
    listed: np.ndarray


def read_sequence(path: str | Path, strict: bool = False) -> PoseTrackSequence:
    """Reads a file of either form; one with `annolist` is of 2017.

    A keypoint is there unless x, y and visibility are all 0, as poseval takes it. Ears, which
    nobody annotated, are left out. A frame that does not say whether it is labelled is, if there
    are people.

    Args:
        path: of the file.
        strict: also refuse what training can do without: image or annotation ids given twice, and
            ignore regions of fewer than three points, which are left out otherwise.

    Raises:
        ValueError: naming the file, the frame or annotation, and what was expected.
        OSError: the file cannot be read.
    """
    path = Path(path)
    columns = read_columns(path)
    if strict:
        _refuse_loose(path, columns)
    return _sequence(path, columns)


def read_columns(path: Path) -> dict[str, Any]:
    """Reads what both forms say, annotation or prediction.

    Returns:
        The fields of `PoseTrackSequence` as lists, without `file` and `videos`; `labelled` may be
        None, keypoints (15, 3) have the third number of the file, ignore regions any number of
        points. Also `scores`, (15,) for each person, NaN for none, and `annotation_ids`.

    Raises:
        ValueError, OSError: as `read_sequence`.
    """
    content = read_json(path)
    try:
        if not isinstance(content, dict):
            raise ValueError(f"expected an object, received {content!r:.60}")
        if "annolist" in content:
            columns = frames_of_annolist(content["annolist"])
        else:
            columns = frames_of_images(content)
        columns["file_names"] = [inner_name(name) for name in columns["file_names"]]
        return columns
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def present(keypoints: np.ndarray) -> np.ndarray:
    """Returns keypoints (N, 15, 3) of files as float64 x, y, v; v is 2 where there is one."""
    keypoints = np.asarray(keypoints, np.float64).reshape(-1, 15, 3)
    there = (keypoints != 0).any(axis=2, keepdims=True)
    return np.concatenate([keypoints[..., :2], 2 * there], axis=2)


def refuse_repeated(path: Path, columns: dict[str, Any], name: str) -> None:
    """Refuses `image_ids` or `annotation_ids` of `read_columns` that are given twice.

    Raises:
        ValueError: naming the file and the first of them.
    """
    given = Counter(repr(number) for number in columns[name] or [] if number is not None)
    twice = [number for number, times in given.items() if times > 1]
    if twice:
        raise ValueError(f"{path}: {name}: expected each once, received {twice[0]:.40} again")


def _refuse_loose(path: Path, columns: dict[str, Any]) -> None:
    for name in ("image_ids", "annotation_ids"):
        refuse_repeated(path, columns, name)
    for row, regions in enumerate(columns["ignore_regions"]):
        short = [len(region) for region in regions if len(region) < 3]
        if short:
            raise ValueError(
                f"{path}: frame {row}, {columns['file_names'][row]}: expected ignore regions of at "
                f"least 3 points, received one of {short[0]}; remove it or complete it"
            )


def _sequence(path: Path, columns: dict[str, Any]) -> PoseTrackSequence:
    names = tuple(columns["file_names"])
    frame = np.array(columns["frame"], np.int64)
    peopled = np.isin(np.arange(len(names)), frame)
    said = zip(columns["labelled"], peopled, strict=True)
    ids = columns["image_ids"]
    return PoseTrackSequence(
        file=path,
        image_ids=None if ids is None else np.array(ids, np.int64),
        file_names=names,
        sizes=np.array(columns["sizes"], np.int32).reshape(-1, 2),
        videos=tuple(PurePosixPath(name).parent.name for name in names),
        labelled=np.array([people if word is None else word for word, people in said], bool),
        ignore_regions=tuple(
            tuple(region for region in regions if len(region) > 2)
            for regions in columns["ignore_regions"]
        ),
        frame=frame,
        keypoints=present(columns["keypoints"]),
        track_ids=np.array(columns["track_ids"], np.int64),
        head_boxes=np.array(columns["head_boxes"], np.float64).reshape(-1, 4),
        is_crowd=np.array(columns["is_crowd"], bool),
        listed=np.array(columns["listed"], bool),
    )


def with_image_ids(sequences: Iterable[PoseTrackSequence]) -> list[PoseTrackSequence]:
    """Numbers the frames of files of 2017, which have no ids, from 1 on through all sequences.

    So boxes that were found in a data set belong to its frames wherever else it is read; read all
    files of a split before some are chosen.
    """
    numbered, first = [], 1
    for sequence in sequences:
        ids = np.arange(first, first + len(sequence.file_names))
        missing = sequence.image_ids is None
        numbered.append(dataclasses.replace(sequence, image_ids=ids) if missing else sequence)
        first += len(ids)
    return numbered
