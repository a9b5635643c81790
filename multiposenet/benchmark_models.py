"""Joined models to measure: of recipes, with random weights, or from a file."""

import dataclasses
from pathlib import Path

import keras

from multiposenet.detection_subnet import backbone_of, detection_model
from multiposenet.detector_recipes import DETECTOR_RECIPES
from multiposenet.model import join, load_multiposenet
from multiposenet.prn_recipes import PRN_RECIPES
from multiposenet.recipes import KEYPOINT_RECIPES
from multiposenet.train_keypoint import build_keypoint_model
from multiposenet.train_prn import build_prn
from posekit.commands import UsageError
from posekit.skeletons import COCO

RECIPES = {
    "r50": ("coco-r50", "detector-r50", (384, 576)),
    "r101": ("coco-r101", "detector-r101", (384, 576)),
    "small": ("small", "detector-small", (384, 576)),
    "demo": ("demo", "demo", (160, 224)),
}
"""Name -> keypoint recipe, detector recipe, canvas (height, width)."""


def random_models(
    recipe: str, prns: tuple[str, ...], size: tuple[int, int] | None = None
) -> dict[str, keras.Model]:
    """Builds a model for each PRN; all share the other networks.

    Args:
        recipe: of RECIPES.
        prns: names of PRN recipes.
        size: canvas (height, width), multiples of 32; None: the recipe's.

    Returns:
        "RECIPE with PRN" -> joined model of random weights.

    Raises:
        UsageError: no such PRN recipe, or none at all.
    """
    if not prns or not set(prns) <= set(PRN_RECIPES):
        raise UsageError(f"expected PRN recipes of {list(PRN_RECIPES)}, received {list(prns)}")
    keypoint_name, detector_name, own_size = RECIPES[recipe]
    keypoint_recipe = dataclasses.replace(
        KEYPOINT_RECIPES[keypoint_name][1], backbone_weights="none", intermediate=False
    )
    detector_recipe = DETECTOR_RECIPES[detector_name][1]
    keypoints = build_keypoint_model(keypoint_recipe, COCO)[1]
    backbone = backbone_of(keypoints)
    detector = detection_model(backbone, detector_recipe.fpn_depth, detector_recipe.depth)
    canvas = size or own_size
    return {
        f"{recipe} with {name}": join(
            keypoints,
            detector,
            build_prn(PRN_RECIPES[name][1], COCO.num_keypoints),
            COCO,
            shorter_edge=min(canvas),
            canvas=canvas,
        )
        for name in prns
    }


def model_of_file(path: Path) -> dict[str, keras.Model]:
    """Reads a joined model; its name is that of the file. Raises ModelError, as its reader does."""
    return {path.stem: load_multiposenet(path)}
