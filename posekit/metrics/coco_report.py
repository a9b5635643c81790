"""COCO numbers as a table, as one JSON object, and precision-recall curves as a picture."""

from pathlib import Path

import numpy as np

from posekit.atomic_files import replaced_file
from posekit.metrics.coco_scores import NAMES, CocoScores

_LONG_NAMES = {"A": "all people", "S": "small", "M": "medium", "L": "large"}


def to_json(scores: CocoScores) -> dict[str, object]:
    """Returns one object of Python numbers.

    Returns:
        `stats` in pycocotools' order with its -1 for "nobody of that size", `names` of them,
        `metrics` name -> number or None, and `kind`, `images`, `people`, `results`, `protocol` of
        the scores.
    """
    return {
        "kind": scores.kind,
        "stats": list(scores.stats),
        "names": list(NAMES[scores.kind]),
        "metrics": scores.metrics,
        "images": scores.images,
        "people": scores.people,
        "results": scores.results,
        "protocol": scores.protocol,
    }


def to_text(scores: CocoScores) -> str:
    """Returns protocol, counts and a table of the numbers, for reading."""
    protocol = scores.protocol
    thresholds = protocol["thresholds"]
    similarity = protocol["similarity"]
    lines = [
        f"{scores.kind} by {protocol['tool']}: {similarity} {thresholds[0]:.2f} to "
        f"{thresholds[-1]:.2f}, best {protocol['max_results_per_image'][-1]} results an image",
        *(f"{name}: {protocol[name]}" for name in ("annotations", "results") if name in protocol),
        _count_line("images", scores.images),
        _count_line("people", scores.people),
        _count_line("results", scores.results),
        "",
    ]
    for name, value in scores.metrics.items():
        number = "  none " if value is None else f"{value:7.4f}"
        lines.append(f"{name:6s}{number}  {_meaning(name, scores)}")
    return "\n".join(lines)


def warnings_of(scores: CocoScores) -> list[str]:
    """Returns what a reader of the numbers alone would not guess, a line each."""
    images, people, results = scores.images, scores.people, scores.results
    found = []
    if people["ground_truth"] == people["ignored"]:
        found.append("nobody in the ground truth counts, so there is no precision and no recall")
    if not results["evaluated"]:
        found.append("no results were evaluated")
    if images["skipped"]:
        found.append(f"images of the ground truth that were skipped: {images['skipped']}")
    if images["evaluated"] > images["predicted"]:
        missing = images["evaluated"] - images["predicted"]
        found.append(f"images evaluated without results, their people count as missed: {missing}")
    if images["unknown"]:
        found.append(
            f"left out: {results['unknown_image']} results on images outside of the ground truth "
            f"({images['unknown']} images)"
        )
    return found


def write_curves(path: str | Path, scores: CocoScores) -> None:
    """Writes precision over recall as a PNG: panels for all, large, medium (for boxes also small).

    Args:
        path: of the picture; its folder must be there.
        scores: of either kind; a curve for each threshold, its area is the AP at it.

    Raises:
        OSError: the picture cannot be written.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sizes = [size for size in ("all", "large", "medium", "small") if size in scores.precisions]
    figure = Figure(figsize=(4.4 * len(sizes), 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    colours = colormaps["viridis"](np.linspace(0, 0.9, len(scores.thresholds)))
    for place, size in enumerate(sizes, start=1):
        axes = figure.add_subplot(1, len(sizes), place, xlabel="recall", ylabel="precision")
        axes.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
        axes.grid(alpha=0.3)
        precision = scores.precisions[size]
        if (precision < 0).all():
            axes.set_title(f"{size}: nobody in the ground truth")
            continue
        axes.set_title(f"{size}: AP {precision.mean():.3f}")
        rows = zip(scores.thresholds, precision, colours, strict=True)
        for threshold, values, colour in rows:
            label = f"{threshold:.2f}: {values.mean():.3f}"
            axes.plot(scores.recalls, values, color=colour, label=label)
        title = f"AP at {scores.protocol['similarity']}"
        place_below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13), "ncols": 4}
        axes.legend(title=title, fontsize="x-small", **place_below)
    with replaced_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100, bbox_inches="tight")


def _count_line(name: str, counts: dict[str, int]) -> str:
    words = (f"{key.replace('_', ' ')} {count}" for key, count in counts.items())
    return f"{name}: " + ", ".join(words)


def _meaning(name: str, scores: CocoScores) -> str:
    """Says in words what a number is: "AP75" -> "precision, all people, OKS 0.75"."""
    thresholds = f"{scores.thresholds[0]:.2f} to {scores.thresholds[-1]:.2f}"
    similarity = scores.protocol["similarity"]
    kind = "precision" if name.startswith("AP") else "recall"
    rest = name[2:]
    size = _LONG_NAMES[rest if rest in _LONG_NAMES else "A"]
    if rest in ("50", "75"):
        thresholds = f"0.{rest}"
    limit = f", best {rest} an image" if rest in ("1", "10", "100") else ""
    return f"{kind}, {size}, {similarity} {thresholds}{limit}"
