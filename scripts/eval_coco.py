"""Evaluate a model, or a file of keypoints or person boxes, with the official COCO numbers.

python scripts/eval_coco.py MODEL.keras --data COCO_FOLDER --split val
python scripts/eval_coco.py --annotations person_keypoints_val2017.json --results results.json

The first form runs the model and gives keypoint AP, person AP and person-mask IoU; --write keeps
what it found as results files, which the second form evaluates to the same numbers. Files may be
gzipped. Prints the protocol, the counts of images and tables, or one JSON object with --json.
Exit code 2 where a file cannot be evaluated.
"""

import json
import sys

import tyro

from multiposenet.evaluate_options import Evaluation, check
from posekit.commands import run


def main() -> int:
    """Reads the command line, evaluates and prints; returns the exit code."""
    options = tyro.cli(Evaluation, description=__doc__)
    check(options)
    if options.of_model:
        from multiposenet import evaluate_model as report  # late: --help answers at once

        scores = report.evaluate_model(options)
        curves = scores.keypoints
    else:
        from posekit.metrics import coco_report as report

        scores = curves = scores_of_files(options)
    for warning in report.warnings_of(scores):
        print(f"warning: {warning}", file=sys.stderr)
    if options.curves:
        from posekit.metrics.coco_report import write_curves

        write_curves(options.curves, curves)
    as_json = options.json
    print(
        json.dumps(report.to_json(scores), allow_nan=False) if as_json else report.to_text(scores)
    )
    return 0


def scores_of_files(options: Evaluation):
    """Evaluates a results file."""
    from posekit.metrics.coco_files import evaluate_files

    kind = None if options.kind == "auto" else options.kind
    return evaluate_files(
        options.annotations, options.results, kind, options.only_predicted, options.drop_unknown
    )


if __name__ == "__main__":
    run(main)
