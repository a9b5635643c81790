"""Rows of the papers' tables, run on annotated sequences, and grids around a row."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from posekit.poses import Poses
from tracking.laboratory.relinking import Relinking, relinking
from tracking.laboratory.sequences import LabSequence
from tracking.pipeline import PoseEstimator, PoseTracker
from tracking.recipes import TrackRecipe


@dataclasses.dataclass(frozen=True, eq=False)
class RowResult:
    """What a row found."""

    recipe: TrackRecipe
    """The row."""
    predictions: Sequence[Sequence[Poses]]
    """Of each sequence, each frame's people."""
    relinking: Relinking
    """Of all sequences."""


Estimators = Callable[[LabSequence, TrackRecipe], PoseEstimator]
"""What finds the people of a sequence in a row."""


def track_sequence(
    sequence: LabSequence, recipe: TrackRecipe, estimator: PoseEstimator
) -> list[Poses]:
    """Returns the tracked people of each frame; nobody where its picture is damaged."""
    tracker = PoseTracker(estimator, recipe.tracker, sequence.flow)
    found = {f.index: poses for frame in sequence.frames() for f, poses in tracker.update(frame)}
    found |= {frame.index: poses for frame, poses in tracker.finish()}
    nobody = dataclasses.replace(Poses.empty(estimator.skeleton), track_ids=np.zeros(0, np.int64))
    return [found.get(index, nobody) for index in range(len(sequence.truth.file_names))]


def run_rows(
    recipes: Mapping[str, TrackRecipe],
    sequences: Sequence[LabSequence],
    estimators: Estimators,
    tell: Callable[[str], None] = lambda words: None,
) -> dict[str, RowResult]:
    """Runs every row on every sequence.

    Args:
        recipes: name -> row.
        sequences: at least one.
        estimators: who finds people; one with `save` keeps what it found after each row.
        tell: is told what is done.
    """
    results = {}
    for name, recipe in recipes.items():
        predictions, counts = [], Relinking(0, 0)
        for sequence in sequences:
            estimator = estimators(sequence, recipe)
            predictions.append(track_sequence(sequence, recipe, estimator))
            counts += relinking(sequence.truth, predictions[-1])
            getattr(estimator, "save", lambda: None)()
        results[name] = RowResult(recipe, predictions, counts)
        tell(name)
    return results


def similarity_grid(base: TrackRecipe) -> dict[str, TrackRecipe]:
    """Each similarity with each matching, else as the base."""
    similarities = {"box": ("box", 1), "pose": ("pose", 1), "flow": ("flow", 1)}
    similarities["multi-flow"] = ("flow", 8)
    rows = {}
    for words, (similarity, queue) in similarities.items():
        for matching in ("greedy", "hungarian"):
            changes = {"similarity": similarity, "queue": queue, "matching": matching}
            tracker = dataclasses.replace(base.tracker, **changes)
            rows[f"{words}, {matching}"] = dataclasses.replace(base, tracker=tracker, published={})
    return rows


def threshold_grid(
    base: TrackRecipe, boxes: Sequence[float], keypoints: Sequence[float]
) -> dict[tuple[float, float], TrackRecipe]:
    """(box threshold, keypoint threshold) -> the base with these."""
    return {
        (box, keypoint): dataclasses.replace(
            base,
            tracker=dataclasses.replace(
                base.tracker, box_threshold=box, keypoint_threshold=keypoint
            ),
        )
        for box in boxes
        for keypoint in keypoints
    }
