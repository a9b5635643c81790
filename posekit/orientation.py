"""The eight ways in which cameras store a picture (EXIF 2.3, tag 274), for pixels and for points.

Orientation 1 is stored upright; 6 has to be turned clockwise by a quarter, 8 the other way, 3 by
half; 2, 4, 5 and 7 are mirrored as well.
"""

import numpy as np

from posekit.affine import compose, mirror

_TRANSPOSED, _MIRRORED, _UPSIDE_DOWN = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)
_REVERSE = {6: 8, 8: 6}
"""The others are their own reverse."""


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns a picture as stored, (H, W, ...), upright; numbers outside 2..8 leave it as it is."""
    # The tag says on which sides of the upright picture the first row and the first column belong.
    if orientation in _TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in _MIRRORED:
        pixels = pixels[:, ::-1]
    if orientation in _UPSIDE_DOWN:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def turn_back(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns an upright picture, (H, W, ...), back to how it was stored."""
    return turn_upright(pixels, _REVERSE.get(orientation, orientation))


def stored_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Returns the (height, width) as stored of a picture that has `size` upright."""
    return (size[1], size[0]) if orientation in _TRANSPOSED else (size[0], size[1])


def upright_to_stored(orientation: int, size: tuple[int, int]) -> np.ndarray:
    """Returns where the points of the upright picture lie in the stored one.

    Args:
        orientation: the EXIF number.
        size: (height, width) of the upright picture.

    Returns:
        (2, 3) float32 transform of x, y; pixel centres go to pixel centres.
    """
    height, width = size
    swap = np.array([[0, 1, 0], [1, 0, 0]], np.float32)
    steps = []
    if orientation in _UPSIDE_DOWN:
        steps += [swap, mirror(height), swap]
    if orientation in _MIRRORED:
        steps.append(mirror(width))
    if orientation in _TRANSPOSED:
        steps.append(swap)
    return compose(*steps)
