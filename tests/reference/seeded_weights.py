"""Weights in torchvision's layout from a seed, so that only outputs need to be stored."""

import zlib

import numpy as np


def seeded_weights(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """Draws every tensor from its own generator, seeded by its name.

    Convolutions are He-scaled and statistics are near 0 and 1, so that activations stay about 1
    through all layers: near 0 or in the thousands, a comparison to 1e-4 would prove nothing.

    Args:
        shapes: torch name -> torch shape.
        seed: of the whole set.

    Returns:
        torch name -> float32 array.
    """
    return {name: _tensor(name, shape, seed) for name, shape in shapes.items()}


def _tensor(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if len(shape) == 4:
        fan_in = int(np.prod(shape[1:]))
        return rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / fan_in))
    low, high = {"weight": (0.4, 0.8), "running_var": (0.5, 1.5)}.get(
        name.rpartition(".")[2], (-0.2, 0.2)
    )
    return rng.uniform(low, high, shape).astype(np.float32)


def seeded_image(size: tuple[int, int], seed: int) -> np.ndarray:
    """Draws (1, height, width, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (1, *size, 3), dtype=np.uint8)
