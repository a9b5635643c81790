import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from posekit.datasets.image_cache import ImageCache
from posekit.images import ImageError


class Reader:
    """Key n -> n + 1 bytes; notes what was read."""

    def __init__(self, seconds=0.0):
        self.read = []
        self.seconds = seconds

    def __call__(self, key):
        self.read.append(key)
        time.sleep(self.seconds)
        if key < 0:
            raise ImageError("damaged")
        return np.full(key + 1, key, np.uint8)


def test_the_oldest_images_go_first():
    reader = Reader()
    images = ImageCache(reader, max_bytes=6)
    for key in (0, 1, 2, 0, 1, 2):
        assert images[key].tolist() == [key] * (key + 1)
    assert reader.read == [0, 1, 2]
    images[1], images[3]  # 3 takes four bytes: 0 and 1 go, and 2 too
    assert reader.read == [0, 1, 2, 3]
    images[3], images[0], images[0], images[2]
    assert reader.read == [0, 1, 2, 3, 0, 2]


def test_an_image_larger_than_the_cache_is_still_served():
    reader = Reader()
    images = ImageCache(reader, max_bytes=2)
    assert [len(images[key]) for key in (9, 9, 0, 9)] == [10, 10, 1, 10]
    assert reader.read == [9, 0, 9]


def test_threads_wait_for_one_reader():
    reader, gate = Reader(seconds=0.05), threading.Barrier(8)
    images = ImageCache(reader, max_bytes=100)

    def ask(_):
        gate.wait()
        return images[4]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert reader.read == [4] and all(image is found[0] for image in found)


def test_a_damaged_image_is_refused_to_all_and_does_not_count():
    reader = Reader()
    images = ImageCache(reader, max_bytes=3)
    for _ in range(3):
        with pytest.raises(ImageError, match="damaged"):
            images[-1]
    assert reader.read == [-1]
    images[2], images[2]
    assert reader.read == [-1, 2]


def test_many_threads_keep_the_books():
    images = ImageCache(Reader(), max_bytes=50)
    keys = np.random.default_rng(0).integers(0, 30, 4000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(images.__getitem__, keys.tolist()))
    assert 0 < images._bytes <= 50 + 30
    assert images._bytes == sum(len(image.result()) for image in images._images.values())
