import ctypes
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

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

    monkeypatch.setattr("posekit.image_headers._PLUGINS", {b"BM": decoder})
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


@pytest.mark.skipif(sys.platform != "linux", reason="its locks begin as zeros")
def test_another_thread_hears_of_a_signal_while_the_main_one_is_blocked():
    """A lock of the system holds the main thread; a sleep would be interrupted."""
    system, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    heard, held = [], threading.Event()
    with StopSignals() as signals, ThreadPoolExecutor(1) as pool:

        def listen():
            system.pthread_mutex_lock(lock)
            held.set()
            time.sleep(3)  # until the main thread waits
            os.kill(os.getpid(), signal.SIGTERM)
            while not signals.arrived():
                pass
            heard.append((signals.arrived(), signals.received))
            system.pthread_mutex_unlock(lock)

        assert signals.arrived() == 0
        listening = pool.submit(listen)
        held.wait()
        system.pthread_mutex_lock(lock)
        listening.result()
    assert heard == [(signal.SIGTERM, 0)]
