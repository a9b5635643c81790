"""Predictions on PoseTrack, one sequence a file: read and written in the forms of 2018 and 2017."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posekit.boxes import box_of_keypoints, xyxy_to_xywh
from posekit.datasets.posetrack_files import present, read_columns, refuse_repeated
from posekit.json_lists import json_object
from posekit.poses import Poses, shortest_floats
from posekit.skeletons import POSETRACK, POSETRACK_FILE, Skeleton, remap_keypoints

# As the annotation files name them.
_FILE_NAMES = ["head_bottom" if name == "neck" else name for name in POSETRACK_FILE.names]


@dataclasses.dataclass(frozen=True, eq=False)
class PredictedSequence:
    """B people predicted in the frames of one sequence.

    Args:
        file: where they come from, for messages; its stem names the sequence.
        num_frames: of the sequence, with those in which nobody was found.
        frame: (B,) int64 rows of the people's frames, ascending.
        keypoints: (B, 15, 3) float64 x, y, v of `skeletons.POSETRACK`; v is 2 where there is one.
        scores: (B, 15) float64 of the keypoints; NaN where there is none.
        track_ids: (B,) int64; -1 for none.
        listed: (B,) bool, False for who has not even an empty list of keypoints.
        image_ids: (F,) int64, where the predictions say them.
        file_names: F names of the frames, where the predictions say them.
    """

    file: Path
    num_frames: int
    frame: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    track_ids: np.ndarray
    listed: np.ndarray
    image_ids: np.ndarray | None = None
    file_names: tuple[str, ...] | None = None


def read_results(path: str | Path) -> PredictedSequence:
    """Reads a file of predictions of either form.

    A keypoint is there unless x, y and visibility are all 0, whatever its score. Scores are those
    under `scores` (2018), one for each keypoint, or of the points (2017); the third number of
    a keypoint is its visibility and no score, that of a person is not used. Ears are left out.

    Raises:
        ValueError: naming the file, the frame or annotation, and what was expected.
        OSError: the file cannot be read.
    """
    path = Path(path)
    columns = read_columns(path)
    refuse_repeated(path, columns, "image_ids")
    order = np.argsort(np.array(columns["frame"], np.int64), kind="stable")
    ids = columns["image_ids"]
    keypoints = present(columns["keypoints"])[order]
    scores = np.array(columns["scores"], np.float64).reshape(-1, 15)[order]
    return PredictedSequence(
        file=path,
        num_frames=len(columns["file_names"]),
        frame=np.array(columns["frame"], np.int64)[order],
        keypoints=keypoints,
        scores=np.where(keypoints[..., 2] > 0, scores, np.nan),
        track_ids=np.maximum(np.array(columns["track_ids"], np.int64)[order], -1),
        listed=np.array(columns["listed"], bool)[order],
        image_ids=None if ids is None else np.array(ids, np.int64),
        file_names=tuple(columns["file_names"]),
    )


def predicted_sequence(
    poses: Sequence[Poses],
    file: str | Path = "predictions",
    image_ids: Sequence[int] | None = None,
    file_names: Sequence[str] | None = None,
) -> PredictedSequence:
    """Joins the poses of a sequence's frames, for the evaluation without files.

    A keypoint with a score of 0 or less is not there, a person without any is nobody. Keypoints of
    other skeletons are taken by name.

    Args:
        poses: of F frames; of whatever skeleton.
        file: name of the sequence, for messages.
        image_ids: F ids, to be compared with those of the truth; None: not compared.
        file_names: F names, likewise.
    """
    parts = [_of_posetrack(frame, POSETRACK) for frame in poses]
    keypoints = np.concatenate([*(part.keypoints for part in parts), np.zeros((0, 15, 3))])
    there = keypoints[..., 2] > 0
    places = np.concatenate([keypoints[..., :2], 2 * np.ones_like(keypoints[..., :1])], axis=2)
    return PredictedSequence(
        file=Path(file),
        num_frames=len(parts),
        frame=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        keypoints=np.where(there[..., None], places, 0).astype(np.float64),
        scores=np.where(there, keypoints[..., 2], np.nan),
        track_ids=np.concatenate([*map(_track_ids, parts), np.zeros(0, np.int64)]),
        listed=np.ones(len(keypoints), bool),
        image_ids=None if image_ids is None else np.array(image_ids, np.int64),
        file_names=None if file_names is None else tuple(file_names),
    )


def write_posetrack18(
    path: str | Path,
    image_ids: Iterable[int],
    file_names: Iterable[str],
    poses: Iterable[Poses],
) -> None:
    """Writes predictions of one sequence in PoseTrack18's form, whole or not at all.

    Ids and names must be those of the annotations. The keypoints are the 17 of the files with both
    ears, 0 where the score is 0 or less; their scores stand under `scores`.

    Args:
        path: of the file to make or to replace; named as the annotations of the sequence.
        image_ids: F ids.
        file_names: F names.
        poses: of the F frames; all three are taken one frame at a time, so that memory does not
            grow with the video.

    Raises:
        ValueError: other than F of each.
        OSError: when writing fails; the old file is untouched.
    """
    category = {"id": 1, "name": "person", "keypoints": _FILE_NAMES}
    names = ("images", "annotations")
    with json_object(path, {"categories": [category]}, names) as lists:
        number = 0
        for image_id, name, frame in zip(image_ids, file_names, poses, strict=True):
            image = {"id": int(image_id), "frame_id": int(image_id), "file_name": name}
            lists["images"].append(image)
            for person in people18(frame, int(image_id)):
                number += 1
                lists["annotations"].append({"id": number} | person)


def people18(poses: Poses, image_id: int) -> list[dict[str, Any]]:
    """Returns the annotations of one frame in PoseTrack18's form, without ids of their own."""
    poses = _of_posetrack(poses, POSETRACK_FILE)
    there = poses.keypoints[..., 2:] > 0
    points = np.where(there, poses.keypoints, 0)
    boxes = xyxy_to_xywh(box_of_keypoints(points, margin=0.0))
    scores = shortest_floats(points[..., 2])
    places = np.where([True, True, False], points, there)
    places = shortest_floats(places.reshape(len(points), 3 * POSETRACK_FILE.num_keypoints))
    people = [
        {"image_id": image_id, "category_id": 1, "keypoints": place, "scores": score, "bbox": box}
        for place, score, box in zip(places, scores, shortest_floats(boxes), strict=True)
    ]
    if poses.track_ids is None:
        return people
    ids = poses.track_ids.tolist()
    return [{**person, "track_id": i} for person, i in zip(people, ids, strict=True)]


