"""Speed of the tracker alone, on simulated people, beside an operation of the same run."""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posekit.boxes import box_of_keypoints
from posekit.poses import Poses
from posekit.skeletons import COCO
from tracking.flow_field import Flow
from tracking.settings import TrackerSettings
from tracking.tracker import Tracker

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds that pass, or those that the process computes."""

FASTEST = TrackerSettings(similarity="flow", queue=8, matching="hungarian")
"""What the speed is promised for: multi-frame flow OKS over 8 frames and the best assignment."""

_FLOWS = 8
"""Flows that are made; they are used in turn, as each takes 2 MB."""


def cost_by_people(
    counts: Sequence[int] = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
    settings: TrackerSettings = FASTEST,
    rounds: int = 5,
    clock: str = "wall",
) -> list[dict[str, Any]]:
    """Measures the tracker for several numbers of people.

    Args:
        counts: people in each frame.
        settings: of the tracker.
        rounds: repetitions, of which the best counts, for the reference too.
        clock: one of `CLOCKS`.

    Returns:
        One dict each: `people`, `milliseconds` an update, `updates_per_second`, and `references`:
        how often the reference, 54,400 float32 exponentials, fits into an update. On a busy
        machine that one tells more.
    """
    return [updates_per_second(count, settings, rounds, clock) for count in counts]


def updates_per_second(
    people: int = 20,
    settings: TrackerSettings = FASTEST,
    rounds: int = 5,
    clock: str = "wall",
    frames: int = 40,
) -> dict[str, Any]:
    """Measures updates with a full queue; the flow is given. Returns a row of `cost_by_people`."""
    video, flows = simulated_people(people, settings.queue + frames)
    exponents = -np.random.default_rng(0).random((17, 160, 20), np.float32)
    update, reference = np.inf, np.inf
    for _ in range(rounds):
        tracker, steps = Tracker(settings), list(zip(video, itertools.cycle(flows)))
        _follow(tracker, steps[: settings.queue])
        update = min(update, _seconds(clock, _follow, tracker, steps[settings.queue :]))
        reference = min(reference, _seconds(clock, _exponentials, exponents, frames))
    update, reference = update / frames, reference / frames
    return {
        "people": people,
        "milliseconds": update * 1e3,
        "updates_per_second": 1 / update,
        "references": update / reference,
    }


def simulated_people(
    people: int, frames: int, size: tuple[int, int] = (360, 640), seed: int = 0
) -> tuple[list[Poses], list[Flow]]:
    """Simulates people on a walk without aim, and a smooth flow that is reliable at nine in ten.

    Args:
        people: number of people.
        frames: number of frames.
        size: (height, width) of the frames.
        seed: of the random numbers.

    Returns:
        poses: one for each frame; each person moves with the flow, and a little beside it.
        flows: 8 flows, to be used in turn: the first one leads into the first frame.
    """
    rng = np.random.default_rng(seed)
    flows = [_smooth_flow(rng, size) for _ in range(_FLOWS)]
    limit = np.array([size[1], size[0]], np.float32)
    body = rng.uniform(-0.5, 0.5, (people, 17, 2)) * [25, 80]
    centres = rng.uniform(0.1, 0.9, (people, 2)) * limit
    video = []
    for _, flow in zip(range(frames), itertools.cycle(flows)):
        centres += flow.at(centres)[0] + rng.normal(0, 2, (people, 2))
        centres = np.clip(centres, 20, limit - 20)
        points = centres[:, None] + body + rng.normal(0, 1, body.shape)
        keypoints = np.concatenate([points, rng.uniform(0.3, 1, (people, 17, 1))], axis=-1)
        scores = rng.uniform(0.5, 1, people)
        video.append(Poses(keypoints, scores, box_of_keypoints(keypoints), COCO))
    return video, flows


def plot_cost(rows: Sequence[dict[str, Any]], path: str | Path) -> None:
    """Draws milliseconds an update against the number of people, rows as of `cost_by_people`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    people, cost = ([row[key] for row in rows] for key in ("people", "milliseconds"))
    axes.plot(people, cost, marker="o")
    axes.axhline(2, color="grey", linestyle="--", label="500 frames per second")
    axes.set(xlabel="people in a frame", ylabel="milliseconds per update", ylim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=150)


def _smooth_flow(rng: np.random.Generator, size: tuple[int, int]) -> Flow:
    coarse = rng.normal(0, 3, (6, 10, 2)).astype(np.float32)
    doubt = rng.random((12, 20)).astype(np.float32)
    width_height = size[::-1]
    reliable = cv2.resize(doubt, width_height, interpolation=cv2.INTER_NEAREST) < 0.9
    return Flow(cv2.resize(coarse, width_height, interpolation=cv2.INTER_CUBIC), reliable)


def _follow(tracker: Tracker, steps: Sequence[tuple[Poses, Flow]]) -> None:
    for poses, flow in steps:
        tracker.update(poses, flow)


def _exponentials(exponents: np.ndarray, times: int) -> None:
    for _ in range(times):
        np.exp(exponents)


def _seconds(clock: str, work: Callable[..., None], *arguments: Any) -> float:
    start = CLOCKS[clock]()
    work(*arguments)
    return CLOCKS[clock]() - start
