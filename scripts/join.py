"""Join three trained networks to one model: keypoints and mask, person detector, PRN.

python scripts/join.py runs/small runs/detector-small runs/prn-small --output small.keras

Each network is a run folder, whose best.keras is taken, or a .keras file. The model is what
predict.py, eval_coco.py, export.py and benchmark.py read.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import run


@dataclasses.dataclass(frozen=True)
class Join:
    """What to join, and how the model reads images."""

    keypoints: tyro.conf.Positional[Path]
    """Keypoint run, or .keras file."""
    detector: tyro.conf.Positional[Path]
    """Detector run on the backbone of that keypoint run, or .keras file."""
    prn: tyro.conf.Positional[Path]
    """PRN run, or .keras file."""
    output: Path = Path("multiposenet.keras")
    """File to write."""
    skeleton: str = "coco"
    """coco, mpii, posetrack, or a YAML file."""
    half: bool = False
    """Write kernels in half precision: half the size."""
    shorter_edge: int = 480
    """Length that an image's shorter edge is scaled to, pixels."""
    canvas: tuple[int, int] = (768, 768)
    """Height and width that the scaled image must fit into; multiples of 32, pixels."""
    box_threshold: float = 0.05
    """Least score of a person box."""
    nms: float = 0.3
    """Greatest overlap (IoU) of two boxes that are both kept."""
    peak_threshold: float = 0.1
    """Least heatmap value of a keypoint."""
    rule: Literal["clean", "likelihood", "published"] = "clean"
    """How people share the peaks."""
    box_weight: float = 1.0
    """Exponent of the box's score where people compete for a peak; 0: not used, as in the paper."""
    fill: bool = True
    """Put keypoints that a person did not get where the PRN expects them, with score 0."""
    mask_threshold: float = 0.5
    """Least value of the mask channel on people."""


def main() -> int:
    """Reads the command line, joins and writes; returns the exit code."""
    options = tyro.cli(Join, description=__doc__)
    from multiposenet.joining import join_files  # late: --help answers at once

    fields = dataclasses.asdict(options)
    files = [fields.pop(name) for name in ("keypoints", "detector", "prn", "output")]
    model = join_files(*files, fields.pop("skeleton"), fields.pop("half"), **fields)
    print(f"{options.output}: {model.count_params()} parameters")
    return 0


if __name__ == "__main__":
    run(main)
