"""Figures 8 and 7 of the paper: time by stage against people, and cost by block."""

import csv
import dataclasses
import io
import sys
from pathlib import Path

import keras
import tensorflow as tf

from multiposenet.benchmark_scenes import Scene, make_scene
from multiposenet.block_costs import BlockCost, block_costs, cost_table
from multiposenet.model import pose_head
from multiposenet.stage_plots import plot_blocks, plot_stages
from multiposenet.stage_timing import (
    STAGES,
    SUMS,
    WHOLE,
    Line,
    Timings,
    least_squares,
    measure,
    theil_sen,
)
from posekit.atomic_files import write_file
from posekit.commands import UsageError, make_folder
from posekit.strict_json import write_json

LIMIT_PERCENT = 2.0
"""What one more person may cost."""
PAPER_PERCENT = 5.7
"""What it cost in the paper: 2 ms on the 35 ms of one person."""
COLUMNS = (*STAGES, *SUMS, WHOLE)
FITTED = (WHOLE, "model's stages", "as in the paper", "behind the network")


def benchmark(
    models: dict[str, keras.Model],
    people: tuple[int, ...],
    rounds: int,
    clock: str = "wall",
    output: Path | None = None,
) -> None:
    """Prints the costs by block, the times by stage and the price of one more person.

    Args:
        models: name -> joined model; see `benchmark_models`.
        people: numbers of people.
        rounds: repetitions, of which the median counts; 0 prints the costs by block alone.
        clock: of `stage_timing.CLOCKS`.
        output: folder for benchmark.json, tables (CSV) and plots (PNG); None: no files.

    Raises:
        UsageError: numbers that cannot be measured or fitted.
    """
    people = tuple(sorted(set(people)))
    if len(people) < 2 or people[0] < 1 or rounds < 0:
        raise UsageError(
            "expected at least two different numbers of people, none below 1, and rounds of at "
            f"least 0, received {people} and {rounds}; try --people 1 10 20 --rounds 3"
        )
    if output is not None:
        make_folder("--output", output)
    costs = {name: _costs(joined) for name, joined in models.items()}
    for name, joined in models.items():
        print(f"{name}\n{cost_table(costs[name], _canvas(joined))}\n")
    scenes = make_scenes(next(iter(models.values())), people) if rounds else {}
    results = measure(models, scenes, rounds, clock) if rounds else {}
    for name, timings in results.items():
        print(f"{name}, median of {rounds} rounds, {clock} clock\n{stage_table(timings)}\n")
        print(f"{line_table(timings)}\n")
    if output is not None:
        _write(output, models, costs, results, clock)


def make_scenes(model: keras.Model, people: tuple[int, ...]) -> dict[int, Scene]:
    """Draws a scene for each number of people, of the size that a joined model reads."""
    head = pose_head(model)
    settings = head.settings.canvas, head.settings.shorter_edge
    try:
        return {count: make_scene(count, *settings, head.skeleton) for count in people}
    except ValueError as error:
        raise UsageError(str(error)) from error


def stage_table(timings: Timings) -> str:
    """Writes medians for the eye: stages, their sums and the whole model, a column for each."""
    rows = [("ms", *(str(count) for count in timings.people))]
    rows += [(name, *(f"{1e3 * s:.2f}" for s in timings.median(name))) for name in COLUMNS]
    return "\n".join(f"{row[0]:20s}" + "".join(f"{cell:>10s}" for cell in row[1:]) for row in rows)


def lines_of(timings: Timings) -> dict[str, dict[str, Line]]:
    """Fits lines: FITTED -> "least squares" and "Theil-Sen" -> line."""
    fits = {"least squares": least_squares, "Theil-Sen": theil_sen}
    return {
        name: {kind: fit(timings.people, timings.median(name)) for kind, fit in fits.items()}
        for name in FITTED
    }


def line_table(timings: Timings) -> str:
    """Writes what one more person costs, and whether that keeps the limit."""
    lines = lines_of(timings)
    first, last = timings.people[[0, -1]]
    rows = [
        f"one more person, {first} to {last}: ms = % of its own time with one (% of the model's)"
    ]
    for name, fits in lines.items():
        row = f"{name:20s}"
        for kind, line in fits.items():
            share = 100 * line.per_person / lines[WHOLE][kind].one_person
            row += f"  {kind}: {1e3 * line.per_person:.2f} = {line.percent:z.2f} ({share:z.2f})"
        rows.append(row)
    worst = max(line.percent for line in lines[WHOLE].values())
    verdict = "kept" if worst <= LIMIT_PERCENT else "NOT KEPT"
    rows.append(
        f"at most {LIMIT_PERCENT:g} % of the {WHOLE} with one person: {verdict} with "
        f"{worst:z.2f} % (paper: {PAPER_PERCENT:g} %)"
    )
    return "\n".join(rows)


def _canvas(model: keras.Model) -> tuple[int, int]:
    return pose_head(model).settings.canvas


def _costs(model: keras.Model) -> dict[str, BlockCost]:
    return block_costs(model.get_layer("networks"), pose_head(model).prn, _canvas(model))


def _write(
    folder: Path,
    models: dict[str, keras.Model],
    costs: dict[str, dict[str, BlockCost]],
    results: dict[str, Timings],
    clock: str,
) -> None:
    reports = {}
    for name, model in models.items():
        stem = name.replace(" ", "-")
        blocks = {block: dataclasses.asdict(cost) for block, cost in costs[name].items()}
        height, width = _canvas(model)
        title = f"{name}, {height}x{width}"
        reports[name] = {"canvas": [height, width], "blocks": blocks}
        _write_csv(
            folder / f"blocks-{stem}.csv",
            ("block", "parameters", "macs"),
            ((block, *cost.values()) for block, cost in blocks.items()),
        )
        plot_blocks(folder / f"blocks-{stem}.png", costs[name], title)
        if name in results:
            reports[name] |= _write_timings(folder, stem, results[name], f"{title}, {clock} clock")
    gpus = len(tf.config.list_physical_devices("GPU"))
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "gpus": gpus}
    write_json(folder / "benchmark.json", versions | {"clock": clock, "models": reports})
    print(f"tables and plots: {folder}", file=sys.stderr)


def _write_timings(folder: Path, stem: str, timings: Timings, title: str) -> dict:
    """Writes table and plot; returns what the report says of them."""
    medians = {name: (1e3 * timings.median(name)).tolist() for name in COLUMNS}
    people = timings.people.tolist()
    _write_csv(
        folder / f"stages-{stem}.csv",
        ("people", *(f"{name} ms" for name in medians)),
        zip(people, *medians.values(), strict=True),
    )
    plot_stages(folder / f"stages-{stem}.png", timings, title)
    lines = {
        name: {
            kind: dataclasses.asdict(line) | {"percent": line.percent}
            for kind, line in fits.items()
        }
        for name, fits in lines_of(timings).items()
    }
    seconds = {name: values.tolist() for name, values in timings.seconds.items()}
    return {"people": people, "median_ms": medians, "lines": lines, "seconds_of_rounds": seconds}


def _write_csv(path: Path, names, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    write_file(path, text.getvalue())
