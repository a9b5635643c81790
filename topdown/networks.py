"""From a recipe to its network, with the weights that it starts from."""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from posekit.backbones import initialise, make_backbone
from posekit.commands import UsageError
from posekit.skeletons import Skeleton
from topdown.prediction import ModelError, load_topdown
from topdown.recipe import TopDownRecipe
from topdown.settings import Crop, PoseReading, Reading, Settings, settings_of
from topdown.simple_baseline import INTERMEDIATE, simple_baseline

_HOURGLASS = re.compile(r"hourglass\d+")
_HOURGLASS_HEAD = re.compile(r"stack_\d+_heatmaps(_back)?")


def settings_from(recipe: TopDownRecipe, domains: dict[str, Skeleton]) -> Settings:
    """The settings of a recipe's network, with the crop that poses are predicted in."""
    stride = 4 if recipe.network == "hourglass" else 32 >> recipe.deconvolutions
    crop = training_crop(recipe)
    if recipe.test_margin is not None:
        crop = dataclasses.replace(crop, margin=recipe.test_margin)
    if recipe.test_box_pixels is not None:
        crop = dataclasses.replace(crop, pixels=recipe.test_box_pixels)
    reading = Reading(
        offset=recipe.offset,
        blur_sigma=recipe.blur_sigma,
        keypoint_threshold=recipe.keypoint_threshold,
        box_threshold=recipe.box_threshold,
        oks_threshold=recipe.oks_threshold,
    )
    return Settings(domains, tuple(recipe.size), stride, recipe.sigma, crop, reading)


def training_crop(recipe: TopDownRecipe) -> Crop:
    """The crop that a recipe's network is trained on."""
    return Crop(recipe.margin, recipe.box_pixels, tuple(recipe.box_extension), recipe.stretch)


def make_network(recipe: TopDownRecipe, domains: dict[str, Skeleton]) -> tuple[keras.Model, str]:
    """Builds a network and gives it its first weights.

    Args:
        recipe: of the training.
        domains: name of each head -> its keypoints.

    Returns:
        model: crops to domain -> heatmaps, and those that are supervised beside.
        initial: where its weights come from, in words.

    Raises:
        UsageError: weights that cannot be used, or a size that the network cannot take.
    """
    settings = settings_from(recipe, domains)
    if recipe.network == "mdpn" and any(side % 32 for side in recipe.size):
        raise UsageError(f"--size: expected multiples of 32 for mdpn, received {recipe.size}")
    if recipe.network == "hourglass":
        model, initial = hourglass_network(recipe, settings), "random weights"
    else:
        backbone, _ = make_backbone(recipe.backbone)
        weights = "none" if recipe.init else recipe.backbone_weights
        initial = initialise(backbone, recipe.backbone, weights)
        options = recipe.deconvolutions, recipe.filters, recipe.kernel
        model = simple_baseline(backbone, settings, *options, skip=recipe.network == "mdpn")
    if recipe.init:
        start_from(model, recipe.init)
        initial = recipe.init.name
    freeze(model, recipe.frozen)
    return model, initial


def hourglass_network(recipe: TopDownRecipe, settings: Settings) -> keras.Model:
    """Stacked hourglasses with one head; the outputs of earlier stacks are supervised beside."""
    from topdown.hourglass import hourglass

    if len(settings.domains) != 1:
        raise UsageError(
            "--network hourglass: expected one head, received "
            f"{', '.join(settings.domains)}; use --heads shared"
        )
    ((domain, skeleton),) = settings.domains.items()
    shape = (*settings.size, 3)
    sizes = recipe.stacks, recipe.depth, recipe.filters
    body = hourglass(skeleton.num_keypoints, *sizes, input_shape=shape)
    images = keras.Input(shape, dtype="float32", name="crops")
    maps = dict(body(PoseReading(settings, name="reading")(images)))
    outputs = {domain: maps.pop("heatmaps")}
    outputs |= {f"{domain}.{name}": value for name, value in maps.items()}
    return keras.Model(images, outputs, name="stacked_hourglass")


def start_from(model: keras.Model, path: Path | str) -> None:
    """Takes over the weights of a saved network of the same trunk.

    Heads are taken over keypoint by keypoint: a keypoint that a head of the file has by the same
    name, first in the head of the same domain, then in the others, starts with its weights there;
    others keep their random start.

    Raises:
        UsageError: the file is no top-down network, or one of another trunk.
    """
    try:
        source = load_topdown(path)
    except ModelError as error:
        raise UsageError(f"--init {error}") from error
    now, before = _head_layers(model), _head_layers(source)
    _copy_trunk(_trunk(model, now), _trunk(source, before), path)
    skeletons, known = settings_of(model).domains, settings_of(source).domains
    for (kind, domain), layer in now.items():
        order = sorted(known, key=lambda name: name != domain)
        found = [
            (before[kind, name].get_weights(), known[name].names)
            for name in order
            if (kind, name) in before
        ]
        if found:
            names = skeletons[domain].names
            _copy_keypoints(layer, names, found, back=kind.endswith("_back"))


