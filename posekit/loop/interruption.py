"""SIGTERM and SIGINT as a wish that the loop grants at its next safe point."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

NUMBERS = (signal.SIGTERM, signal.SIGINT)


class StopRequested(BaseException):  # noqa: N818
    """Raised inside `StopSignals.interruptible` when a signal arrives.

    No Exception, as KeyboardInterrupt is none: code that takes any Exception of a decoder for a
    damaged file must not take a signal for one.
    """


class StopSignals:
    """While entered, remembers the first SIGTERM or SIGINT; the second one acts as usual.

    Only the main thread of a process may set handlers; elsewhere this does nothing.
    """

    def __init__(self):
        self.received = 0
        self._interruptible = False
        self._previous: dict[int, object] = {}
        self._pipe: tuple[int, int] | None = None
        self._told = 0

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._pipe = os.pipe()
            for end in self._pipe:
                os.set_blocking(end, False)
            self._woken_before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
            for number in NUMBERS:
                self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_):
        self._restore()
        if self._pipe is not None:
            signal.set_wakeup_fd(self._woken_before)
            for end in self._pipe:
                os.close(end)
            self._pipe = None

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Lets a signal raise StopRequested here, as in a long validation."""
        if self.received:
            raise StopRequested
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def arrived(self) -> int:
        """Number of the signal, or 0; knows it, in any thread, while the main one is blocked.

        The system writes a signal's number into a pipe at once. The handler, which sets `received`,
        runs only once the main thread is back in Python.
        """
        with contextlib.suppress(BlockingIOError):
            if not self._told and self._pipe is not None:
                found = [number for number in os.read(self._pipe[0], 512) if number in NUMBERS]
                self._told = found[0] if found else 0
        return self.received or self._told

    @property
    def exit_code(self) -> int:
        """128 + signal number, as shells report it; SIGTERM's where another worker was told."""
        return 128 + (self.received or signal.SIGTERM)

    def _remember(self, number: int, _frame) -> None:
        self.received = number
        self._restore()
        if self._interruptible:
            raise StopRequested

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
