"""What `scripts/eval_coco.py` is told about a top-down model."""

import dataclasses
from pathlib import Path
from typing import Literal

from posekit.commands import UsageError
from posekit.metrics.evaluation_options import CocoEvaluation, check_form

TRUTH = ("gt", "truth")
"""Words for the boxes of the ground truth."""


@dataclasses.dataclass(frozen=True)
class TopDownEvaluation(CocoEvaluation):
    """What to evaluate, and how to show it."""

    boxes: str = "gt"
    """Top-down MODEL: gt, the ground truth's boxes of people with keypoints, or a FILE of COCO
    results, .json or .json.gz, as detect.py and merge_detections.py write it."""
    domain: tuple[str, ...] = ()
    """Top-down MODEL: head to read, by its name; several with --combination; none: the first, with
    --combination all."""
    combination: Literal["first", "vote"] | None = None
    """Top-down MODEL: several heads; first: each keypoint from the first one that has it, vote: the
    mean of their maps."""
    head: Literal["none", "interpolate"] = "none"
    """Top-down MODEL: make neck and top of the head from the other keypoints where no head of the
    network has them."""
    offset: Literal["none", "sign", "second_peak"] | None = None
    """Top-down MODEL: quarter offset; not given, as all below: as the model says."""
    blur_sigma: float | None = None
    """Top-down MODEL: Gaussian filter before the highest cell is sought, cells; 0: none."""
    shift: bool = True
    """Top-down MODEL: with --flip, move the mirrored maps one column."""
    box_threshold: float | None = None
    """Top-down MODEL: people in boxes of lower scores are left out."""
    keypoint_threshold: float | None = None
    """Top-down MODEL: a person's score counts keypoints above this."""
    oks_threshold: float | None = None
    """Top-down MODEL: OKS-NMS, greatest OKS with a better pose."""

    @property
    def combined(self) -> bool:
        """True where one head alone does not give the poses."""
        return self.combination is not None or self.head != "none"


def check(options: TopDownEvaluation) -> None:
    """Refuses options that do not belong together, before the model is read.

    Raises:
        UsageError: naming them.
    """
    check_form(options)
    if len(options.models) != 1:
        raise UsageError(f"expected one top-down model, received {len(options.models)}")
    if options.boxes not in TRUTH and not Path(options.boxes).exists():
        raise UsageError(
            f"--boxes: expected gt or a file of COCO results, received {options.boxes}, which is "
            "missing; scripts/detect.py makes one"
        )
    if len(options.domain) > 1 and not options.combination:
        raise UsageError(
            f"--domain: expected one head, or --combination beside {' '.join(options.domain)}"
        )
    if options.blur_sigma is not None and not 0 <= options.blur_sigma < 100:
        raise UsageError(f"--blur-sigma: expected cells from 0, received {options.blur_sigma}")
    for name in ("box_threshold", "keypoint_threshold", "oks_threshold"):
        value = getattr(options, name)
        if value is not None and not -1 <= value <= 1:
            word = name.replace("_", "-")
            raise UsageError(f"--{word}: expected a number up to 1, received {value}")
