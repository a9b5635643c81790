"""Evaluate keypoints or person boxes with the official COCO numbers.

python scripts/eval_coco.py --annotations person_keypoints_val2017.json --results results.json

Both files may be gzipped. Prints the protocol, the counts of images and a table, or one JSON object
with --json. Exit code 2 where a file cannot be evaluated.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError, run


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What to evaluate, and how to show it."""

    annotations: Path
    """COCO ground truth, .json or .json.gz."""
    results: Path
    """COCO results of keypoints or boxes, .json or .json.gz."""
    kind: Literal["auto", "keypoints", "bbox"] = "auto"
    """What of the results; auto: keypoints where they have them, else boxes."""
    only_predicted: bool = False
    """Skip images without results instead of counting their people as missed."""
    drop_unknown: bool = False
    """Leave out results on images that the ground truth does not have."""
    json: bool = False
    """Print one JSON object, `stats` in pycocotools' order, instead of the table."""
    curves: Path | None = None
    """PNG to write precision-recall curves to, by size of people."""


def main() -> int:
    """Reads the command line, evaluates and prints; returns the exit code."""
    options = tyro.cli(Evaluation, description=__doc__)
    if options.curves and not options.curves.parent.is_dir():
        raise UsageError(
            f"--curves: expected a picture in a folder that exists, received {options.curves}"
        )
    show(scores_of_files(options), options)
    return 0


def scores_of_files(options: Evaluation):
    """Evaluates a results file."""
    from posekit.metrics.coco_files import evaluate_files  # late: --help answers at once

    kind = None if options.kind == "auto" else options.kind
    return evaluate_files(
        options.annotations, options.results, kind, options.only_predicted, options.drop_unknown
    )


def show(scores, options: Evaluation) -> None:
    """Prints the numbers to stdout and warnings to stderr; writes the curves."""
    from posekit.metrics.coco_report import to_json, to_text, warnings_of, write_curves

    for warning in warnings_of(scores):
        print(f"warning: {warning}", file=sys.stderr)
    if options.curves:
        write_curves(options.curves, scores)
    print(json.dumps(to_json(scores), allow_nan=False) if options.json else to_text(scores))


if __name__ == "__main__":
    run(main)
