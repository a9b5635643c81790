import time

import pytest

from tracking.stopwatch import Stopwatch


def test_a_stage_inside_another_counts_once(monkeypatch):
    now = iter([0.0, 1.0, 4.0, 10.0, 20.0, 25.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    watch = Stopwatch()
    with watch.stage("pose"), watch.stage("flow"):
        pass
    with pytest.raises(KeyError), watch.stage("flow"):
        raise KeyError
    assert watch.seconds == {"flow": 3.0 + 5.0, "pose": 7.0}
