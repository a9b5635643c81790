import dataclasses

import numpy as np
import pytest

from posekit.recipe_training import make_optimizer, plan_epochs
from posekit.skeletons import COCO
from topdown.networks import settings_from, training_crop
from topdown.pose_reader import rescore
from topdown.recipes import TOPDOWN_RECIPES
from topdown.settings import Crop
from topdown.stages import stage_recipes

DATASETS = "coco:a", "mpii:b", "posetrack:c"


def recipe_of(name, /, **changes):
    return dataclasses.replace(TOPDOWN_RECIPES[name][1], **changes)


def rates(recipe, *epochs):
    """Learning rates in the middle of some epochs, of 1,000 steps where the recipe does not say."""
    optimizer = make_optimizer(recipe, 1000, recipe.epochs)
    found = []
    for epoch in epochs:
        optimizer.iterations.assign(int(1000 * (epoch + 0.5)))
        found.append(float(optimizer.learning_rate))
    return found


@pytest.mark.parametrize(
    ("name", "epochs", "expected"),
    [
        ("simple-baselines-r50", (0, 89, 90, 119, 120), (1e-3, 1e-3, 1e-4, 1e-4, 1e-5)),
        ("simple-baselines-r50-posetrack", (0, 9, 10, 14, 15), (1e-4, 1e-4, 1e-5, 1e-5, 1e-6)),
        ("mdpn-coco-posetrack-mpii", (0, 10, 19), (1e-4, 1e-5, 1e-6)),
        ("mdpn-r50", (89, 90, 119), (1e-3, 1e-4, 1e-4)),
        ("enhanced-r152", (0, 59, 60, 80), (1e-3, 1e-3, 1e-4, 1e-5)),
        ("enhanced-r152-posetrack-76k", (0, 60, 75), (1e-4, 1e-5, 1e-5)),
        ("hourglass2-mpii", (0, 90), (2.5e-4, 2.5e-5)),
    ],
)
def test_rates_of_the_papers(name, epochs, expected):
    np.testing.assert_allclose(rates(recipe_of(name), *epochs), expected, rtol=1e-5)


def test_lengths_of_the_papers():
    people = 149_813
    assert plan_epochs(recipe_of("simple-baselines-r50"), people) == (1170, 140)
    assert plan_epochs(recipe_of("enhanced-r50"), people) == (2308, 39)  # 90,012 steps
    assert plan_epochs(recipe_of("enhanced-r50-posetrack-1k"), people) == (1000, 1)


def test_the_three_stages_of_mdpn():
    stages = stage_recipes(recipe_of("mdpn-r152", name="m", datasets=DATASETS))
    assert [(s.name, s.epochs, s.mining_from) for s in stages] == [
        ("m/joint", 120, 100),
        ("m/coco", 15, 0),
        ("m/heads", 20, 0),
    ]
    np.testing.assert_allclose(rates(stages[1], 0, 14), 1e-4, rtol=1e-5)
    np.testing.assert_allclose(rates(stages[2], 9, 10), [1e-4, 1e-5], rtol=1e-5)
    assert stages[2].frozen == ("coco",) and stages[2].only == ("mpii", "posetrack")


def test_crops_and_targets_of_the_papers():
    def settings(name):
        return settings_from(recipe_of(name), {"coco": COCO})

    assert settings("enhanced-r50").crop == Crop(margin=1.0, pixels=60.0)
    assert training_crop(recipe_of("enhanced-r50")) == Crop(margin=1.25)
    assert settings("mdpn-r50").crop == Crop(margin=1.0, extension=(0.1, 0.15))
    assert training_crop(recipe_of("mdpn-r50")) == Crop(margin=1.25, extension=(0.1, 0.15))
    # Pixels of the crop: MDPN's 9, and Simple Baselines' 8 at 256x192 in proportion to the size.
    names = "mdpn-r50", "simple-baselines-r50", "simple-baselines-r50-2deconv"
    names += "simple-baselines-r50-384x288", "simple-baselines-r50-128x96"
    sigmas = [settings(name).sigma * settings(name).stride for name in names]
    assert sigmas == [9, 8, 8, 12, 4]


def test_mdpn_scores_people_by_the_mean_of_all_keypoints():
    threshold = settings_from(recipe_of("mdpn-r50"), {"coco": COCO}).reading.keypoint_threshold
    keypoints = np.zeros((1, 4, 3), np.float32)
    keypoints[0, :, 2] = 0.8, 0.4, 0.0, -0.2
    np.testing.assert_allclose(rescore(keypoints, np.array([0.5]), threshold), 0.5 * 0.25)
