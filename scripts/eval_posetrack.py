"""Evaluate poses and tracks predicted on PoseTrack: AP, MOTA, MOTP, precision, recall and HOTA.

python scripts/eval_posetrack.py --annotations posetrack/annotations/val --results predictions
python scripts/eval_posetrack.py --annotations ... --results ... --poseval-compat --json

Both are folders of one .json file for each sequence, of the same names, in the form of 2018 or
2017. Definitions are those of the toolkit (poseval) without its faults: with the ground truth as
predictions everything is 100. --poseval-compat puts the faults back, to compare with published
numbers. Without track ids only AP is computed. Prints counts and the papers' table, or one JSON
object with --json. Exit code 2 where something cannot be evaluated, naming file, frame and person.
"""

import json
import sys

import tyro

from posekit.commands import run
from posekit.metrics.posetrack_options import PoseTrackEvaluation, check


def main() -> int:
    """Reads the command line, evaluates and prints; returns the exit code."""
    options = tyro.cli(PoseTrackEvaluation, description=__doc__)
    check(options)
    from posekit.metrics import posetrack_report as report  # late: --help answers at once
    from posekit.metrics.posetrack_files import evaluate_posetrack_files

    scores = evaluate_posetrack_files(
        options.annotations, options.results, options.poseval_compat, options.estimate_heads
    )
    for warning in report.warnings_of(scores):
        print(f"warning: {warning}", file=sys.stderr)
    as_json = options.json
    print(
        json.dumps(report.to_json(scores), allow_nan=False) if as_json else report.to_text(scores)
    )
    return 0


if __name__ == "__main__":
    run(main)