def write_posetrack17(path: str | Path, file_names: Iterable[str], poses: Iterable[Poses]) -> None:
    """Writes predictions of one sequence in PoseTrack17's form, whole or not at all.

    Args:
        path: of the file to make or to replace; named as the annotations of the sequence.
        file_names: F names, those of the annotations.
        poses: of the F frames; both are taken one frame at a time, as by `write_posetrack18`.

    Raises:
        ValueError: other than F of each.
        OSError: when writing fails; the old file is untouched.
    """
    with json_object(path, {}, ("annolist",)) as lists:
        for name, frame in zip(file_names, poses, strict=True):
            lists["annolist"].append({"image": [{"name": name}], "annorect": people17(frame)})


def people17(poses: Poses) -> list[dict[str, Any]]:
    """Returns the people of one frame in PoseTrack17's form."""
    poses = _of_posetrack(poses, POSETRACK)
    ids = [None] * len(poses) if poses.track_ids is None else poses.track_ids.tolist()
    rows = zip(shortest_floats(poses.keypoints), shortest_floats(poses.scores), ids, strict=True)
    return [
        {"annopoints": [{"point": _points(points)}], "score": [score]}
        | ({} if i is None else {"track_id": [i]})
        for points, score, i in rows
    ]


def _points(keypoints: list[list[float]]) -> list[dict[str, list[float]]]:
    return [
        {"id": [number], "x": [x], "y": [y], "score": [score]}
        for number, (x, y, score) in enumerate(keypoints)
        if score > 0
    ]


def _of_posetrack(poses: Poses, skeleton: Skeleton) -> Poses:
    """Returns those with a keypoint, in the skeleton's order."""
    keypoints = remap_keypoints(poses.keypoints, poses.skeleton, skeleton)
    poses = Poses(keypoints, poses.scores, poses.boxes, skeleton, poses.track_ids)
    return poses.select((keypoints[..., 2] > 0).any(axis=1))


def _track_ids(poses: Poses) -> np.ndarray:
    return np.full(len(poses), -1) if poses.track_ids is None else poses.track_ids
