"""Measure speed, always as a ratio of two rates of the same run.

python scripts/benchmark.py pipeline --data COCO_FOLDER    training samples/s beside plain reading
python scripts/benchmark.py step coco-r50                  a training step's share of the GEMM peak
python scripts/benchmark.py multiposenet --output FOLDER   time by stage against 1 to 20 people
python scripts/benchmark.py topdown --data COCO_FOLDER     people/s, decoding, OKS-NMS, crops/s
python scripts/benchmark.py tracking --output FOLDER       the tracker for 5 to 100 people, and flow
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from posekit.commands import run


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


@dataclasses.dataclass(frozen=True)
class Multiposenet:
    """Time by stage against the number of people, and cost by block: the paper's Figures 8 and 7.

    The people are set, not found: behind the network, raw outputs that give exactly so many people
    take the place of its own.
    """

    recipe: Literal["r50", "r101", "small", "demo"] = "r50"
    """Networks with random weights; "r50" is the paper's."""
    model: Path | None = None
    """Joined model (.keras) to measure instead."""
    prn: tuple[str, ...] = ("prn-1x1024-d-r", "prn-small")
    """PRN recipes, each of which is measured on the same networks."""
    size: tuple[int, int] | None = None
    """Height and width of the canvas, multiples of 32, pixels; none = the recipe's."""
    people: tuple[int, ...] = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20)
    """Numbers of people."""
    rounds: int = 5
    """Repetitions, of which the median counts; 0 = the cost by block alone."""
    clock: Literal["wall", "cpu"] = "wall"
    """"cpu" adds up all threads: for a machine without a GPU that does other work at the time."""
    output: Path | None = None
    """Folder for benchmark.json, tables and plots."""


@dataclasses.dataclass(frozen=True)
class Topdown:
    """People/s from image + boxes to poses, decoding, OKS-NMS, and training crops/s.

    Each beside something else of the same run: the bare network at the same batch size, loops over
    people, an image decoded for each crop.
    """

    data: Path | None = None
    """COCO folder; without it people are drawn, and the training pipeline is left out."""
    split: str = "train"
    """Split to read."""
    recipe: str = "small"
    """Top-down recipe whose network is measured, with random weights."""
    model: Path | None = None
    """Top-down network (.keras) to measure instead."""
    people: int = 256
    """People that are predicted in a round."""
    batch_size: int = 32
    """Crops that go through the network at once."""
    crops_of: str = "simple-baselines-r50"
    """Top-down recipe whose training crops are made."""
    crops: int = 5000
    """Training crops made in a round."""
    rounds: int = 3
    """Rounds; the contestants take turns and the best round of each counts."""
    clock: Literal["wall", "cpu"] = "wall"
    """"cpu" adds up all threads: for a machine that does other work at the time."""


@dataclasses.dataclass(frozen=True)
class Tracking:
    """Updates/s of the tracker alone (queue of 8, flow OKS, Hungarian), and of the flow.

    The tracker's reference is so many exponentials as one update of 20 people needs.
    """

    people: tuple[int, ...] = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
    """Numbers of people in a frame."""
    rounds: int = 5
    """Repetitions, of which the best counts."""
    clock: Literal["wall", "cpu"] = "wall"
    """"cpu" adds up all threads: for a machine that does other work at the time."""
    output: Path | None = None
    """Folder for the plot of cost against people."""


def main() -> None:
    """Runs the benchmark that the command line names."""
    choice = tyro.cli(Pipeline | Step | Multiposenet | Topdown | Tracking, description=__doc__)
    if isinstance(choice, Multiposenet):
        return stages(choice)
    if isinstance(choice, Topdown):
        from topdown.benchmarks import benchmark

        return benchmark(**dataclasses.asdict(choice))
    if isinstance(choice, Tracking):
        from tracking.benchmarks import benchmark

        return benchmark(**dataclasses.asdict(choice))
    from multiposenet import benchmarks  # late: --help answers at once

    if isinstance(choice, Pipeline):
        benchmarks.pipeline(**dataclasses.asdict(choice))
    else:
        benchmarks.step(choice.recipe, choice.batch_size, choice.steps)


def stages(choice: Multiposenet) -> None:
    """Builds or reads the models and measures them."""
    from multiposenet.benchmark_models import model_of_file, random_models
    from multiposenet.stage_benchmark import benchmark

    if choice.model is None:
        models = random_models(choice.recipe, choice.prn, choice.size)
    else:
        models = model_of_file(choice.model)
    benchmark(models, choice.people, choice.rounds, choice.clock, choice.output)


if __name__ == "__main__":
    run(main)
