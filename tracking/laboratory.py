"""The tracking laboratory: rows of the papers' tables, run on annotated sequences."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from posekit.atomic_files import whole_files
from posekit.datasets.picture_sizes import picture_sizes
from posekit.datasets.posetrack_files import (
    PoseTrackSequence,
    read_sequence,
    with_image_ids,
)
from posekit.frames import Frame
from posekit.images import read_image
from posekit.poses import Poses
from tracking.flow import FlowSource
from tracking.pipeline import PoseEstimator, PoseTracker
from tracking.recipes import TrackRecipe
from tracking.relinking import Relinking, relinking


class LaboratoryError(ValueError):
    """Sequences, or options, that the laboratory cannot work with."""

    exit_code = 2


@dataclasses.dataclass(frozen=True, eq=False)
class LabSequence:
    """An annotated sequence, and the flow between its frames."""

    truth: PoseTrackSequence
    """What is annotated."""
    size: tuple[int, int]
    """(height, width) of the frames."""
    root: Path | None
    """Folder from which its file names start; None: its pictures are not read."""
    flow: FlowSource | None
    """From each frame to the next one; None: no flow."""

    def frames(self) -> Iterator[Frame]:
        """Yields all frames, labelled or not; black ones where pictures are not read."""
        black = np.broadcast_to(np.uint8(0), (*self.size, 3))
        for index, name in enumerate(self.truth.file_names):
            image = black if self.root is None else read_image(self.root / name)
            yield Frame(image, index, name=Path(name).name)


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


def read_sequences(
    root: Path,
    split: str,
    flow_of: Callable[[PoseTrackSequence], FlowSource | None],
    pictures: bool,
    every: int = 1,
) -> list[LabSequence]:
    """Reads the annotations of a PoseTrack folder.

    Args:
        root: folder with `annotations/{split}/*.json`.
        split: such as "val"; "minval" is every fifth sequence of it by name.
        flow_of: the flow of a sequence.
        pictures: whether they are read.
        every: 2 takes the first, third, fifth ... frame, so that people move faster.

    Raises:
        LaboratoryError: there are none, or they cannot be used.
    """
    folder = root / "annotations" / ("val" if split == "minval" else split)
    files = whole_files(folder, ".json")
    if not files:
        raise LaboratoryError(f"{folder}: expected annotations of PoseTrack there, found none")
    shown = root if pictures else None
    try:
        truths = with_image_ids(map(read_sequence, files))[:: 5 if split == "minval" else 1]
        truths = [thinned(truth, every) for truth in truths]
        return [LabSequence(t, _size(t, shown), shown, flow_of(t)) for t in truths]
    except (ValueError, OSError) as error:
        raise LaboratoryError(str(error)) from error


def thinned(truth: PoseTrackSequence, every: int) -> PoseTrackSequence:
    """Returns every n-th frame with its people."""
    if every == 1:
        return truth
    people = truth.frame % every == 0
    by_person = ("keypoints", "track_ids", "head_boxes", "is_crowd")
    by_frame = ("image_ids", "sizes", "file_names", "videos", "labelled", "ignore_regions")
    return dataclasses.replace(
        truth,
        frame=truth.frame[people] // every,
        **{name: getattr(truth, name)[people] for name in by_person},
        **{name: getattr(truth, name)[::every] for name in by_frame},
    )


def _size(truth: PoseTrackSequence, root: Path | None) -> tuple[int, int]:
    """As the file says, else as the first picture's header, else the extent of the annotations."""
    sizes = truth.sizes[:1] if truth.sizes[:1].all() else np.zeros((1, 2), int)
    if root is not None and not sizes.all():
        sizes = picture_sizes(root, truth.file_names[:1])
    if not sizes.all():
        sizes = np.ceil(truth.keypoints[..., 1::-1].reshape(-1, 2).max(axis=0, initial=63) + 1)[
            None
        ]
    height, width = sizes[0].tolist()
    return int(height), int(width)


def track_sequence(
    sequence: LabSequence, recipe: TrackRecipe, estimator: PoseEstimator
) -> list[Poses]:
    """Returns the tracked people of each frame."""
    tracker = PoseTracker(estimator, recipe.tracker, sequence.flow)
    found = [poses for frame in sequence.frames() for _, poses in tracker.update(frame)]
    return found + [poses for _, poses in tracker.finish()]


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
