r"""Run the rows of the papers' tables on tracking, and print them beside the papers' numbers.

python scripts/track_lab.py                     all rows, on drawn videos, with simulated networks
python scripts/track_lab.py simple-baselines-b6 --data data/posetrack17 --model R50.keras \
    --boxes fpn-dcn.json --flow flownet2s.keras    a row with a network, on PoseTrack
python scripts/track_lab.py --grid --data POSETRACK_FOLDER --split train --flow none
Without --data it draws PoseTrack-like videos with their exact flow. Simulated networks know the
annotations and make mistakes; they need no pictures. Boxes, poses and flow are kept in --cache, so
that rows share them. Writes into --output: table.md, rows.json, each row's results as
eval_posetrack.py reads them, and with --frontier a picture of MOTA over mAP at many thresholds.
Frames whose pictures are damaged have no people; they are named on stderr and in rejected.jsonl.
Exit code 0: done, 3: more than --bad-images of them, 2: all of them, or wrong options.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError, make_folder, run
from tracking.recipes import POSE_RECIPES, RECIPES

ALL_RECIPES = RECIPES | POSE_RECIPES


@dataclasses.dataclass(frozen=True)
class Laboratory:
    """Which rows, on what, with what."""

    rows: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names of rows (--list names them); none: all about tracking."""
    list: bool = False
    """Print the names of the rows and what they are."""
    data: Path | None = None
    """PoseTrack folder with annotations/SPLIT/*.json; not given: videos are drawn."""
    split: str = "val"
    """Of the data; minval is every fifth sequence of val."""
    sequences: int | None = None
    """Only the first so many."""
    every: int = 1
    """Only every n-th frame of each, so that people move faster."""
    model: Path | None = None
    """Top-down network, .keras; not given: the simulated ones."""
    boxes: Path | None = None
    """With --model: person boxes, COCO results of the annotations' image ids (.json, .json.gz)."""
    heads: tuple[str, ...] = ()
    """With --model: heads that are read, in order; not given: the row's where the network has them,
    else all."""
    combination: Literal["first", "vote"] = "first"
    """With --model: each keypoint from the first head that has it, or the mean of all."""
    head: Literal["none", "interpolate"] = "none"
    """With --model: interpolate makes neck and head_top where no head has them."""
    flow: str | None = None
    """exact (.flo files in DATA/flow/SPLIT), dis, none, a folder of such files, or a .keras network
    of convert_flownet.py; not given: exact where there is such, else dis with pictures, else none.
    """
    grid: bool = False
    """Each similarity with each matching in place of the papers' rows; else as the first row."""
    gate: float | None = None
    """Least similarity of a link, in all rows; not given: 0, as in the papers."""
    composition: Literal["composed", "direct"] = "composed"
    """Flow over several frames, in all rows: that of neighbours in turn, or computed directly."""
    frontier: str | None = None
    """A row: run it at many thresholds, draw MOTA over mAP."""
    videos: int = 0
    """Write annotated videos of so many sequences of each row."""
    seed: int = 0
    """Of drawn videos and of the simulated networks' mistakes."""
    poseval_compat: bool = False
    """Evaluate as the official toolkit does, with its quirks."""
    estimate_heads: bool = False
    """Where a person has no head box, take the head's size from neck and head top."""
    bad_images: float = 0.01
    """Greatest share of damaged pictures; with more the exit code is 3."""
    output: Path = Path("runs/track_lab")
    """Folder to write into."""
    cache: Path = Path("runs/track_lab_cache")
    """Folder of boxes, poses and flow."""
    json: bool = False
    """Print one JSON list in place of the table."""


