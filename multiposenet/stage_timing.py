"""Times the stages of joined models on scenes with known numbers of people."""

import dataclasses
import sys
import time

import keras
import numpy as np
import tensorflow as tf
from scipy.stats import theilslopes

from multiposenet.benchmark_scenes import Scene
from multiposenet.pose_stages import BACK, FRONT, NETWORK, PAPER, POSES, make_stages, whole_model

WHOLE = "whole model"
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds that pass, or those that all threads of the process compute."""
STAGES = (*FRONT, *POSES, *BACK)
SUMS = {
    "model's stages": (NETWORK, *POSES),
    "behind the network": POSES,
    "as in the paper": PAPER,
    "file to picture": STAGES,
}
"""Name of a sum -> its stages."""


@dataclasses.dataclass(frozen=True)
class Line:
    """Time against people."""

    per_person: float
    """Slope, seconds for one more person."""
    one_person: float
    """Seconds at one person, on the line."""

    @property
    def percent(self) -> float:
        """One more person in percent of the time with one."""
        return 100 * self.per_person / self.one_person


@dataclasses.dataclass(frozen=True)
class Timings:
    """Seconds of each stage, one table of rounds and people for each."""

    people: np.ndarray
    """(P,) int64."""
    seconds: dict[str, np.ndarray]
    """Stage, or WHOLE -> (rounds, P)."""

    def median(self, name: str) -> np.ndarray:
        """Median over the rounds, (P,) seconds; that of a sum is the sum of its stages'."""
        return sum(np.median(self.seconds[part], axis=0) for part in SUMS.get(name, (name,)))


def least_squares(people, seconds) -> Line:
    """Fits the line with the least squared distances.

    Args:
        people: (P,) counts, two different ones at least.
        seconds: (P,).
    """
    slope, start = np.polyfit(np.asarray(people, np.float64), seconds, 1)
    return Line(float(slope), float(start + slope))


def theil_sen(people, seconds) -> Line:
    """Fits a line that up to 29 % of wild values leave alone: the median slope of all pairs.

    Args:
        people: as in `least_squares`.
        seconds: as there.
    """
    slope, start, *_ = theilslopes(seconds, np.asarray(people, np.float64), method="joint")
    return Line(float(slope), float(start + slope))


def measure(
    models: dict[str, keras.Model], scenes: dict[int, Scene], rounds: int, clock: str = "wall"
) -> dict[str, Timings]:
    """Times every stage of every model on every scene.

    Rounds are outermost and the scenes in a new order in each, so that what else the machine does
    falls on all of them alike. A first round, in which kernels are made ready, is not counted.

    Args:
        models: name -> joined model; they differ in their PRN only: what is before it is timed once
            for all.
        scenes: number of people -> scene.
        rounds: how many.
        clock: of CLOCKS.
    """
    stages = {name: make_stages(model) for name, model in models.items()}
    wholes = {name: whole_model(model) for name, model in models.items()}
    people = np.array(sorted(scenes))
    shape = (rounds + 1, len(people))
    times = {name: {stage: np.zeros(shape) for stage in (*STAGES, WHOLE)} for name in models}
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}" + " (warm-up)" * (not number), file=sys.stderr)
        for place in np.random.default_rng(number).permutation(len(people)):
            found = _time_scene(stages, wholes, scenes[people[place]], CLOCKS[clock])
            for name, stage in ((n, s) for n in models for s in found[n]):
                times[name][stage][number, place] = found[name][stage]
    return {
        name: Timings(people, {stage: values[1:] for stage, values in table.items()})
        for name, table in times.items()
    }


def _time_scene(stages, wholes, scene: Scene, clock) -> dict[str, dict[str, float]]:
    """Seconds of one pass: model -> stage, or WHOLE -> seconds."""
    maps = {name: tf.constant(values) for name, values in scene.maps.items()}
    first = next(iter(stages.values()))
    values = {"file": tf.constant(scene.jpeg)}
    front, values = _time_stages([first[name] for name in FRONT], values, clock)
    values["maps"] = maps  # the network's own are of no use without training
    found = {}
    for name, own in stages.items():
        rest, _ = _time_stages([own[stage] for stage in (*POSES, *BACK)], values, clock)
        _, seconds = _timed(clock, wholes[name], values["canvases"], maps, tf.constant(True))
        found[name] = front | rest | {WHOLE: seconds}
    return found


def _time_stages(stages, values: dict, clock) -> tuple[dict[str, float], dict]:
    """Runs stages one after the other; their seconds, and `values` with what they write."""
    values, seconds = dict(values), {}
    for stage in stages:
        read = (values[name] for name in stage.reads)
        outputs, seconds[stage.name] = _timed(clock, stage.function, *read)
        values |= zip(stage.writes, (outputs,) if len(stage.writes) == 1 else outputs, strict=True)
    return seconds, values


def _timed(clock, function, *values):
    start = clock()
    outputs = function(*values)
    tf.test.experimental.sync_devices()  # a GPU answers before it has finished
    return outputs, clock() - start
