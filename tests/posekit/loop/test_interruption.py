import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from posekit.images import ImageError, decode_image
from posekit.loop.interruption import StopRequested, StopSignals


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_kept_until_someone_may_be_interrupted(number, code):
    with StopSignals() as signals:
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        assert (signals.received, signals.exit_code) == (number, code)
        with pytest.raises(StopRequested), signals.interruptible():
            pytest.fail("begun after a signal")


def test_a_signal_within_a_decoder_is_no_damaged_image(monkeypatch):
    def decoder(file):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)  # the handler runs

    monkeypatch.setattr("posekit.images._PLUGINS", {b"BM": decoder})
    with StopSignals() as signals, pytest.raises(StopRequested), signals.interruptible():
        try:
            decode_image(b"BM")
        except ImageError:
            pytest.fail("taken for a damaged image")
    assert signals.received == signal.SIGTERM


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_another_thread_hears_of_a_signal_while_the_main_one_is_blocked():
    """Sorting holds the main thread for seconds; it would be interrupted in a sleep."""
    heard, numbers = [], np.random.default_rng(0).random(30_000_000)
    with StopSignals() as signals, ThreadPoolExecutor(1) as pool:

        def listen():
            time.sleep(0.2)  # until the sorting has begun
            os.kill(os.getpid(), signal.SIGTERM)
            while not signals.arrived():
                pass
            heard.append((signals.arrived(), signals.received))

        assert signals.arrived() == 0
        pool.submit(listen)
        np.sort(numbers)
    assert heard == [(signal.SIGTERM, 0)]
