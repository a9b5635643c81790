"""What the laboratory works with: drawn or given sequences, their flow, and who finds people."""

import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from posekit.atomic_files import write_file
from posekit.datasets.posetrack_files import PoseTrackSequence
from posekit.datasets.synthetic_folder import alone
from posekit.datasets.synthetic_posetrack import DrawnVideos, write_posetrack
from posekit.skeletons import POSETRACK
from tracking.flo_files import FloFolder
from tracking.flow import FlowSource
from tracking.flow_choice import flow_of, kind_of_flow
from tracking.laboratory import report
from tracking.laboratory.rows import Estimators, RowResult, run_rows, threshold_grid
from tracking.laboratory.sequences import LaboratoryError, LabSequence, read_sequences
from tracking.recipes import TrackRecipe

DRAWN = DrawnVideos(sequences=24)
"""What is drawn where no data is given."""
BOX_THRESHOLDS = (0.0, 0.3, 0.5, 0.7)
KEYPOINT_THRESHOLDS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where sequences and flow come from; see `scripts/track_lab.py`."""

    data: Path | None
    """PoseTrack folder; None: drawn into the cache."""
    split: str
    """Of the data."""
    flow: str | None
    """exact, dis, none, a folder, a network's file; None: the best there is."""
    cache: Path
    """Folder for what is drawn and computed."""
    every: int = 1
    """Only every n-th frame."""
    seed: int = 0
    """Of drawn videos."""

    @functools.cached_property
    def root(self) -> Path:
        """Folder of the sequences; draws them where no data is given."""
        return self.data or drawn(self.cache / f"drawn-{self.seed}", self.seed)

    def sequences(self, pictures: bool, limit: int | None) -> list[LabSequence]:
        """Reads the sequences; `pictures`: their networks want to see them."""
        root = self.root
        source = self._flow(root)
        kind = "exact" if source == "exact" else kind_of_flow(source)
        if self.every > 1 and kind in ("exact", "folder"):
            raise LaboratoryError(
                f"expected flow that is computed beside --every {self.every}, received {source}, "
                "which holds the flow to the next frame; name dis or none"
            )
        flow_of = self._source(root, source, kind)
        shown = pictures or kind in ("dis", "network")
        return read_sequences(root, self.split, flow_of, shown, self.every)[:limit]

    def _flow(self, root: Path) -> str:
        if self.flow is not None:
            return self.flow
        if (root / "flow" / self.split).is_dir():
            return "exact"
        folder = root / "images" / self.split
        return "dis" if folder.is_dir() else "none"

    def _source(
        self, root: Path, flow: str, kind: str
    ) -> Callable[[PoseTrackSequence], FlowSource | None]:
        if kind == "none":
            return lambda truth: None
        if kind in ("exact", "folder"):
            folder = root / "flow" / self.split if kind == "exact" else Path(flow)
            return lambda truth: FloFolder(folder / truth.file.stem)
        computed = flow_of(flow, cache=self.cache / "flow")
        return lambda truth: computed


def drawn(root: Path, seed: int) -> Path:
    """Draws the laboratory's videos, unless an earlier call has; returns their folder."""
    finished = root / "finished"
    with alone(root.parent / f".{root.name}.lock"):
        if not finished.exists():
            print(f"drawing {DRAWN.sequences} videos in {root}", file=sys.stderr)
            write_posetrack(root, "val", DRAWN, seed)
            write_file(finished, "")
    return root


def write_tables(folder: Path, text: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Writes the table and its figures."""
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "table.md", text + "\n")
    write_file(folder / "rows.json", json.dumps(list(lines), allow_nan=False, indent=1) + "\n")


def draw_videos(
    folder: Path, result: RowResult, sequences: Sequence[LabSequence], root: Path
) -> None:
    """Writes an annotated video of each sequence.

    Args:
        folder: to write into.
        result: of a row.
        sequences: those of the result, or the first of them.
        root: folder from which the names of the pictures start.
    """
    from posekit.draw_tracks import TrackDrawer
    from posekit.video.writing import VideoWriter

    for sequence, poses in zip(sequences, result.predictions, strict=False):
        drawer = TrackDrawer(POSETRACK, threshold=0.0)
        frames = dataclasses.replace(sequence, root=root).frames()
        with VideoWriter(folder / f"{sequence.truth.file.stem}.mp4", rate=10.0) as video:
            for frame in frames:
                video.write(drawer.draw(frame.image, poses[frame.index]))


def frontier(
    path: Path,
    recipe: TrackRecipe,
    sequences: Sequence[LabSequence],
    estimators: Estimators,
    definitions: tuple[bool, bool] = (False, False),
) -> dict[tuple[float, float], tuple[float, float]]:
    """Runs a row at many thresholds, draws MOTA over mAP and returns them.

    Args:
        path: of the picture, its stem is the title.
        recipe: the row.
        sequences: at least one.
        estimators: who finds people.
        definitions: the last arguments of `report.score`.
    """
    grid = threshold_grid(recipe, BOX_THRESHOLDS, KEYPOINT_THRESHOLDS)
    points = {}
    for thresholds, result in run_rows(grid, sequences, estimators).items():
        scores = report.score(result, sequences, *definitions)
        points[thresholds] = scores.mean("ap"), scores.mean("mota")
    report.plot_frontier(path, points, path.stem)
    return points
