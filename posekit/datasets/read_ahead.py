"""Reads examples in batches, one batch ahead of its use."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from posekit.images import ImageError


def example_batches(samples, count: int, batch_size: int) -> Iterator[list[dict]]:
    """Yields lists of examples of the first `count` images, in order.

    Args:
        samples: with `example(i)`, which raises ImageError for a damaged image, and `rejected`
            (`RejectedImages`), where such an image is noted; it is left out.
        count: images.
        batch_size: images a list; fewer where some are damaged, and in the last one.

    Yields:
        Lists of at least one example.
    """

    def read(index):
        try:
            return samples.example(index)
        except ImageError as error:
            samples.rejected.add(error)
            return None

    def start(first):
        return [pool.submit(read, i) for i in range(first, min(first + batch_size, count))]

    with ThreadPoolExecutor(4) as pool:
        ahead = start(0)
        for first in range(batch_size, count + batch_size, batch_size):
            futures, ahead = ahead, start(first)
            examples = [future.result() for future in futures]
            if found := [example for example in examples if example is not None]:
                yield found
