"""Colour order and statistics that a network's weights were trained with."""

from collections.abc import Sequence

import numpy as np

RGB = (0, 1, 2)
BGR = (2, 1, 0)
# torchvision's ImageNet statistics, in pixel values.
IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


def check_colours(order: Sequence[int], mean: Sequence[float], std: Sequence[float]) -> None:
    """Passes an order, and means and deviations in pixel values, that a network can be given.

    Args:
        order: three indices into R, G, B.
        mean: three pixel values (0 to 255), in that order.
        std: three positive pixel values, in that order.

    Raises:
        ValueError: where order is no permutation of 0, 1, 2 or a number is not finite.
    """
    if sorted(order) != [0, 1, 2]:
        raise ValueError(
            f"expected order to hold 0, 1 and 2 once each, received {tuple(order)}; "
            "RGB is (0, 1, 2), BGR is (2, 1, 0)"
        )
    numbers = np.asarray([*mean, *std], np.float64)
    right = len(mean) == len(std) == 3 and np.isfinite(numbers).all() and numbers[3:].min() > 0
    if not right:
        raise ValueError(
            "expected three finite pixel values each for mean and std, std above 0, "
            f"received mean {tuple(mean)} and std {tuple(std)}; "
            "statistics of images in 0 to 1 must be multiplied by 255"
        )
