import signal

import pytest


class HangError(BaseException):
    """Of a type that no loader catches."""


@pytest.fixture
def watch():
    """Sets the seconds until what runs is taken for hanging; 0: none."""

    def stop(*_):
        raise HangError("expected an answer in the time that was set")

    before = signal.signal(signal.SIGALRM, stop)
    yield signal.alarm
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
