import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from posekit.atomic_files import replaced_file
from posekit.frames import Frame
from tracking.flow import DisFlow
from tracking.flow_cache import STEP, CachedFlow, read_packed, remove_oldest, write_packed
from tracking.flow_field import Flow

ROOT = Path(__file__).parents[2]
SIZE = (31, 45)


class Counting:
    """A flow source of random vectors that counts how often it is asked."""

    def __init__(self, key="a", largest=20.0, reliable=True):
        self.key, self.largest, self.asked = key, largest, 0
        self.reliable = reliable

    def __call__(self, first, second):
        self.asked += 1
        rng = np.random.default_rng([int(first.image.sum()), int(second.image.sum())])
        vectors = rng.uniform(-self.largest, self.largest, (*SIZE, 2))
        return Flow(vectors, rng.random(SIZE) < 0.8 if self.reliable else None)


def frames(count=2):
    rng = np.random.default_rng(0)
    return [Frame(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8), i) for i in range(count)]


@pytest.mark.parametrize(
    ("largest", "step"), [(20, STEP), (511.9, STEP), (513, 2 * STEP), (1e6, 2**11 * STEP), (0, 1)]
)
@pytest.mark.parametrize("reliable", [True, False])
def test_second_answer_is_the_first_and_close_to_the_source(tmp_path, largest, step, reliable):
    source = Counting(largest=largest, reliable=reliable)
    cached = CachedFlow(source, tmp_path / "made/here")
    first, again, exact = cached(*frames()), cached(*frames()), source(*frames())
    assert source.asked == 2  # one of them is the last line's
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert np.abs(again.vectors - exact.vectors).max() <= step / 2 * 1.001
    for flow in (first, again):
        np.testing.assert_array_equal(flow.reliable, exact.reliable)
    assert [path.suffix for path in (tmp_path / "made/here").iterdir()] == [".npz"]


def test_files_are_told_apart_by_content_order_and_settings(tmp_path):
    a, b = frames()
    changed = Frame(a.image.copy(), 0)
    changed.image[30, 44, 2] ^= 1
    turned = Frame(a.image.reshape(45, 31, 3), 0), Frame(b.image.reshape(45, 31, 3), 1)
    cached = CachedFlow(DisFlow(), tmp_path)
    paths = {cached.path_of(*pair) for pair in ((a, b), (b, a), (changed, b), turned)}
    for other in (DisFlow("fast"), DisFlow(consistency=False), DisFlow(longest_side=64)):
        paths.add(CachedFlow(other, tmp_path).path_of(a, b))
    assert len(paths) == 7
    same = Frame(a.image.copy(), 7, 0.5, "x.jpg"), b
    assert CachedFlow(DisFlow(), tmp_path).path_of(*same) == cached.path_of(a, b)


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(content)


def foreign(path):
    write_packed(path, Flow(np.zeros((5, 6, 2))))


def bomb(path):
    np.savez_compressed(path, steps=np.zeros((2, 5000, 5000), np.int16), step=STEP)


def pickled(path):
    np.savez(path, steps=np.array([{}], object), step=1.0)


def backwards(path):
    np.savez(path, steps=np.zeros((2, *SIZE), np.int16), step=-STEP)


def few_bits(path):
    steps = np.zeros((2, *SIZE), np.int16)
    np.savez(path, steps=steps, step=STEP, reliable=np.zeros(3, np.uint8))


def many_steps(path):
    np.savez(path, steps=np.zeros((2, *SIZE), np.int16), step=[STEP, STEP])


DAMAGE = [cut, flip, foreign, bomb, pickled, backwards, few_bits, many_steps, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_computed_anew(tmp_path, damage):
    source = Counting()
    cached = CachedFlow(source, tmp_path)
    wanted = cached(*frames())
    path = cached.path_of(*frames())
    damage(path)
    tracemalloc.start()
    assert read_packed(path, SIZE) is None
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    np.testing.assert_array_equal(cached(*frames()).vectors, wanted.vectors)
    assert source.asked == 2 and read_packed(path, SIZE) is not None


def test_a_limited_folder_loses_its_oldest_files(tmp_path):
    people = frames(13)
    one = CachedFlow(Counting(), tmp_path / "one")
    one(*people[:2])
    size = one.path_of(*people[:2]).stat().st_size
    cached = CachedFlow(Counting(), tmp_path / "all", limit=5 * size)
    for number, pair in enumerate(zip(people, people[1:], strict=False)):
        cached(*pair)
        os.utime(cached.path_of(*pair), (number, number))
        taken = sum(path.stat().st_size for path in (tmp_path / "all").iterdir())
        assert taken <= 5 * size
    left = [cached.path_of(*pair).exists() for pair in zip(people, people[1:], strict=False)]
    assert left[-4:] == [True] * 4 and not any(left[:7])
    remove_oldest(tmp_path / "all", 0)
    assert not list((tmp_path / "all").iterdir())


def test_what_another_process_is_writing_is_not_removed(tmp_path):
    flow = Flow(np.zeros((*SIZE, 2)))
    write_packed(tmp_path / "done.npz", flow)
    with replaced_file(tmp_path / "begun.npz") as scratch:
        scratch.write_bytes(b"half")
        remove_oldest(tmp_path, 0)
        assert list(tmp_path.iterdir()) == [scratch]
        os.utime(scratch, (1, 1))  # begun long ago by a process that was killed
        remove_oldest(tmp_path, 10**9)
        assert not list(tmp_path.iterdir())
        scratch.touch()


def test_sources_without_key_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`key`, received function"):
        CachedFlow(lambda first, second: None, tmp_path)
    with pytest.raises(ValueError, match="from 0, received -1"):
        CachedFlow(Counting(), tmp_path, limit=-1)


PROGRAM = """
import sys
import numpy as np
from posekit.frames import Frame
from tracking.flow import DisFlow
from tracking.flow_cache import CachedFlow
rng = np.random.default_rng(0)
frames = [Frame(rng.integers(0, 256, (64, 80, 3), dtype=np.uint8), i) for i in range(6)]
total = 0.0
for _ in range(10):
    cached = CachedFlow(DisFlow("ultrafast"), sys.argv[1], limit=60_000)
    total += sum(float(cached(a, b).vectors.sum()) for a, b in zip(frames, frames[1:]))
print(total)
"""


def test_two_processes_share_a_folder(tmp_path):
    # The limit is under what they write, so that they also remove each other's files.
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    running = [subprocess.Popen(command, **pipes) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert said[0][0] == said[1][0] and not list(tmp_path.glob(".tmp*"))
