import tracemalloc

import numpy as np
import pytest

from posekit.loop import distribution
from posekit.loop.distribution import broadcast

MIB = 2**20


def act_as_worker(monkeypatch, index, all_reduce):
    monkeypatch.setattr(distribution, "worker_position", lambda strategy: (index, 2))
    monkeypatch.setattr(distribution, "_all_reduce", lambda strategy, values: all_reduce(values))


@pytest.mark.parametrize("size", [0, 1, 2**16, 2**16 + 1, 9 * MIB + 3])
def test_broadcast_gives_the_chiefs_bytes(monkeypatch, size):
    content, sent = np.random.default_rng(0).bytes(size), []
    act_as_worker(monkeypatch, 0, lambda values: sent.append(values) or values)
    assert broadcast(None, content) == content
    act_as_worker(monkeypatch, 1, lambda values: sent.pop(0) + values)
    assert broadcast(None, b"what the others pass is ignored") == content
    assert not sent


@pytest.mark.parametrize("index, peak", [(0, 32), (1, 64 + 32)])
def test_broadcast_of_a_checkpoint_needs_little_memory_and_few_messages(monkeypatch, index, peak):
    content, lengths = bytes(64 * MIB), []

    def all_reduce(values):
        lengths.append(len(values))
        return values if lengths[1:] else 0 * values + len(content)

    act_as_worker(monkeypatch, index, all_reduce)
    tracemalloc.start()
    received = broadcast(None, content)
    used = tracemalloc.get_traced_memory()[1] / MIB
    tracemalloc.stop()
    assert received == content and used < peak and len(lengths) < 20
