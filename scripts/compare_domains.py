"""Compare ways to learn from several data sets, as MDPN's Table 1 does, on drawn people.

python scripts/compare_domains.py --output runs/domains

Draws three data sets of unlike annotation, trains each of them alone, transfer, mixed and
multi-domain with and without fine-tuning, and writes a table of AP on PoseTrack-like videos. The
same command again resumes. Half an hour of one core.
"""

import dataclasses
from pathlib import Path

import tyro

from posekit.commands import run


@dataclasses.dataclass(frozen=True)
class Options:
    """What to compare."""

    output: Path = Path("runs/domains")
    """Folder for the drawn data sets, the runs and, in seedN, table.json and table.txt."""
    epoch_steps: int = 100
    """Steps of 16 crops that stand for five epochs of the paper."""
    seed: int = 0
    """Of weights, order and augmentation."""


def main() -> int:
    """Reads the options and compares."""
    options = tyro.cli(Options, description=__doc__)
    from topdown.domain_study import compare_domains, table  # late: --help answers at once

    print(table(compare_domains(options.output, options.epoch_steps, options.seed)), end="")
    return 0


if __name__ == "__main__":
    run(main)
