"""Merge the person boxes of several detectors into one file.

python scripts/merge_detections.py a.json b.json.gz FOLDER --output merged.json
python scripts/merge_detections.py a.json b.json --method wbf --weights 2 1 --annotations truth.json

Files are COCO results of boxes, of which those of category 1, people, are merged image by image; a
FOLDER's files count as one detector's. Scores are taken as they are. Prints counts of boxes and
images; with --annotations also the person AP of each detector and of the merged file, all boxes
of the files before --minimum. --json prints one JSON object. Exit code 2 where a file cannot be
used.
"""

import dataclasses
import json
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError, check_output, run


@dataclasses.dataclass(frozen=True)
class Merging:
    """What to merge, and how."""

    detections: tyro.conf.Positional[tuple[Path, ...]]
    """COCO results of boxes, .json or .json.gz, or folders of such."""
    output: Path = Path("merged-detections.json")
    """COCO results to write, .json or .json.gz."""
    method: Literal["nms", "soft-nms", "soft-nms-linear", "wbf"] = "nms"
    """Greedy NMS (as MDPN), soft-NMS (Gaussian or linear), or weighted box fusion."""
    threshold: float | None = None
    """Overlap, for soft-nms sigma; not given: nms 0.6, soft-nms 0.5, soft-nms-linear 0.3, wbf 0.55.
    """
    minimum: float = 0.0
    """Least score of a box, before merging and after."""
    weights: tuple[float, ...] = ()
    """wbf: of each detector; not given: all 1."""
    annotations: Path | None = None
    """COCO ground truth, .json or .json.gz, to evaluate the boxes with."""
    json: bool = False
    """Print one JSON object instead of the table."""


def main() -> int:
    """Reads the command line, merges, writes and prints; returns the exit code."""
    options = tyro.cli(Merging, description=__doc__)
    check(options)
    from posekit.box_merging import THRESHOLDS, merge  # late: --help answers at once
    from posekit.detections import read_detections, write_detections

    parts = [read_detections(path) for path in options.detections]
    how = options.method, options.threshold, options.minimum, options.weights
    merged = merge(parts, *how)
    score = scorer(options.annotations)
    write_detections(options.output, merged)
    named = zip([path.name for path in options.detections], parts, strict=True)
    report = {
        "sources": [row(name, part, score) for name, part in named],
        "merged": row(options.output.name, merged, score),
        "protocol": {
            "method": options.method,
            "threshold": options.threshold or THRESHOLDS[options.method],
            "minimum": options.minimum,
            "weights": list(options.weights) or None,
            "annotations": options.annotations and options.annotations.name,
        },
    }
    print(json.dumps(report, allow_nan=False) if options.json else to_text(report))
    return 0


def check(options: Merging) -> None:
    """Refuses options that do not belong together."""
    if not options.detections:
        raise UsageError("expected at least one file of boxes, received none")
    check_output("--output", options.output)
    if options.weights and len(options.weights) != len(options.detections):
        raise UsageError(
            f"--weights: expected one for each of {len(options.detections)} files, received "
            f"{len(options.weights)}"
        )


def scorer(annotations: Path | None):
    """Returns detections -> {"AP", "AP50"}; without annotations -> nothing."""
    if annotations is None:
        return lambda detections: {}
    from posekit.metrics.coco_boxes import evaluate_detections, read_box_truth

    truth = read_box_truth(annotations)

    def score(detections):
        scores = evaluate_detections(truth, detections)
        unknown = {"on_unknown_images": scores.results["unknown_image"]}
        return {name: scores.metrics[name] for name in ("AP", "AP50")} | unknown

    return score


def row(name: str, detections, score) -> dict[str, object]:
    """Returns the counts and figures of some boxes."""
    counts = {"boxes": len(detections), "images": len(detections.images)}
    return {"file": name, **counts, "dropped": detections.dropped, **score(detections)}


def to_text(report: dict) -> str:
    """Returns the protocol and a table, for reading."""
    rows = [*report["sources"], report["merged"]]
    width = max(len(row["file"]) for row in rows)
    lines = [
        ", ".join(f"{name} {value}" for name, value in report["protocol"].items() if value),
        "",
        f"{'file':{width}s}     boxes  images" + ("      AP    AP50" if "AP" in rows[0] else ""),
    ]
    for row in rows:
        line = f"{row['file']:{width}s} {row['boxes']:9d} {row['images']:7d}"
        figures = [row[name] for name in ("AP", "AP50") if name in row]
        line += "".join("    none" if value is None else f" {value:7.4f}" for value in figures)
        others = row["dropped"] | {"on unknown images": row.get("on_unknown_images", 0)}
        left = [f"{name.replace('_', ' ')} {count}" for name, count in others.items() if count]
        lines.append(line + (f"   left out: {', '.join(left)}" if left else ""))
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
