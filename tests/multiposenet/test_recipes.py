import dataclasses

import numpy as np
import pytest

from multiposenet.detector_recipes import DETECTOR_RECIPES
from multiposenet.prn_recipes import PRN_RECIPES
from multiposenet.recipes import KEYPOINT_RECIPES
from multiposenet.train_keypoint import build_keypoint_model
from posekit.recipe_training import make_optimizer
from posekit.skeletons import COCO

# Trunk + pyramid + subnet, without the intermediate predictions.
HEADS = 2_754_304 + 2_955_026
TRAINABLE = {
    "coco-r50": 23_508_032 + HEADS,
    "coco-r101": 42_500_160 + HEADS,
    "coco-r101-dil": 42_500_160 + HEADS,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KEYPOINT_RECIPES)
def test_every_recipe_builds_its_network(name):
    recipe = dataclasses.replace(KEYPOINT_RECIPES[name][1], backbone_weights="none")
    model, inference_model, _ = build_keypoint_model(recipe, COCO)
    outputs = model(np.zeros((1, 64, 64, 3), np.uint8))
    levels = {"K2", "K3", "K4", "K5"} if recipe.intermediate else set()
    assert set(outputs) == {"heatmaps", "mask"} | levels
    assert {tuple(value.shape[1:3]) for value in outputs.values()} == {(16, 16)}
    if name in TRAINABLE:
        weights = inference_model.trainable_weights
        assert sum(int(np.prod(weight.shape)) for weight in weights) == TRAINABLE[name]


@pytest.mark.parametrize("recipes", [KEYPOINT_RECIPES, DETECTOR_RECIPES, PRN_RECIPES])
def test_every_schedule_starts(recipes):
    for _, recipe in recipes.values():
        optimizer = make_optimizer(recipe, steps_per_epoch=10, epochs=20)
        assert 0 < float(optimizer.learning_rate) <= recipe.learning_rate
