"""How much Python does: counted, where seconds would tell how busy the machine is."""

import sys
from collections.abc import Callable


def steps(work: Callable[[], object]) -> int:
    """Runs something and counts the lines, calls and returns of Python, which loops have many of.

    Only those of this thread; what NumPy does is one line.
    """
    count = 0

    def watch(frame, event, _):
        nonlocal count
        count += 1
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
