"""Reads VGG-16 weights in torchvision's layout into `posekit.vgg`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from posekit.weights.state_dicts import read_state
from posekit.weights.torchvision import Source, colours_of, expected_tensors, load_tensors

FULLY_CONNECTED = {"classifier.0": "conv6", "classifier.3": "conv7"}
"""torchvision's fc6 and fc7 -> the convolutions that they become."""
SIDE = 7
"""Cells along a side of what fc6 sees."""


def load_vgg16(
    model: keras.Model,
    source: Source,
    order: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> None:
    """Loads ImageNet weights of VGG-16 and sets the colours that they were trained on.

    Either every tensor is set, or none. conv6 and conv7 are subsampled from fc6 and fc7: every
    fourth of their 4096 channels, and rows and columns 0, 3 and 6 of fc6's 7x7 cells. A file whose
    classifier is missing or not finite, as torchvision's of features alone, leaves conv6 and conv7
    as they are.

    Args:
        model: from `posekit.vgg.vgg16`.
        source: as in `posekit.weights.torchvision.load_torchvision`, of torchvision's vgg16.
        order: as there.
        mean: as there.
        std: as there.

    Raises:
        ValueError: as there.

    Reference: Liu et al. 2016 (SSD), section 3: "we convert fc6 and fc7 to convolutional layers,
    subsample parameters from fc6 and fc7".
    """
    state = dict(read_state(source) if isinstance(source, str | Path) else source)
    state = {name.removeprefix("module."): array for name, array in state.items()}
    tensors = expected_tensors(model)
    if _has_classifier(state):
        state |= _subsampled(state)
    else:
        tensors = [tensor for tensor in tensors if tensor[0].startswith("features.")]
    load_tensors(tensors, colours_of(model), state, order, mean, std)


def _has_classifier(state: Mapping[str, np.ndarray]) -> bool:
    names = [f"{layer}.{kind}" for layer in FULLY_CONNECTED for kind in ("weight", "bias")]
    return all(name in state and np.isfinite(state[name]).all() for name in names)


def _subsampled(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns weights and biases of conv6 and conv7 in torch's layout."""
    result = {}
    for (layer, name), side, inputs in zip(FULLY_CONNECTED.items(), (SIDE, 1), (1, 4), strict=True):
        weight = np.asarray(state[f"{layer}.weight"])
        if weight.ndim != 2 or weight.shape[1] % side**2:
            raise ValueError(
                f"expected tensor '{layer}.weight' of shape (outputs, channels * {side**2}), "
                f"received {weight.shape}; give torchvision's vgg16"
            )
        cells = weight.reshape(len(weight), -1, side, side)
        result[f"{name}.weight"] = cells[::4, ::inputs, ::3, ::3]
        result[f"{name}.bias"] = np.asarray(state[f"{layer}.bias"])[::4]
    return result
