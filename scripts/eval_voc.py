"""Evaluate the person masks of a model on Pascal VOC: person IoU, pooled over all pixels.

python scripts/eval_voc.py MODEL.keras --data VOCdevkit/VOC2012 --split val
python scripts/eval_voc.py --data VOCdevkit/VOC2012 --flip --scales 0.75 1 1.25 --picture masks.png

VOC's server alone has the labels of the test images (Table 5 of the paper), so `val` stands for
them. Void pixels do not count. Prints the protocol, the counts of images and the IoU, or one JSON
object with --json. Images and label images that are missing or damaged are named with the reason.
Exit code 0: done, 3: there are more than --bad-images of them, 2: no image could be evaluated, or
wrong options or folders.
"""

import json
import sys

import tyro

from multiposenet.segmentation_options import SegmentationEvaluation, check
from posekit.commands import run


def main() -> int:
    """Reads the command line, evaluates and prints; returns the exit code."""
    options = tyro.cli(SegmentationEvaluation, description=__doc__)
    check(options)
    from multiposenet import evaluate_segmentation as report  # late: --help answers at once

    scores = report.evaluate_segmentation(options)
    for warning in report.warnings_of(scores):
        print(f"warning: {warning}", file=sys.stderr)
    as_json = options.json
    print(
        json.dumps(report.to_json(scores), allow_nan=False) if as_json else report.to_text(scores)
    )
    return scores.exit_code(options.bad_images)


if __name__ == "__main__":
    run(main)
