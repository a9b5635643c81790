"""How training crops are changed at random (Simple Baselines, section 3)."""

import dataclasses

import numpy as np

from topdown.recipe import TopDownRecipe


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Random changes of a training crop; the defaults are those of Simple Baselines' code."""

    scale: tuple[float, float] = (0.7, 1.3)
    """Least and greatest factor on the box."""
    rotation: float = 40.0
    """Degrees; see SHAPE."""
    rotation_probability: float = 0.6
    """Share of the crops that are turned."""
    shape: str = "normal"
    """"normal": scale N(1, its greatest change) and rotation N(0, ROTATION) cut at twice that;
    "uniform": both uniform, rotation within ROTATION."""
    flip: float = 0.5
    """Probability of a horizontal mirror."""
    half_body: float = 0.0
    """Probability of showing only the upper or the lower half of a person."""
    colour: float = 0.0
    """Strength of brightness, contrast, saturation and, a tenth, hue changes; 0 = none."""


def augmentation_of(recipe: TopDownRecipe) -> Augmentation:
    """What a recipe says about it."""
    return Augmentation(
        scale=recipe.scale,
        rotation=recipe.rotation,
        rotation_probability=recipe.rotation_probability,
        shape=recipe.randomness,
        flip=recipe.flip,
        half_body=recipe.half_body,
        colour=recipe.colour,
    )


def random_scale_and_rotation(
    uniform: np.ndarray, normal: np.ndarray, augmentation: Augmentation
) -> tuple[np.ndarray, np.ndarray]:
    """Turns chance into factors on the boxes and angles.

    Args:
        uniform: (N, 3) in [0, 1).
        normal: (N, 2) standard normal.
        augmentation: the strengths.

    Returns:
        scale: (N,).
        rotation: (N,) degrees.
    """
    low, high = augmentation.scale
    turned = uniform[:, 1] < augmentation.rotation_probability
    if augmentation.shape == "uniform":
        scale = low + (high - low) * uniform[:, 0]
        return scale, turned * augmentation.rotation * (2 * uniform[:, 2] - 1)
    scale = np.clip(1 + (high - 1) * normal[:, 0], low, high)
    return scale, turned * augmentation.rotation * np.clip(normal[:, 1], -2, 2)
