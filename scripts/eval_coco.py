"""Evaluate a model, or a file of keypoints or person boxes, with the official COCO numbers.

python scripts/eval_coco.py MODEL.keras --data COCO_FOLDER --split val
python scripts/eval_coco.py TOPDOWN.keras --data COCO_FOLDER --split val --boxes detections.json.gz
python scripts/eval_coco.py --annotations person_keypoints_val2017.json --results results.json

The first form runs a joined MultiPoseNet and gives keypoint AP, person AP and person-mask IoU. The
second runs a top-down model in the ground truth's boxes or those of a file, and gives keypoint AP
and the file's own person AP. --write keeps what was found as results files, which the third form
evaluates to the same numbers. Files may be gzipped. Prints the protocol, the counts of images and
tables, or one JSON object with --json. Damaged images are named and left out. Exit code 0: done, 3:
more than --bad-images of the images were damaged, 2: a file cannot be evaluated, or no image.
"""

import dataclasses
import json
import sys

import tyro

from multiposenet import evaluate_options as multiposenet_options
from posekit.commands import UsageError, run
from posekit.metrics.evaluation_options import CocoEvaluation, check_form, given, own_names
from topdown import evaluate_options as topdown_options


@dataclasses.dataclass(frozen=True)
class Evaluation(topdown_options.TopDownEvaluation, multiposenet_options.Evaluation):
    """What to evaluate, and how to show it.

    Options are of the form with a MODEL, joined or top-down, of the form with a results file, or of
    several.
    """

    boxes: str | None = None
    """Joined MODEL: predicted, or truth, whose boxes keypoints are grouped into. Top-down MODEL:
    gt, the ground truth's boxes of people with keypoints, or a FILE of COCO results, .json or
    .json.gz, as detect.py and merge_detections.py write it."""


def main() -> int:
    """Reads the command line, evaluates and prints; returns the exit code."""
    options = tyro.cli(Evaluation, description=__doc__)
    check_form(options)
    report, scores = evaluate(options)
    for warning in report.warnings_of(scores):
        print(f"warning: {warning}", file=sys.stderr)
    if options.curves:
        from posekit.metrics.coco_report import write_curves

        write_curves(options.curves, scores.keypoints if options.of_model else scores)
    as_json = options.json
    print(
        json.dumps(report.to_json(scores), allow_nan=False) if as_json else report.to_text(scores)
    )
    if not options.of_model:
        return 0
    from posekit.metrics.evaluation_report import exit_code_of

    evaluated = scores.keypoints.images["evaluated"]
    return exit_code_of(scores.damaged, evaluated, options.bad_images)


def evaluate(options: Evaluation) -> tuple:
    """Returns the module that reports the figures, and the figures."""
    if not options.of_model:
        from posekit.metrics import coco_report

        return coco_report, scores_of_files(options)
    from posekit.model_files import kind_of_model

    kinds = {kind_of_model(path) for path in options.models}
    if kinds == {"topdown"}:
        own = narrowed(options, topdown_options.TopDownEvaluation, "a top-down model")
        topdown_options.check(own)
        from topdown import evaluation_report  # late: --help answers at once
        from topdown.evaluate_model import evaluate_model

        return evaluation_report, evaluate_model(own)
    own = narrowed(options, multiposenet_options.Evaluation, "a joined model")
    multiposenet_options.check(own)
    from multiposenet import evaluate_model as joined

    return joined, joined.evaluate_model(own)


def narrowed(options: Evaluation, kind: type[CocoEvaluation], model: str) -> CocoEvaluation:
    """Returns the options of one kind of model.

    Raises:
        UsageError: options of another kind are given.
    """
    wanted = {field.name for field in dataclasses.fields(kind)}
    if foreign := given(options, [name for name in own_names(Evaluation) if name not in wanted]):
        raise UsageError(f"expected options of {model}, received {', '.join(foreign)}")
    values = {name: getattr(options, name) for name in wanted}
    if options.boxes is None:
        del values["boxes"]
    elif kind is multiposenet_options.Evaluation and options.boxes not in ("predicted", "truth"):
        raise UsageError(
            f"--boxes: expected predicted or truth with {model}, received {options.boxes}"
        )
    return kind(**values)


def scores_of_files(options: Evaluation):
    """Evaluates a results file."""
    from posekit.metrics.coco_files import evaluate_files

    kind = None if options.kind == "auto" else options.kind
    return evaluate_files(
        options.annotations, options.results, kind, options.only_predicted, options.drop_unknown
    )


if __name__ == "__main__":
    run(main)
