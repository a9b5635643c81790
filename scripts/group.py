"""Group any detector's keypoint peaks into person boxes with the Pose Residual Network (Table 4).

python scripts/group.py --peaks peaks.json --boxes boxes.json --output results.json

Peaks: {"images": [{"image_id": 139, "peaks": {"nose": [[x, y, score], ...], ...}}, ...]}, in pixels
of the original image, by the skeleton's names of keypoints. Boxes: COCO box results. Both may be
gzipped. Writes COCO keypoint results, which eval_coco.py evaluates, and prints counts. Exit code 2
where a file cannot be used.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import check_output, run


@dataclasses.dataclass(frozen=True)
class Grouping:
    """What to group, and how."""

    peaks: Path
    """Keypoint peaks, .json or .json.gz."""
    boxes: Path
    """COCO results of person boxes, .json or .json.gz."""
    output: Path = Path("keypoint-results.json")
    """COCO keypoint results to write."""
    model: Path = Path(__file__).parents[1] / "pretrained" / "prn-small.keras"
    """Trained PRN, a .keras file."""
    skeleton: str = "coco"
    """What the PRN's keypoints are: coco, mpii, posetrack, mdpn_union or a YAML file."""
    rule: Literal["clean", "likelihood", "published"] = "clean"
    """How people share the peaks."""
    box_threshold: float = 0.0
    """Least score of a box."""
    fill: bool = True
    """Put keypoints that a person did not get where the PRN expects them, with score 0."""
    box_weight: float = 1.0
    """Exponent of the box's score where people compete for a peak; 0: not used, as in the paper."""
    drop_unknown: bool = False
    """Leave out peaks of types that the skeleton does not have."""


def main() -> int:
    """Reads the command line, groups and prints counts; returns the exit code."""
    options = tyro.cli(Grouping, description=__doc__)
    check_output("--output", options.output)
    from multiposenet.group_files import group_files  # late: --help answers at once

    for name, count in dataclasses.asdict(group_files(**vars(options))).items():
        print(f"{name.replace('_', ' ')}: {count}")
    return 0


if __name__ == "__main__":
    run(main)
