"""The laboratory's figures: the papers' table beside our own, files of results, the frontier."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posekit.datasets.posetrack_results import predicted_sequence, write_posetrack18
from posekit.metrics.posetrack import PoseTrackScores, evaluate
from posekit.metrics.posetrack_heads import head_sizes
from tracking.laboratory.rows import RowResult
from tracking.laboratory.sequences import LabSequence

_MEANS = {"MOTA": "mota", "MOTP": "motp", "prec": "precision", "rec": "recall", "HOTA": "hota"}
_COLUMNS = (
    "row",
    "mAP",
    "MOTA",
    "paper mAP",
    "paper MOTA",
    "MOTP",
    "prec",
    "rec",
    "HOTA",
    "switches",
)


def score(
    result: RowResult,
    sequences: Sequence[LabSequence],
    compat: bool = False,
    estimate_heads: bool = False,
) -> PoseTrackScores:
    """Evaluates a row; the last two as `posekit.metrics.posetrack.evaluate` has them."""
    pairs = zip(sequences, result.predictions, strict=True)
    predictions = [predicted_sequence(poses, sequence.truth.file) for sequence, poses in pairs]
    truths = [sequence.truth for sequence in sequences]
    return evaluate(truths, predictions, compat, estimate_heads)


def check(sequences: Sequence[LabSequence], estimate_heads: bool = False) -> None:
    """Refuses annotations that cannot be evaluated, before hours are spent on them.

    Raises:
        EvaluationError: a person without head box; see `posetrack_heads.head_sizes`.
    """
    for sequence in sequences:
        head_sizes(sequence.truth, estimate_heads)


def line_of(name: str, result: RowResult, scores: PoseTrackScores) -> dict[str, Any]:
    """Returns a row's figures, percent, by the names of the columns; also those by `keypoints`."""
    published, linked = result.recipe.published, result.recipe.linked
    line = {"row": name, "mAP": scores.mean("ap"), "paper mAP": published.get("mAP")}
    line["keypoints"] = {key: scores.groups(key) for key in ("ap", *(["mota"] if linked else []))}
    if not linked or scores.mot is None:  # annotations without track ids have no MOTA
        return line
    means = {words: scores.mean(key) for words, key in _MEANS.items()}
    counts = result.relinking
    relinked = f"{counts.relinked}/{counts.hidden}"
    switches = int(scores.mot.switches.sum())
    return (
        line
        | means
        | {"paper MOTA": published.get("MOTA")}
        | {
            "switches": switches,
            "relinked": relinked,
        }
    )


def to_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """Lays out lines as a Markdown table."""
    columns = (*_COLUMNS, "relinked")
    rows = [[_cell(line.get(column)) for column in columns] for line in lines]
    parts = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(part)} |" for part in parts)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def write_results(folder: Path, result: RowResult, sequences: Sequence[LabSequence]) -> None:
    """Writes a row's people as `scripts/eval_posetrack.py` reads them, a file a sequence."""
    folder.mkdir(parents=True, exist_ok=True)
    for sequence, poses in zip(sequences, result.predictions, strict=True):
        truth = sequence.truth
        write_posetrack18(folder / truth.file.name, truth.image_ids, truth.file_names, poses)


def plot_frontier(
    path: Path, points: Mapping[tuple[float, float], tuple[float, float]], title: str
) -> None:
    """Draws MOTA over mAP, a line for each box threshold.

    Args:
        path: of the picture, PNG.
        points: (box threshold, keypoint threshold) -> (mAP, MOTA), percent.
        title: above it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(title=title, xlabel="mAP", ylabel="MOTA")
    for box in sorted({box for box, _ in points}):
        line = [(keypoint, *points[box, keypoint]) for b, keypoint in sorted(points) if b == box]
        keypoints, precision, accuracy = zip(*line, strict=True)
        axes.plot(precision, accuracy, marker=".", label=f"boxes from {box:g}")
        for label, x, y in zip(keypoints, precision, accuracy, strict=True):
            axes.annotate(f"{label:g}", (x, y), xytext=(3, 3), textcoords="offset points", size=7)
    axes.grid(alpha=0.3)
    axes.legend(title="numbers: keypoint threshold")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=110)
