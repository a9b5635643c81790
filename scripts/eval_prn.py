"""Measure how well keypoints are given to people: assignment AP, with true keypoints and boxes.

python scripts/eval_prn.py runs/prn-1x1024-d-r/best.keras --data person_keypoints_val2017.json
python scripts/eval_prn.py --data VAL.json.gz --prior TRAIN.npz       only what needs no network

Prints the protocol and one line for each method, by both rules of choosing peaks, for all images
and for the crowded ones alone. Exit code 2 where a file cannot be used.
"""

import dataclasses
import json
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import run


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What to evaluate, and how to show it."""

    data: Path
    """COCO keypoint file, .json or .json.gz, or COCO folder."""
    model: tyro.conf.Positional[Path | None] = None
    """Trained PRN, a .keras file; without it only the floors are measured."""
    split: str = "val"
    """Split to read, where DATA is a folder."""
    boxes: Literal["all", "no-crowd", "labelled"] = "all"
    """Whose boxes take part: all as in published figures, no crowds, or people with keypoints."""
    prior: Path | None = None
    """Prior of the baseline UCR: prior.npz of a run, or people; none = prior.npz beside MODEL."""
    json: bool = False
    """Print one JSON object instead of the table."""


def main() -> int:
    """Reads the command line, evaluates and prints; returns the exit code."""
    options = tyro.cli(Evaluation, description=__doc__)
    from multiposenet.prn_evaluation import as_dict, as_table  # late: --help answers at once
    from multiposenet.prn_figures import measure

    figures, protocol = measure(
        options.model, options.data, options.split, options.boxes, options.prior
    )
    if options.json:
        print(json.dumps({"metrics": as_dict(figures), "protocol": protocol}, allow_nan=False))
        return 0
    for name, value in protocol.items():
        print(f"{name}: {value}")
    print(as_table(figures))
    return 0


if __name__ == "__main__":
    run(main)
