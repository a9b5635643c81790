"""The most memory that a piece of code holds, whatever its process or its parent held before."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path


@dataclasses.dataclass
class Growth:
    """kB beyond what was resident at the start; known at the end."""

    kilobytes: int = 0


def peak() -> int:
    """kB at most resident; ru_maxrss begins with the peak of the process that started this one."""
    return _status("VmHWM")


@contextlib.contextmanager
def growth() -> Iterator[Growth]:
    """Measures the block in this process, whose peak so far is forgotten first."""
    Path("/proc/self/clear_refs").write_text("5")
    before, grown = _status("VmRSS"), Growth()
    yield grown
    grown.kilobytes = peak() - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
