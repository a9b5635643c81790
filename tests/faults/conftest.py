import signal

import pytest


class HangError(BaseException):
    """Of a type that no loader catches."""


@pytest.fixture
def watch():
    """Sets the seconds until what runs is taken for hanging; 0: none.

    They are those of the processor, which a busy machine does not use up, and for what waits
    instead of computing fifteen times as many of the clock.
    """

    def stop(*_):
        raise HangError("expected an answer in the time that was set")

    def start(seconds):
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, 15 * seconds)

    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    yield start
    start(0)
    for number, handler in before.items():
        signal.signal(number, handler)
