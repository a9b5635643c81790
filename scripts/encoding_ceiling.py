"""Measure the AP that a perfect top-down network would reach: what the heatmaps' encoding costs.

python scripts/encoding_ceiling.py --data COCO_FOLDER --split val
python scripts/encoding_ceiling.py --data COCO_FOLDER --size 384 288 --offset second_peak

Draws the ground truth's keypoints into heatmaps as training does, in the ground truth's boxes,
reads them as prediction does, and evaluates; needs neither a network nor the contents of pictures.
A result far below 1 would be a fault of the geometry, not of a network. Prints the protocol
and a table, or one JSON object with --json.
"""

import dataclasses
import json
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from posekit.commands import UsageError, run


@dataclasses.dataclass(frozen=True)
class Ceiling:
    """What to encode, and how."""

    data: Path
    """COCO folder holding annotations/person_keypoints_SPLIT.json and SPLIT/."""
    split: str = "val"
    """Split of DATA."""
    images: int | None = None
    """Only the first so many images."""
    size: tuple[int, int] = (256, 192)
    """Height and width of a crop, pixels, multiples of 4."""
    sigma: float | None = None
    """Gaussian radius, heatmap cells; none: 2 for 192 pixels of width, in proportion."""
    margin: float = 1.25
    """Factor on the box once it has the shape of the crop."""
    offset: Literal["none", "sign", "second_peak"] = "sign"
    """Quarter offset."""
    blur_sigma: float | None = None
    """Gaussian filter before the highest cell is sought, cells."""
    json: bool = False
    """Print one JSON object instead of the table."""


def main() -> int:
    """Reads the command line, measures and prints; returns the exit code."""
    options = tyro.cli(Ceiling, description=__doc__)
    check(options)
    from posekit.datasets.coco import load_coco  # late: --help answers at once
    from posekit.metrics import coco_report
    from posekit.metrics.evaluation_report import protocol_text
    from topdown.oracle import OraclePredictor, encoding_ceiling, oracle_settings
    from topdown.settings import Reading

    dataset = load_coco(options.data, options.split)
    if options.images is not None:
        dataset = dataset.subset(np.arange(min(options.images, len(dataset))))
    settings = oracle_settings(dataset.skeleton, options.size, options.sigma, options.margin)
    reading = Reading(options.offset, options.blur_sigma)
    scores = encoding_ceiling(OraclePredictor(settings, reading), dataset)
    protocol = {"data": options.data.resolve().name, "split": options.split}
    protocol |= {"boxes": "ground truth, people with labelled keypoints"}
    protocol |= {"size": list(settings.size), "sigma": settings.sigma, "margin": options.margin}
    protocol |= {"offset": options.offset, "blur_sigma": options.blur_sigma}
    if options.json:
        report = {"keypoints": coco_report.to_json(scores), "protocol": protocol}
        print(json.dumps(report, allow_nan=False))
    else:
        print(f"{protocol_text(protocol)}\n\n{coco_report.to_text(scores)}")
    return 0


def check(options: Ceiling) -> None:
    """Refuses options out of their range."""
    if min(options.size) < 4 or any(length % 4 for length in options.size):
        raise UsageError(f"--size: expected multiples of 4, received {options.size}")
    for name in ("images", "sigma", "margin", "blur_sigma"):
        value = getattr(options, name)
        if value is not None and not 0 < value < 1e9:
            word = name.replace("_", "-")
            raise UsageError(f"--{word}: expected a number above 0, received {value}")


if __name__ == "__main__":
    run(main)
