"""Show the body structures that a trained PRN has learned, as a few skeletons (Figure 2, right).

python scripts/explain_prn.py runs/prn-small/best.keras --data person_keypoints_val2017.json
python scripts/explain_prn.py runs/prn-1x1024-d-r/best.keras        the hidden nodes themselves

With people in --data, a structure is what the network answers for one of them; without, what the
outgoing weights of one hidden node favour. They are clustered by k-means with OKS as the
similarity. Writes one picture, the most frequent structure first, and prints their shares. Exit
code 2 where a file cannot be used.
"""

import dataclasses
from pathlib import Path

import tyro

from posekit.commands import UsageError, check_output, run


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What to explain, and how."""

    model: tyro.conf.Positional[Path]
    """Trained PRN, a .keras file."""
    data: Path | None = None
    """COCO keypoint file, .json or .json.gz, or COCO folder; without it the nodes are shown."""
    split: str = "val"
    """Split to read, where DATA is a folder."""
    people: int = 4000
    """People of DATA, drawn by chance among those with half of their keypoints labelled."""
    skeleton: str = "coco"
    """What the network's keypoints are: coco, mpii, posetrack, mdpn_union or a YAML file."""
    clusters: int = 6
    """Skeletons to show."""
    seed: int = 0
    """Of the choice of people and of the start of the clustering."""
    picture: Path = Path("prn-structures.png")
    """PNG to write."""


def main() -> int:
    """Reads the command line, clusters, draws and prints; returns the exit code."""
    options = tyro.cli(Explanation, description=__doc__)
    if options.picture.suffix.lower() != ".png":
        raise UsageError(f"--picture: expected a .png, received {options.picture}")
    check_output("--picture", options.picture)
    from multiposenet.prn_explanation import explain  # late: --help answers at once

    print(explain(**dataclasses.asdict(options)))
    return 0


if __name__ == "__main__":
    run(main)
