"""What makes a sequence and its predictions unfit for the evaluation of PoseTrack."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.datasets.posetrack_results import PredictedSequence
from posekit.metrics.coco import EvaluationError

GREATEST_TRACK_ID = 9999
"""poseval adds 10,000 times the number of the file to every id."""


def check_pair(truth: PoseTrackSequence, prediction: PredictedSequence, compat: bool) -> None:
    """Refuses predictions that do not belong to the frames, and track ids given twice.

    Raises:
        EvaluationError: naming the file, the frame and what was expected.
    """
    videos = sorted(set(truth.videos))
    if len(videos) > 1:
        raise EvaluationError(
            f"{truth.file}: expected one sequence in a file, received {', '.join(videos[:3])}; "
            "split the file"
        )
    _check_frames(truth, prediction)
    for sequence in (truth, prediction):
        _check_tracks(sequence, compat)


def check_tracked(sequences: Sequence[PoseTrackSequence | PredictedSequence]) -> bool:
    """True where everybody with keypoints has a track id, False where nobody has.

    Raises:
        EvaluationError: naming the first person without, where others have one.
    """
    missing = [(sequence.track_ids < 0) & _peopled(sequence) for sequence in sequences]
    people = sum(int(_peopled(sequence).sum()) for sequence in sequences)
    lacking = sum(int(rows.sum()) for rows in missing)
    if 0 < lacking < people:
        at = next(i for i, rows in enumerate(missing) if rows.any())
        raise EvaluationError(
            f"{_place(sequences[at], np.flatnonzero(missing[at])[0])}: expected a track id as "
            f"others have, found none or a negative one ({lacking} of {people} people are "
            "without); give one to everybody, or to nobody to compute AP alone"
        )
    return lacking == 0


def filled_scores(predictions: Sequence[PredictedSequence], compat: bool) -> list[np.ndarray]:
    """Returns the scores of the keypoints, also where the files have none.

    With `compat` -9999, as poseval. Otherwise 1 where no keypoint of any sequence has a score.

    Raises:
        EvaluationError: naming the first person without, where others have scores.
    """
    missing = [(p.keypoints[..., 2] > 0) & np.isnan(p.scores) for p in predictions]
    total = sum(int((p.keypoints[..., 2] > 0).sum()) for p in predictions)
    lacking = sum(int(rows.sum()) for rows in missing)
    if 0 < lacking < total and not compat:
        at = next(i for i, rows in enumerate(missing) if rows.any())
        raise EvaluationError(
            f"{_place(predictions[at], np.argwhere(missing[at])[0, 0])}: expected a score of every "
            f"keypoint as others have, found none ({lacking} of {total} are without)"
        )
    fill = -9999.0 if compat else 1.0
    return [np.where(np.isnan(p.scores), fill, p.scores) for p in predictions]


def _check_frames(truth: PoseTrackSequence, prediction: PredictedSequence) -> None:
    if len(truth.file_names) != prediction.num_frames:
        raise EvaluationError(
            f"{prediction.file}: expected {len(truth.file_names)} frames as in {truth.file.name}, "
            f"received {prediction.num_frames}; write all frames, those without people and those "
            "that nobody annotated too"
        )
    if truth.image_ids is not None and prediction.image_ids is not None:
        pairs = truth.image_ids.tolist(), prediction.image_ids.tolist()
        _check_same(truth, prediction, "image id", pairs)
    elif prediction.file_names is not None:
        pairs = [_base(n) for n in truth.file_names], [_base(n) for n in prediction.file_names]
        _check_same(truth, prediction, "file name", pairs)


def _check_same(
    truth: PoseTrackSequence, prediction: PredictedSequence, word: str, pairs: tuple[list, list]
) -> None:
    for row, (wanted, found) in enumerate(zip(*pairs, strict=True)):
        if wanted != found:
            raise EvaluationError(
                f"{prediction.file}: frame {row}: expected {word} {wanted} as in "
                f"{truth.file.name}, received {found}; frames are paired by their order, ids and "
                "names must be those of the annotations"
            )


def _check_tracks(sequence: PoseTrackSequence | PredictedSequence, compat: bool) -> None:
    rows = np.flatnonzero((sequence.track_ids >= 0) & _peopled(sequence))
    keys = np.stack([sequence.frame[rows], sequence.track_ids[rows]], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    again = np.setdiff1d(np.arange(len(rows)), first)
    if again.size:
        row = rows[again[0]]
        raise EvaluationError(
            f"{_place(sequence, row)}: expected a track id once in a frame, received "
            f"{sequence.track_ids[row]} again"
        )
    above = rows[sequence.track_ids[rows] > GREATEST_TRACK_ID]
    if compat and above.size:
        raise EvaluationError(
            f"{_place(sequence, above[0])}: expected track ids of 0 to {GREATEST_TRACK_ID} as "
            f"poseval does, received {sequence.track_ids[above[0]]}"
        )


def _peopled(sequence: PoseTrackSequence | PredictedSequence) -> np.ndarray:
    return (sequence.keypoints[..., 2] > 0).any(axis=1)


def _place(sequence: PoseTrackSequence | PredictedSequence, row: int) -> str:
    frame = int(sequence.frame[row])
    number = int((sequence.frame[:row] == frame).sum())
    name = f", {sequence.file_names[frame]}" if sequence.file_names else ""
    return f"{Path(sequence.file)}: frame {frame}{name}, person {number}"


def _base(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name
