"""Reads ResNet and MobileNetV2 weights in torchvision's layout into the backbones."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from posekit.colours import IMAGENET_MEAN, IMAGENET_STD, RGB
from posekit.normalization import ColourNormalization
from posekit.weights.state_dicts import COLOURS, PREFIX, read_state, save_npz

# Classifiers of both families; batch counters; and the 1280 channels that only a classifier reads,
# ignored where the model was built without them.
IGNORED = re.compile(r"(fc|classifier)\.|.*\.num_batches_tracked$")
LAST_CONV = re.compile(r"features\.18\.")
# A plain sequence counts its ReLU6, torchvision nests convolution, normalisation and ReLU6.
FLAT_TO_NESTED = {
    "first": {"0": "0.0", "1": "0.1", "3": "1", "4": "2"},
    "other": {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"},
}

Source = str | Path | Mapping[str, np.ndarray]
Tensors = list[tuple[str, keras.Variable, tuple[int, ...]]]


def load_torchvision(
    model: keras.Model,
    source: Source,
    order: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> None:
    """Loads weights of torchvision's layout and sets the colours that they were trained on.

    Either every tensor of the model is set, or none. The classifier and batch counters are ignored.
    Three ways of naming are read: torchvision's; the same behind "module.", which
    torch.nn.DataParallel puts before every name; and MobileNetV2 whose blocks are plain sequences
    ("features.2.conv.0.weight" where torchvision has "features.2.conv.0.0.weight").

    Args:
        model: from `posekit.resnet` or `posekit.mobilenet`.
        source: path of a torch file, path of an .npz as `posekit.weights.state_dicts.save_npz`
            writes it, or a dict from name to array. Torch itself is not needed.
        order: colour order of the checkpoint, three indices into R, G, B; None: what the source
            says ("colours/order", from `save_npz`), else RGB.
        mean: three pixel values 0 to 255, in that order; None: as order, else ImageNet's.
        std: as mean.

    Raises:
        ValueError: names the first tensor that is missing, of another shape, not finite, or
            unexpected; or the colours in which argument and source differ; or says why the file
            could not be read.
    """
    load_tensors(expected_tensors(model), colours_of(model), source, order, mean, std)


def load_tensors(
    tensors: Tensors,
    colours: ColourNormalization,
    source: Source,
    order: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    default_order: Sequence[int] = RGB,
) -> None:
    """Sets variables and colours from a state dict: all of them, or none.

    Args:
        tensors: what is wanted, as `expected_tensors` lists it.
        colours: layer of the network that gets order, mean and std.
        source: as in `load_torchvision`.
        order: as there.
        mean: as there.
        std: as there.
        default_order: where neither the caller nor the source says one.

    Raises:
        ValueError: as `load_torchvision`.
    """
    state = dict(read_state(source) if isinstance(source, str | Path) else source)
    known = {name: state.pop(PREFIX + name) for name in COLOURS if PREFIX + name in state}
    given = {"order": order, "mean": mean, "std": std}
    wanted = _agreed_colours(given, known, default_order)
    state = rename(state)
    pairs = [(v, _fitting(state, name, tuple(v.shape), axes)) for name, v, axes in tensors]
    _refuse_unexpected(state, {name for name, _, _ in tensors})
    colours.set_colours(**wanted)  # refuses nonsense before anything is set
    for variable, array in pairs:
        variable.assign(array)


def save_torchvision(model: keras.Model, path: str | Path) -> None:
    """Writes a backbone's weights and colours as an .npz that `load_torchvision` reads.

    Args:
        model: from `posekit.resnet` or `posekit.mobilenet`.
        path: of the file to write, ending in .npz.

    Raises:
        ValueError: path ends in something else, or the model has no colours.
        OSError: the disk is full or the folder cannot be written.
    """
    colours = colours_of(model)
    state = {
        name: keras.ops.convert_to_numpy(variable).transpose(np.argsort(axes))
        for name, variable, axes in expected_tensors(model)
    }
    vectors = (colours.order, colours.mean, colours.std)
    save_npz(path, state, *(keras.ops.convert_to_numpy(vector) for vector in vectors))


def colours_of(model: keras.Model) -> ColourNormalization:
    """Returns the layer that says what colours a backbone wants.

    Raises:
        ValueError: there is none, or more than one.
    """
    colours = [layer for layer in model.layers if isinstance(layer, ColourNormalization)]
    if len(colours) != 1:
        raise ValueError(
            "expected a model with one ColourNormalization layer, "
            f"received {len(colours)} in '{model.name}'; pass the backbone, not what it is part of"
        )
    return colours[0]


def _agreed_colours(given: dict, known: dict, order: Sequence[int]) -> dict[str, Sequence]:
    """Joins what the caller and the source say; `order` and ImageNet where neither does."""
    default = {"order": order, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    given = {name: value for name, value in given.items() if value is not None}
    if known and known.keys() != default.keys():
        raise ValueError(f"expected colours/order, mean and std together, received {list(known)}")
    for name in given.keys() & known.keys():
        stored = np.asarray(known[name])
        if np.shape(given[name]) != stored.shape or not np.allclose(given[name], stored):
            raise ValueError(
                f"{name}: expected {stored.tolist()} as the weights file states, received "
                f"{list(given[name])}; leave the argument out"
            )
    if any(np.shape(value) != (3,) for value in known.values()):
        raise ValueError("expected three numbers each in colours/order, mean and std")
    return default | {name: np.asarray(value).tolist() for name, value in known.items()} | given


def expected_tensors(model: keras.Model) -> Tensors:
    """Lists what a backbone needs from a state dict.

    Returns:
        name: in torchvision's layout, such as "layer1.0.conv1.weight".
        variable: of the model.
        axes: transpose that turns the torch array into the variable's layout.
    """
    # No module of these networks has an underscore in its own name.
    modules = ((layer, layer.name.replace("_", ".")) for layer in model.layers)
    return [tensor for layer, module in modules for tensor in layer_tensors(layer, module)]


def layer_tensors(layer: keras.layers.Layer, module: str) -> Tensors:
    """Lists what a convolution or batch normalisation needs; nothing for other layers.

    Args:
        layer: of a network.
        module: name of its counterpart in torch, such as "layer1.0.conv1".

    Returns:
        As `expected_tensors`.
    """
    if isinstance(layer, keras.layers.BatchNormalization):
        return [
            (f"{module}.weight", layer.gamma, (0,)),
            (f"{module}.bias", layer.beta, (0,)),
            (f"{module}.running_mean", layer.moving_mean, (0,)),
            (f"{module}.running_var", layer.moving_variance, (0,)),
        ]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        axes = (2, 3, 0, 1)
    elif isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
        axes = (2, 3, 1, 0)  # transposed: both have input and output the other way round
    else:
        return []
    bias = [(f"{module}.bias", layer.bias, (0,))] if layer.use_bias else []
    return [(f"{module}.weight", layer.kernel, axes), *bias]


def rename(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the state dict under torchvision's names; see `load_torchvision` for the rules."""
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): array for name, array in state.items()}
    if "features.1.conv.0.weight" not in state:
        return dict(state)
    return {_nested_name(name): array for name, array in state.items()}


