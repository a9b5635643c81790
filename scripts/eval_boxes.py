"""Evaluate person boxes by the rules of Pascal VOC above some confidences, and by COCO's.

python scripts/eval_boxes.py --annotations person_keypoints_val2017.json --results boxes.json

The VOC figures are those of Tables 1 to 5 of the report on SSD and stacked hourglasses: boxes of
at least a confidence, overlap 0.5. Files may be gzipped; of the results, boxes of category 1,
people, count. Prints the protocol, the counts and a table, or one JSON object with --json. Exit
code 2 where a file cannot be evaluated.
"""

import dataclasses
import json
import sys
from pathlib import Path

import tyro

from posekit.commands import UsageError, run


@dataclasses.dataclass(frozen=True)
class BoxEvaluation:
    """What to evaluate."""

    annotations: Path
    """COCO ground truth, .json or .json.gz."""
    results: Path
    """COCO results of boxes, .json or .json.gz, or a folder of such."""
    confidence: tuple[float, ...] = (0.15, 0.3, 0.5)
    """VOC: least scores of boxes, a row each."""
    iou: float = 0.5
    """VOC: least overlap of a box with a person."""
    json: bool = False
    """Print one JSON object instead of the table."""


def main() -> int:
    """Reads the command line, evaluates and prints; returns the exit code."""
    options = tyro.cli(BoxEvaluation, description=__doc__)
    if not options.confidence or not 0 < options.iou <= 1:
        raise UsageError(
            "expected at least one --confidence, and --iou above 0 and at most 1, received "
            f"{options.confidence} and {options.iou}"
        )
    from posekit.detections import read_detections  # late: --help answers at once
    from posekit.metrics import coco_boxes, coco_report, voc_boxes

    truth = coco_boxes.read_box_truth(options.annotations)
    detections = read_detections(options.results)
    people = voc_boxes.truths_of_coco(truth)
    rows = [
        voc_boxes.voc_average_precision(people, detections, options.iou, confidence)
        for confidence in options.confidence
    ]
    coco = coco_boxes.evaluate_detections(truth, detections)
    for warning in coco_report.warnings_of(coco):
        print(f"warning: {warning}", file=sys.stderr)
    files = {"annotations": options.annotations.name, "results": options.results.name}
    if options.json:
        report = {"voc": [dataclasses.asdict(row) for row in rows]}
        print(json.dumps(report | {"coco": coco_report.to_json(coco)} | files, allow_nan=False))
    else:
        coco.protocol.update(files)
        print(f"{voc_text(rows)}\n\n{coco_report.to_text(coco)}")
    return 0


def voc_text(rows: list) -> str:
    """Returns protocol, counts and a table of `VocScores`, for reading."""
    first = rows[0]
    lines = [
        f"bbox by Pascal VOC's rules: overlap {first.iou}, each person once, in order of scores; "
        "crowds do not count",
        f"people: {first.people}",
        "",
        "confidence    boxes  in crowds  every point  11-point  precision  recall",
    ]
    for row in rows:
        figures = row.every_point, row.eleven_point, row.precision, row.recall
        words = ("none" if value is None else f"{value:.4f}" for value in figures)
        line = "{:>12s} {:>9s} {:>10s} {:>7s}".format(*words)
        lines.append(f"{row.confidence:10g} {row.boxes:8d} {row.ignored:10d} {line}")
        if row.unknown_image:
            lines[-1] += f"   left out: on unknown images {row.unknown_image}"
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
