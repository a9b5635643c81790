"""Backbones by name, with their first weights."""

import sys
from pathlib import Path

import keras

from posekit.commands import UsageError
from posekit.mobilenet import mobilenet_v2
from posekit.resnet import resnet
from posekit.weights.imagenet import fetch_imagenet
from posekit.weights.torchvision import load_torchvision
from posekit.weights.vgg import load_vgg16

DEPTHS = {"resnet18": 18, "resnet34": 34, "resnet50": 50, "resnet101": 101, "resnet152": 152}


def make_backbone(name: str, dilate: bool = False) -> tuple[keras.Model, tuple[int, ...]]:
    """Builds a backbone.

    Args:
        name: one of `posekit.recipes.Backbone`.
        dilate: whether stage 5 dilates instead of striding.

    Returns:
        model: images to "C2".."C5".
        strides: image pixels per cell of C2..C5.
    """
    if name == "mobilenet_v2":
        model = mobilenet_v2(dilate=(False, dilate))
    else:
        width = 32 if name.endswith("-half") else 64
        model = resnet(DEPTHS[name.removesuffix("-half")], dilate=(False, dilate), width=width)
    return model, (4, 8, 16, 16 if dilate else 32)


def initialise(backbone: keras.Model, name: str, weights: str) -> str:
    """Loads the first weights.

    Args:
        backbone: from `make_backbone`.
        name: of the backbone.
        weights: "imagenet" fetches the published file once and goes on with random weights, after
            a warning, where it cannot be reached; "none" keeps random weights; else a path.

    Returns:
        Where the weights come from, in words.

    Raises:
        UsageError: no such file, or one that does not fit.
    """
    if weights == "none":
        return "random weights"
    try:
        path = fetch_imagenet(name) if weights == "imagenet" else Path(weights)
        load = load_vgg16 if name == "vgg16" else load_torchvision
        load(backbone, path)
    except (ValueError, FileNotFoundError) as error:
        raise UsageError(f"--backbone-weights {weights}: {error}") from error
    except OSError as error:
        if weights != "imagenet":
            raise UsageError(f"--backbone-weights {weights}: {error}") from error
        print(
            f"WARNING: the ImageNet weights of {name} could not be fetched ({error}). Training "
            "starts from random weights, which the papers do not do; give a file with "
            "--backbone-weights PATH, or none to say that this is wanted.",
            file=sys.stderr,
        )
        return "random weights (the ImageNet file could not be fetched)"
    return path.name
