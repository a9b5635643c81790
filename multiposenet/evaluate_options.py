"""What `scripts/eval_coco.py` is told about a joined model."""

import dataclasses
from pathlib import Path
from typing import Literal

from posekit.commands import UsageError
from posekit.metrics.evaluation_options import (
    CocoEvaluation,
    check_form,
    check_place,
    check_run,
    given,
)


@dataclasses.dataclass(frozen=True)
class Evaluation(CocoEvaluation):
    """What to evaluate, and how to show it."""

    scales: tuple[float, ...] = (1.0,)
    """Joined MODEL: factors on the model's own size; the poses of several are pooled."""
    keypoints: Literal["predicted", "truth"] = "predicted"
    """Joined MODEL: whose keypoints are grouped (Table 3, right)."""
    boxes: Literal["predicted", "truth"] = "predicted"
    """Joined MODEL: whose boxes they are grouped into."""
    grouping: Literal["prn", "max", "ucr"] = "prn"
    """Joined MODEL: what groups them: the Pose Residual Network or a baseline."""
    prior: Path | None = None
    """Joined MODEL: prior.npz of a PRN's run, for the grouping ucr."""
    rule: Literal["clean", "likelihood", "published"] | None = None
    """Joined MODEL: how people share the peaks; not given: the model's own rule."""
    peaks: Path | None = None
    """Joined MODEL: JSON to write the keypoint peaks to, as group.py reads them."""

    @property
    def exchanged(self) -> bool:
        """True where the model's parts must be run one by one."""
        return bool(given(self, ("keypoints", "boxes", "grouping", "rule", "peaks")))


def check(options: Evaluation) -> None:
    """Refuses options that do not belong together.

    Raises:
        UsageError: naming them.
    """
    check_form(options)
    check_place("peaks", options.peaks)
    check_run(options.images, options.batch_size, options.scales)
    if (options.grouping == "ucr") != (options.prior is not None):
        raise UsageError(
            "expected --prior prior.npz together with --grouping ucr, received only one of the two"
        )
    plain = len(options.models) <= 1 and not options.flip and options.scales == (1.0,)
    if options.exchanged and not plain:
        raise UsageError(
            "expected one model without --flip and --scales where --keypoints, --boxes, "
            "--grouping, --rule or --peaks is given, received more"
        )
