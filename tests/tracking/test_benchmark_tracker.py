import itertools
import tracemalloc

import numpy as np
import pytest
from work_done import steps

from tracking.benchmark_tracker import (
    FASTEST,
    cost_by_people,
    plot_cost,
    simulated_people,
    updates_per_second,
)
from tracking.settings import TrackerSettings
from tracking.tracker import Tracker


def test_an_update_is_no_loop_over_people():
    """What its speed comes from: scripts/benchmark.py measures 0.6 ms for twenty people."""

    def follow(people):
        """Steps of Python an update, and bytes at most, once the queue is full."""
        video, flows = simulated_people(people, 28)
        tracker, pairs = Tracker(FASTEST), list(zip(video, itertools.cycle(flows)))
        update = lambda part: [tracker.update(*step) for step in part]  # noqa: E731
        update(pairs[:8])
        count = steps(lambda: update(pairs[8:18]))
        tracemalloc.start()
        update(pairs[18:])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return count / 10, peak

    (few, arrays), (many, _) = follow(20), follow(80)
    assert few < 1700 and many < 2 * few  # measured: 838 and 1,278
    assert arrays < 1_500_000  # measured: 615,000


def test_a_row_has_the_cost_and_its_measure():
    row = updates_per_second(3, rounds=1, clock="cpu", frames=5)
    assert row["people"] == 3 and row["references"] > 0
    assert row["updates_per_second"] == pytest.approx(1e3 / row["milliseconds"])


def test_the_simulated_people_can_be_followed():
    video, flows = simulated_people(20, 30)
    tracker = Tracker(TrackerSettings(matching="hungarian"))
    ids = [tracker.update(poses, flows[t % 8]).track_ids for t, poses in enumerate(video)]
    assert np.mean([(ids[t] == ids[0]).mean() for t in range(30)]) > 0.95
    assert len(tracker.state()["ids"]) == 160


def test_the_plot(tmp_path):
    rows = cost_by_people((1, 2), rounds=1)
    assert [row["people"] for row in rows] == [1, 2]
    plot_cost(rows, tmp_path / "cost.png")
    assert (tmp_path / "cost.png").stat().st_size > 5000
