"""What `scripts/eval_mpii.py` is told."""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError
from posekit.metrics.evaluation_options import check_limit


@dataclasses.dataclass(frozen=True)
class MpiiEvaluation:
    """What to evaluate, and how to show it; a MODEL on DATA, or RESULTS."""

    model: tyro.conf.Positional[Path | None] = None
    """.keras file of a top-down model, to run on DATA."""
    data: Path | None = None
    """MODEL: MPII folder with images/ and annot/valid.json or another form of its annotations."""
    flip: bool = False
    """MODEL: also reads the mirrored crops."""
    domain: str | None = None
    """MODEL: head to read, by its name; none: that with the most of MPII's keypoints."""
    bad_images: float = 0.01
    """MODEL: greatest share of damaged images; with more the exit code is 3."""
    annotations: Path | None = None
    """Ground truth with head boxes: gt_valid.mat, detections_our_format.mat, annot_valid.h5, the
    official mpii_human_pose_v1_u12_1.mat, or a folder with one of the first three. With a MODEL it
    is looked for in DATA/annot."""
    results: Path | None = None
    """Predicted keypoints, N x 16 x 2 in the order of the ground truth: .mat, .h5 or .npz with an
    array `preds`, or a JSON list (null: not predicted)."""
    origin: Literal["auto", "0", "1"] = "auto"
    """What the pixels of RESULTS count from; auto: 1 in .mat and .h5, as MPII does, else 0."""
    json: bool = False
    """Print one JSON object instead of the table."""


def check(options: MpiiEvaluation) -> None:
    """Refuses options that name nothing to evaluate, and mixtures of the two forms.

    Raises:
        UsageError: naming the option.
    """
    of_model = options.model or options.data or options.flip or options.domain
    if of_model and (options.results or options.origin != "auto"):
        raise UsageError("expected --results, or MODEL --data FOLDER, received options of both")
    check_limit(options.bad_images)
    names = ("model", "data") if of_model else ("annotations", "results")
    for name in (*names, "annotations") if options.annotations else names:
        path = getattr(options, name)
        if path is None or not path.exists():
            word = "MODEL" if name == "model" else f"--{name}"
            raise UsageError(f"{word}: expected a path that is there, received {path}")
