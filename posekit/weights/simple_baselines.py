"""Reads Simple Baselines' pose_resnet_* checkpoints into networks of `topdown.simple_baseline`."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from posekit.colours import BGR
from posekit.resnet import BLOCKS
from posekit.weights.torchvision import (
    Source,
    Tensors,
    colours_of,
    expected_tensors,
    layer_tensors,
    load_tensors,
    rename,
)

FINAL = "final_layer"
"""Name of the 1x1 convolution in a checkpoint."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """What the tensors of a checkpoint say of its network."""

    depth: int
    """Of the ResNet."""
    width: int
    """Channels of its stem, 64 as published."""
    deconvolutions: int
    """How many."""
    kernel: int
    """Side of theirs."""
    filters: int
    """Channels of theirs."""
    num_keypoints: int
    """Of the head."""


def load_simple_baselines(
    model: keras.Model,
    source: Source,
    order: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> None:
    """Loads a checkpoint and sets the colours that it was trained on.

    Either every tensor of the model is set, or none. What a training checkpoint holds beside the
    state dict is ignored, and so is "module." before all names. "Caffe-style" checkpoints, which
    stride in a bottleneck's first 1x1, have the same names and shapes but another meaning: nothing
    in the tensors tells them apart.

    Args:
        model: from `topdown.simple_baseline`, with one head and without skip.
        source: path of a torch file or of an .npz, or a dict from name to array; names as of any
            torch ResNet, with "deconv_layers.0.weight" and so on, and "final_layer.weight".
        order: colour order of the checkpoint, three indices into R, G, B; None: what the source
            says, else BGR.
        mean: three pixel values 0 to 255, in that order; None: what the source says, else
            ImageNet's as they stand for R, G, B, whatever the order: so the published code has it.
        std: as mean.

    Raises:
        ValueError: names the first tensor that is missing, of another shape, not finite or
            unexpected; or says why the model or the file cannot be used.

    Reference: Xiao et al. 2018, section 2, and their code's colours.
    """
    colours = colours_of(_backbone(model))
    load_tensors(expected_pose_tensors(model), colours, source, order, mean, std, BGR)


def expected_pose_tensors(model: keras.Model) -> Tensors:
    """Lists what a network needs from a checkpoint, as `torchvision.expected_tensors` does.

    Raises:
        ValueError: the model has several heads, a skip, or no backbone in it.
    """
    backbone = _backbone(model)
    layers = [layer for layer in model.layers if layer.weights and layer is not backbone]
    modules = [_module(layer.name) for layer in layers]
    if modules.count(FINAL) != 1 or None in modules:
        raise ValueError(
            "expected a network of one head, without skip, as the checkpoints are of; received "
            f"'{model.name}' with {[layer.name for layer in layers]}"
        )
    pairs = zip(layers, modules, strict=True)
    return expected_tensors(backbone) + [t for pair in pairs for t in layer_tensors(*pair)]


def _backbone(model: keras.Model) -> keras.Model:
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if len(nested) != 1:
        raise ValueError(
            "expected a network from topdown.simple_baseline, which has its backbone in it, "
            f"received '{model.name}'; a backbone alone takes load_torchvision"
        )
    return nested[0]


def _module(layer: str) -> str | None:
    """Translates "deconv2", "deconv2_bn" and "head_coco" to their names in torch; else None."""
    if layer.startswith("head_"):
        return FINAL
    found = re.fullmatch(r"deconv(\d+)(_bn)?", layer)
    # Each deconvolution is a convolution, a normalisation and a ReLU of one sequence.
    return f"deconv_layers.{3 * (int(found[1]) - 1) + (found[2] is not None)}" if found else None


def read_layout(state: Mapping[str, np.ndarray]) -> Layout:
    """Tells from names and shapes what network a checkpoint is of.

    Args:
        state: from `posekit.weights.state_dicts.read_state`.

    Raises:
        ValueError: a tensor that every such checkpoint has is missing or of a strange shape, or no
            ResNet has its numbers of blocks.
    """
    state = rename(state)
    width = _shape(state, "conv1.weight")[0]
    _, filters, kernel, _ = _shape(state, "deconv_layers.0.weight")
    deconvolutions = sum(
        re.fullmatch(r"deconv_layers\.\d+\.weight", name) is not None and np.ndim(array) == 4
        for name, array in state.items()
    )
    num_keypoints = _shape(state, f"{FINAL}.weight")[0]
    return Layout(_depth(state), width, deconvolutions, kernel, filters, num_keypoints)


def _shape(state: Mapping[str, np.ndarray], name: str) -> tuple[int, ...]:
    if np.ndim(state.get(name, 0)) != 4:
        raise ValueError(
            f"expected a pose_resnet checkpoint with '{name}' of four axes, received "
            f"{np.shape(state[name]) if name in state else 'none'} among {len(state)} tensors"
        )
    return np.shape(state[name])


def _depth(state: Mapping[str, np.ndarray]) -> int:
    blocks = [re.fullmatch(r"layer([1-4])\.(\d+)\.conv1\.weight", name) for name in state]
    stages = [found[1] for found in blocks if found]
    counts = tuple(stages.count(stage) for stage in "1234")
    bottleneck = "layer1.0.conv3.weight" in state
    for depth, numbers in BLOCKS.items():
        if counts == numbers and bottleneck == (depth >= 50):
            return depth
    kind = "bottlenecks" if bottleneck else "basic blocks"
    raise ValueError(f"expected the blocks of a ResNet, received {counts} {kind} in layer1 to 4")
