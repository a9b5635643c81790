"""Decoded images kept for a while, for people who share one."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

import numpy as np


class ImageCache:
    """Reads each image once while it is among the newest ones; safe to use from several threads.

    Args:
        read: key -> image; what it raises is raised to all who asked for that image.
        max_bytes: of the images that are kept; the oldest goes first.
    """

    def __init__(self, read: Callable[[Hashable], np.ndarray], max_bytes: int):
        self._read = read
        self._max_bytes = max_bytes
        self._bytes = 0
        self._images: OrderedDict[Hashable, Future] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, key: Hashable) -> np.ndarray:
        with self._lock:
            image = self._images.get(key)
            found = image is not None
            if not found:
                image = self._images[key] = Future()
        if not found:
            self._fill(image, key)
        return image.result()

    def _fill(self, image: Future, key: Hashable) -> None:
        try:
            image.set_result(self._read(key))
        except BaseException as error:  # others may wait for it
            image.set_exception(error)
        with self._lock:
            self._bytes += _size(image)
            for old in list(self._images):
                if self._bytes <= self._max_bytes:
                    break
                if self._images[old].done() and old != key:
                    self._bytes -= _size(self._images.pop(old))


def _size(image: Future) -> int:
    return 0 if image.exception() else image.result().nbytes
