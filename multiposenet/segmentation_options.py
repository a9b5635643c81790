"""What `scripts/eval_voc.py` is told."""

import dataclasses
from pathlib import Path

import tyro

from posekit.commands import UsageError
from posekit.metrics.evaluation_options import check_limit, check_place, check_run


@dataclasses.dataclass(frozen=True)
class SegmentationEvaluation:
    """What to evaluate, and how to show it."""

    data: Path
    """VOC folder, VOC2012 within VOCdevkit: ImageSets/, JPEGImages/, SegmentationClass/."""
    models: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Joined models, .keras files; the masks of several are averaged. None: the pretrained one."""
    split: str = "val"
    """Name of the list in ImageSets/Segmentation."""
    images: int | None = None
    """Only the first so many images."""
    batch_size: int = 4
    """Images that are read ahead and predicted at once."""
    flip: bool = False
    """Also reads the mirrored images."""
    scales: tuple[float, ...] = (1.0,)
    """Factors on the model's own size; the masks of several are averaged."""
    bad_images: float = 0.01
    """Greatest share of missing or damaged images; with more the exit code is 3."""
    mask_threshold: float | None = None
    """Least mean mask value, 0 to 1, on people; not given: the first model's own."""
    json: bool = False
    """Print one JSON object instead of the text."""
    picture: Path | None = None
    """PNG of the first images, truth left (void in grey) and prediction right."""


def check(options: SegmentationEvaluation) -> None:
    """Refuses options out of their range, before the model is read.

    Raises:
        UsageError: naming the option.
    """
    check_run(options.images, options.batch_size, options.scales)
    check_limit(options.bad_images)
    check_place("picture", options.picture)
    threshold = options.mask_threshold
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"--mask-threshold: expected a number from 0 to 1, received {threshold}")
