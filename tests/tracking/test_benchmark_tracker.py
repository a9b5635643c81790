import numpy as np

from tracking.benchmark_tracker import (
    cost_by_people,
    plot_cost,
    simulated_people,
    updates_per_second,
)
from tracking.settings import TrackerSettings
from tracking.tracker import Tracker


def test_the_speed_for_twenty_people():
    # Measured: 0.6 ms an update and 35 times 54,400 exponentials; both slow down on a busy machine.
    row = updates_per_second(20, rounds=3, clock="cpu", frames=20)
    assert row["references"] < 120, row


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