def _parts(model: keras.Model) -> Iterator[keras.Layer]:
    """Layers of a network; those of an hourglass in place of it, as its heads are among them."""
    for layer in model.layers:
        inside = isinstance(layer, keras.Model) and _HOURGLASS.fullmatch(layer.name)
        yield from layer.layers if inside else [layer]


def _head_layers(model: keras.Model) -> dict[tuple[str, str], keras.Layer]:
    """(What it is, domain) -> layer to or from keypoints."""
    layers, found = {layer.name: layer for layer in _parts(model)}, {}
    for domain in settings_of(model).domains:  # an hourglass has one
        names = {
            "head": f"head_{domain}",
            INTERMEDIATE: f"{INTERMEDIATE}_{domain}",
            f"{INTERMEDIATE}_back": f"{INTERMEDIATE}_{domain}_back",
        } | {name: name for name in layers if _HOURGLASS_HEAD.fullmatch(name)}
        found |= {(kind, domain): layers[name] for kind, name in names.items() if name in layers}
    return found


def _trunk(model: keras.Model, heads: dict) -> dict[str, keras.Layer]:
    """Name -> layer with weights, heads left out."""
    left_out = {layer.name for layer in heads.values()}
    parts = (layer for layer in _parts(model) if layer.weights)
    return {layer.name: layer for layer in parts if layer.name not in left_out}


def _copy_trunk(target: dict, source: dict, path: Path | str) -> None:
    """Copies all weights or, where one does not fit, none."""
    names = sorted(target.keys() | source.keys())
    pairs = [pair for name in names for pair in _weight_pairs(target.get(name), source.get(name))]
    for new, old in pairs:
        shapes = [None if v is None else tuple(v.shape) for v in (new, old)]
        if shapes[0] != shapes[1]:
            raise UsageError(
                f"--init {path}: expected a network of the same trunk, received one whose "
                f"{(old if new is None else new).path} has the shape {shapes[1]} and not "
                f"{shapes[0]}; give the network, backbone, filters, kernel, deconvolutions, stacks "
                "and depth that it was trained with"
            )
    for new, old in pairs:
        new.assign(old)


def _weight_pairs(*layers: keras.Layer | None) -> Iterator[tuple]:
    """Pairs the weights of two layers of a name; None stands for what one of them lacks."""
    return itertools.zip_longest(*([] if layer is None else layer.weights for layer in layers))


def _copy_keypoints(layer, names: Sequence[str], found: Sequence[tuple], back: bool) -> None:
    """Copies what belongs to keypoints that a head has in common with others.

    Args:
        layer: convolution to maps, or MDPN's from maps back to features.
        names: of its keypoints.
        found: (kernel and bias, names) of other heads' layers, in the order of preference.
        back: whether keypoints are its input; its bias is then that of the first of the others.
    """
    kernel, bias = layer.get_weights()
    axis = 2 if back else 3
    target = np.moveaxis(kernel, axis, 0)
    for place, keypoint in enumerate(names):
        for weights, others in found:
            if keypoint in others:
                target[place] = np.moveaxis(weights[0], axis, 0)[others.index(keypoint)]
                if not back:
                    bias[place] = weights[1][others.index(keypoint)]
                break
    layer.set_weights([kernel, found[0][0][1] if back else bias])


def freeze(model: keras.Model, domains: tuple[str, ...]) -> None:
    """Stops the training of some heads and, if there are any, of all below the heads.

    Batch normalisation there uses its stored statistics from then on, so that the frozen heads'
    outputs stay what they are, to the bit.

    Raises:
        UsageError: no such head.
    """
    known = settings_of(model).domains
    unknown = [domain for domain in domains if domain not in known]
    if unknown:
        raise UsageError(f"--frozen: expected heads out of {list(known)}, received {unknown}")
    if not domains:
        return
    trained = {f"head_{domain}" for domain in known if domain not in domains}
    for layer in model.layers:
        if layer.weights:
            layer.trainable = layer.name in trained


def count_parameters(model: keras.Model) -> int:
    """Parameters as papers count them: colours and running statistics left out."""
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)
