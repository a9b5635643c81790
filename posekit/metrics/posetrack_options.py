"""What `scripts/eval_posetrack.py` is told."""

import dataclasses
from pathlib import Path

from posekit.commands import UsageError


@dataclasses.dataclass(frozen=True)
class PoseTrackEvaluation:
    """What to evaluate, and how to show it."""

    annotations: Path
    """Folder of .json files, one sequence each, in the form of 2018 or 2017; or one file."""
    results: Path
    """Folder of predictions, of the same file names, in either form; or one file."""
    poseval_compat: bool = False
    """Count as PoseTrack's own toolkit does, with its faults: the last frame of each sequence left
    out of MOTA, frames without predictions counted as one miss and one false positive, keypoints
    that nobody has as AP 0."""
    estimate_heads: bool = False
    """Where a person has no head box, take the head's size from neck and head top."""
    json: bool = False
    """Print one JSON object instead of the table."""


def check(options: PoseTrackEvaluation) -> None:
    """Refuses paths that are not there.

    Raises:
        UsageError: naming the option.
    """
    for name in ("annotations", "results"):
        path = getattr(options, name)
        if not path.exists():
            raise UsageError(f"--{name}: expected a folder or file that is there, received {path}")
