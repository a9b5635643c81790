"""SIGTERM and SIGINT as a wish that the loop grants at its next safe point."""

import contextlib
import signal
import threading
from collections.abc import Iterator


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

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_):
        self._restore()

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