def _nested_name(name: str) -> str:
    match = re.fullmatch(r"features\.(\d+)\.conv\.(\d+)\.(\w+)", name)
    if match is None:
        return name
    block, index, tensor = match.groups()
    nested = FLAT_TO_NESTED["first" if block == "1" else "other"].get(index, index)
    return f"features.{block}.conv.{nested}.{tensor}"


def _fitting(
    state: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], axes: tuple[int, ...]
) -> np.ndarray:
    if name not in state:
        raise ValueError(
            f"expected tensor '{name}', which is missing among {len(state)}; "
            "check that depth, alpha, last_conv and deconvolutions are those of the file"
        )
    array = np.asarray(state[name])
    wanted = tuple(shape[axes.index(axis)] for axis in range(len(axes)))
    if array.shape != wanted:
        raise ValueError(
            f"expected tensor '{name}' of shape {wanted}, received {array.shape}; "
            "check that depth, width, alpha and kernels of the model are those of the file"
        )
    if array.dtype.kind != "f":
        raise ValueError(f"expected floats in tensor '{name}', received {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"expected finite numbers, received NaN or infinity in tensor '{name}'")
    return array.transpose(axes)


def _refuse_unexpected(state: Mapping[str, np.ndarray], used: set[str]) -> None:
    has_last_conv = any(LAST_CONV.match(name) for name in used)
    for name in state:
        last_conv = LAST_CONV.match(name) and not has_last_conv
        if name not in used and not IGNORED.match(name) and not last_conv:
            raise ValueError(
                f"expected no tensor '{name}', which the model has no place for; "
                "check that its depth and deconvolutions are those of the file"
            )
