"""Annotated sequences of the laboratory, and the flow between their frames."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from posekit.atomic_files import whole_files
from posekit.datasets.picture_sizes import picture_sizes
from posekit.datasets.posetrack_files import (
    PoseTrackSequence,
    read_sequence,
    with_image_ids,
)
from posekit.datasets.rejected import RejectedImages
from posekit.frames import Frame
from posekit.images import ImageError, read_image
from tracking.flow import FlowSource


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
    rejected: RejectedImages = dataclasses.field(default_factory=lambda: RejectedImages(0))
    """Its damaged pictures, and those of the sequences that were read with it."""

    def frames(self) -> Iterator[Frame]:
        """Yields all frames, labelled or not; black ones where pictures are not read.

        Those of damaged pictures are left out, and noted in `rejected`.
        """
        black = np.broadcast_to(np.uint8(0), (*self.size, 3))
        for index, name in enumerate(self.truth.file_names):
            try:
                image = black if self.root is None else read_image(self.root / name)
            except ImageError as error:
                self.rejected.add(error)
                continue
            yield Frame(image, index, name=Path(name).name)


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
        rejected = RejectedImages(sum(len(t.file_names) for t in truths), [root])
        return [LabSequence(t, _size(t, shown), shown, flow_of(t), rejected) for t in truths]
    except (ValueError, OSError) as error:
        raise LaboratoryError(str(error)) from error


def thinned(truth: PoseTrackSequence, every: int) -> PoseTrackSequence:
    """Returns every n-th frame with its people."""
    if every == 1:
        return truth
    people = truth.frame % every == 0
    by_person = ("keypoints", "track_ids", "head_boxes", "is_crowd", "listed")
    by_frame = ("image_ids", "sizes", "file_names", "videos", "labelled", "ignore_regions")
    return dataclasses.replace(
        truth,
        frame=truth.frame[people] // every,
        **{name: getattr(truth, name)[people] for name in by_person},
        **{name: getattr(truth, name)[::every] for name in by_frame},
    )


def _size(truth: PoseTrackSequence, root: Path | None) -> tuple[int, int]:
    """As the file says, else as the first picture's header, else the extent of the annotations."""
    sizes = truth.sizes
    if root is not None and not sizes[:1].all():
        sizes = picture_sizes(root, truth.file_names)
    sizes = sizes[sizes.all(axis=1)]
    extent = truth.keypoints[..., 1::-1].reshape(-1, 2).max(axis=0, initial=63) + 1
    height, width = sizes[0] if len(sizes) else np.ceil(extent)
    return int(height), int(width)
