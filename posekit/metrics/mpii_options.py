"""What `scripts/eval_mpii.py` is told."""

import dataclasses
from pathlib import Path
from typing import Literal

from posekit.commands import UsageError


@dataclasses.dataclass(frozen=True)
class MpiiEvaluation:
    """What to evaluate, and how to show it."""

    annotations: Path | None = None
    """Ground truth with head boxes: gt_valid.mat, detections_our_format.mat, annot_valid.h5, the
    official mpii_human_pose_v1_u12_1.mat, or a folder with one of the first three."""
    results: Path | None = None
    """Predicted keypoints, N x 16 x 2 in the order of the ground truth: .mat, .h5 or .npz with an
    array `preds`, or a JSON list (null: not predicted)."""
    origin: Literal["auto", "0", "1"] = "auto"
    """What the pixels of RESULTS count from; auto: 1 in .mat and .h5, as MPII does, else 0."""
    json: bool = False
    """Print one JSON object instead of the table."""


def check(options: MpiiEvaluation) -> None:
    """Refuses options that name nothing to evaluate.

    Raises:
        UsageError: naming the option.
    """
    for name in ("annotations", "results"):
        path = getattr(options, name)
        if path is None or not path.exists():
            raise UsageError(f"--{name}: expected a file that is there, received {path}")
