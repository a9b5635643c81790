"""Files of PoseTrack, one sequence each, as arrays: the forms of 2018 (COCO-like) and 2017."""

import dataclasses
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

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
        keypoints: (A, 15, 3) float32 x, y, v of `skeletons.POSETRACK`; v is 2 where there is one.
        track_ids: (A,) int64; -1 for none.
        head_boxes: (A, 4) float32 xyxy; NaN for none.
        is_crowd: (A,) bool.
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


def read_sequence(path: str | Path) -> PoseTrackSequence:
    """Reads a file of either form; one with `annolist` is of 2017.

    A keypoint is there unless x, y and visibility are all 0, as poseval takes it. Ears, which
    nobody annotated, are left out. A frame that does not say whether it is labelled is, if there
    are people.

    Raises:
        ValueError: naming the file, the frame or annotation, and what was expected.
        OSError: the file cannot be read.
    """
    path = Path(path)
    content = read_json(path)
    try:
        if not isinstance(content, dict):
            raise ValueError(f"expected an object, received {content!r:.60}")
        if "annolist" in content:
            return _sequence(path, frames_of_annolist(content["annolist"]))
        return _sequence(path, frames_of_images(content))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


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
        ignore_regions=tuple(columns["ignore_regions"]),
        frame=frame,
        keypoints=_present(np.array(columns["keypoints"], np.float32).reshape(-1, 15, 3)),
        track_ids=np.array(columns["track_ids"], np.int64),
        head_boxes=np.array(columns["head_boxes"], np.float32).reshape(-1, 4),
        is_crowd=np.array(columns["is_crowd"], bool),
    )


def _present(keypoints: np.ndarray) -> np.ndarray:
    there = (keypoints != 0).any(axis=2, keepdims=True)
    return np.concatenate([keypoints[..., :2], 2 * there], axis=2).astype(np.float32)
