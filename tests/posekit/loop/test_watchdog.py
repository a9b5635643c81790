import signal
import time

import pytest

from posekit.loop import watchdog
from posekit.loop.watchdog import InputWatchdog


class Told:
    """Stands for StopSignals once a signal has come."""

    def arrived(self):
        return signal.SIGTERM


@pytest.mark.parametrize("error", [OSError("full"), RuntimeError("whatever"), None])
def test_a_signal_ends_a_hanging_input_even_where_saving_fails(monkeypatch, error):
    """An error in the watching thread would end the thread, and nobody would watch any more."""
    ends = []

    def end(message, code):
        ends.append((message, code))

    def save():
        if error:
            raise error

    monkeypatch.setattr(watchdog, "_end", end)
    monkeypatch.setattr(watchdog, "SIGNAL_SECONDS", 0.0)
    with InputWatchdog(None, Told()) as watching, watching.waiting(save):
        while not ends and watching._thread.is_alive():
            time.sleep(0.01)
    message, code = ends[0]
    assert code == 143
    assert f"the last checkpoint is kept ({error})" in message or error is None
    assert error is not None or "a checkpoint is written" in message
