"""Evaluate keypoints predicted on MPII: PCKh at 0.5 and 0.1, with both usual means.

python scripts/eval_mpii.py TOPDOWN.keras --data MPII_FOLDER --flip
python scripts/eval_mpii.py --annotations gt_valid.mat --results pred.mat
python scripts/eval_mpii.py --annotations mpii/annot --results preds.npz --json

The first form runs a top-down model on the validation people, at the places that the protocol
gives. In a results file the predictions are an array `preds` of N x 16 x 2 in the order of the
ground truth, in MPII's order of keypoints. Prints the protocol, the counts and a table, or one JSON
object with --json. Exit code 0: done, 3: more than --bad-images of the images were damaged; their
people count as not predicted, 2: a file cannot be evaluated, or the counts of people differ.
"""

import json
import sys

import tyro

from posekit.commands import run
from posekit.metrics.mpii_options import MpiiEvaluation, check


def main() -> int:
    """Reads the command line, evaluates and prints; returns the exit code."""
    options = tyro.cli(MpiiEvaluation, description=__doc__)
    check(options)
    from posekit.metrics import mpii_report as report  # late: --help answers at once

    scores = evaluate(options)
    for warning in report.warnings_of(scores):
        print(f"warning: {warning}", file=sys.stderr)
    as_json = options.json
    print(
        json.dumps(report.to_json(scores), allow_nan=False) if as_json else report.to_text(scores)
    )
    from posekit.metrics.evaluation_report import exit_code_of

    protocol = scores.protocol
    return exit_code_of(protocol.get("damaged", []), protocol.get("images", 0), options.bad_images)


def evaluate(options: MpiiEvaluation):
    """Returns the figures of a model or of a results file."""
    if options.model:
        from topdown.evaluate_mpii import evaluate_mpii_model

        settings = options.annotations, options.flip, options.domain
        return evaluate_mpii_model(options.model, options.data, *settings)
    from posekit.metrics.mpii_files import evaluate_mpii_files

    return evaluate_mpii_files(options.annotations, options.results, options.origin)


if __name__ == "__main__":
    run(main)
