"""How long each stage of a job takes."""

import contextlib
import time
from collections.abc import Iterator


class Stopwatch:
    """Adds up seconds by stage; stages may stand one inside another, each second counts once."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner: list[float] = []

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time of the block for the stage, without that of the stages inside it."""
        start = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            passed = time.perf_counter() - start
            inner = self._inner.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + passed - inner
            if self._inner:
                self._inner[-1] += passed