def main() -> int:
    """Reads the command line, runs the rows, prints and writes."""
    options = tyro.cli(Laboratory, description=__doc__)
    if options.list:
        print("\n".join(f"{name}: {about}" for name, (about, _) in ALL_RECIPES.items()))
        return 0
    recipes = rows_of(options)
    from tracking.laboratory import report, rows, setup  # late: --help is quick

    names = ("data", "split", "flow", "cache", "every", "seed")
    laboratory = setup.Setup(**{name: getattr(options, name) for name in names})
    sequences = laboratory.sequences(options.model is not None, options.sequences)
    definitions = options.poseval_compat, options.estimate_heads
    report.check(sequences, options.estimate_heads)
    make_folder("--output", options.output)
    estimators = estimators_of(options)
    tell = lambda name: print(f"{name}: done", file=sys.stderr)  # noqa: E731
    results = rows.run_rows(recipes, sequences, estimators, tell)
    lines = []
    for name, result in results.items():
        scores = report.score(result, sequences, *definitions)
        lines.append(report.line_of(name, result, scores))
        report.write_results(options.output / name, result, sequences)
    text = report.to_text(lines)
    setup.write_tables(options.output, text, lines)
    print(json.dumps(lines, allow_nan=False) if options.json else text)
    for name, result in results.items():
        shown = sequences[: options.videos]
        setup.draw_videos(options.output / name, result, shown, laboratory.root)
    if options.frontier:
        path = options.output / f"frontier-{options.frontier}.png"
        recipe = changed(ALL_RECIPES[options.frontier][1], options)
        setup.frontier(path, recipe, sequences, estimators, definitions)
        print(path, file=sys.stderr)
    return say_what_is_damaged(options, sequences)


def say_what_is_damaged(options: Laboratory, sequences: list) -> int:
    """Lists the pictures that could not be read, on stderr and in a file; returns the exit code."""
    from posekit.datasets.rejected import write_rejected
    from posekit.metrics.evaluation_report import exit_code_of

    damaged = sequences[0].rejected.entries()
    for one in damaged:
        print(f"damaged, without people: {one['path']}: {one['reason']}", file=sys.stderr)
    write_rejected(options.output / "rejected.jsonl", damaged)
    frames = sum(len(sequence.truth.file_names) for sequence in sequences)
    return exit_code_of(damaged, frames - len(damaged), options.bad_images)


def rows_of(options: Laboratory) -> dict:
    """Returns the recipes that are asked for, by name."""
    from posekit.metrics.evaluation_options import check_limit

    names = (*options.rows, *([options.frontier] if options.frontier else []))
    unknown = [name for name in names if name not in ALL_RECIPES]
    if unknown:
        raise UsageError(f"expected rows out of those that --list names, received {unknown[0]}")
    for name in ("model", "data", "boxes"):
        path = getattr(options, name)
        if path is not None and not path.exists():
            raise UsageError(f"--{name}: expected a path that is there, received {path}")
    if options.model is not None and (options.boxes is None or options.data is None):
        raise UsageError("--model: expected --data and --boxes beside it")
    if (
        options.every < 1
        or options.videos < 0
        or (options.sequences is not None and options.sequences < 1)
    ):
        raise UsageError("expected --every and --sequences from 1, --videos from 0")
    check_limit(options.bad_images)
    if options.gate is not None and not 0 <= options.gate <= 1:
        raise UsageError(f"--gate: expected 0 to 1, received {options.gate}")
    chosen = {name: changed(ALL_RECIPES[name][1], options) for name in options.rows or RECIPES}
    if not options.grid:
        return chosen
    from tracking.laboratory.rows import similarity_grid

    return similarity_grid(chosen[options.rows[0] if options.rows else "simple-baselines-b6"])


def changed(recipe, options: Laboratory):
    """Returns the recipe with the tracker's settings that are given."""
    changes = {"composition": options.composition}
    changes |= {} if options.gate is None else {"gate": options.gate}
    return dataclasses.replace(recipe, tracker=dataclasses.replace(recipe.tracker, **changes))


def estimators_of(options: Laboratory):
    """Returns (sequence, recipe) -> what finds people: simulated networks, or a real one."""
    from tracking.laboratory import networks

    if options.model is None:
        return networks.simulated(options.seed)
    from posekit.detections import read_detections
    from posekit.skeletons import POSETRACK
    from topdown.matrix import Protocol
    from topdown.prediction import load_topdown
    from topdown.settings import settings_of
    from topdown.video_estimator import VideoEstimator

    model, found = load_topdown(options.model), read_detections(options.boxes)

    def network(recipe):
        reading = {"offset": recipe.offset, "blur_sigma": recipe.blur_sigma}
        reading = {name: value for name, value in reading.items() if value is not None}
        if recipe.blur_sigma == 0:
            reading["blur_sigma"] = None
        heads = recipe.heads if set(recipe.heads) <= set(settings_of(model).domains) else ()
        heads = options.heads or heads
        how = Protocol(recipe.flip, heads, options.combination, options.head, reading)
        return VideoEstimator(how.predictor(model, POSETRACK), detect=None)

    read = options.heads, options.combination, options.head
    return networks.of_network(options.model, network, found, options.cache, read)


if __name__ == "__main__":
    run(main)
