"""Watches the input of a training, which the loop cannot while it waits for a batch."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

from posekit.commands import UsageError
from posekit.loop.interruption import StopSignals

SIGNAL_SECONDS = 10.0
"""Wait for a batch after which a signal no longer waits for it."""


class InputWatchdog:
    """Ends the process when the input stands still, or when a signal finds it so.

    A blocked `next(iterator)` cannot be interrupted, and while it blocks, Python runs no handler of
    a signal, so a thread watches the clock and the signals.

    Args:
        timeout: seconds that one batch may take; None or 0 for no limit.
        signals: of the loop.

    Raises:
        UsageError: less than 0.
    """

    def __init__(self, timeout: float | None, signals: StopSignals):
        if timeout is not None and not timeout >= 0:
            raise UsageError(f"expected seconds without a batch, or none, received {timeout}")
        self._timeout = timeout
        self._signals = signals
        self._waiting: tuple[float, Callable[[], None] | None] | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._closed.set()
        self._thread.join()

    @contextlib.contextmanager
    def waiting(self, save: Callable[[], None] | None) -> Iterator[None]:
        """Marks the time spent in the input.

        Args:
            save: writes a checkpoint of the step before; called from another thread. None where
                this process alone cannot.
        """
        self._waiting = time.monotonic(), save
        try:
            yield
        finally:
            with self._lock:  # not in the middle of `_end`, whose checkpoint is of the step before
                self._waiting = None

    def _watch(self) -> None:
        while not self._closed.wait(min(1.0, (self._timeout or 4.0) / 4)):
            with self._lock:
                if self._waiting is not None:
                    self._check(*self._waiting)

    def _check(self, since: float, save: Callable[[], None] | None) -> None:
        waited = time.monotonic() - since
        if self._timeout and waited > self._timeout:
            _end(
                f"error: the input gave no batch for {self._timeout:g} s; the last checkpoint is "
                "kept. Look for a hanging disk or network folder, then run the same command "
                "again; --input-timeout gives more time where loading is that slow",
                code=1,
            )
        number = self._signals.arrived()
        if number and waited > SIGNAL_SECONDS:
            saved = "the last checkpoint is kept"
            try:
                if save is not None:
                    save()
                    saved = "a checkpoint is written"
            except Exception as error:  # whatever it is: nobody else could end the process
                saved += f" ({error})"
            _end(f"signal {number} while the input gave no batch; {saved}", code=128 + number)


def _end(message: str, code: int) -> None:
    print(message, file=sys.stderr, flush=True)
    os._exit(code)
