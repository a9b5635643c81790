"""Measure speed, always as a ratio of two rates of the same run.

python scripts/benchmark.py pipeline --data COCO_FOLDER    training samples/s beside plain reading
python scripts/benchmark.py step coco-r50                  a training step's share of the GEMM peak
"""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """Samples per second of the training pipeline beside decode + resize of the same files."""

    data: Path
    """COCO folder."""
    split: str = "train"
    """Split to read."""
    patch_size: int = 480
    """Height and width of the patch, pixels."""
    images: int = 600
    """Files read by each contestant in a round."""
    rounds: int = 3
    """Rounds; the contestants take turns and the best round of each counts."""


@dataclasses.dataclass(frozen=True)
class Step:
    """Time of a training step and its share of the peak of matrix multiplication."""

    recipe: Annotated[str, tyro.conf.Positional] = "demo"
    """Name of a keypoint recipe."""
    batch_size: int | None = None
    """Images a step; the recipe's when not given."""
    steps: int = 5
    """Steps that are timed, after one that is not."""


def main() -> None:
    """Runs the benchmark that the command line names."""
    choice = tyro.cli(Pipeline | Step, description=__doc__)
    from multiposenet import benchmarks  # late: --help answers at once

    if isinstance(choice, Pipeline):
        benchmarks.pipeline(**dataclasses.asdict(choice))
    else:
        benchmarks.step(choice.recipe, choice.batch_size, choice.steps)


if __name__ == "__main__":
    main()
