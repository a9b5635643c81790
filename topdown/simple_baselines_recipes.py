"""Recipes of Simple Baselines (Xiao et al. 2018, arXiv:1804.06208): a name for each trained row.

Imports no TensorFlow, so that `--help` answers at once.

The values of the text are the defaults of `TopDownRecipe`. Not in the text: the radius of the
targets, 2 cells of maps of 64x48 and 3 of 96x72 in the public code; for the maps of 32x24 of rows
b and g, which it does not have, 1, the same share of the crop.
"""

import dataclasses
from pathlib import Path

from topdown.recipe import TopDownRecipe

_R50 = TopDownRecipe()
_LARGE = TopDownRecipe(size=(384, 288), sigma=3.0)
_MPII = TopDownRecipe(size=(256, 256), scale=(0.75, 1.25), rotation=30.0)
_MPII_LARGE = dataclasses.replace(_MPII, size=(384, 384), sigma=3.0)


def _on_posetrack(recipe: TopDownRecipe, start: str) -> TopDownRecipe:
    """Section 4.2: all layers go on from those of a COCO run at a tenth of the rate."""
    return dataclasses.replace(
        recipe,
        init=Path(f"runs/topdown-{start}/best.keras"),
        learning_rate=1e-4,
        epochs=20,
        drops=(10, 15),
        box_threshold=0.5,
    )


def _deeper(recipe: TopDownRecipe, layers: int) -> TopDownRecipe:
    return dataclasses.replace(recipe, backbone=f"resnet{layers}")


SIMPLE_BASELINES_RECIPES: dict[str, tuple[str, TopDownRecipe]] = {
    "simple-baselines-r50": ("Table 2a, R50 256x192: 70.4 AP.", _R50),
    "simple-baselines-r50-2deconv": (
        "Table 2b, two deconvolutions: 67.9 AP.",
        TopDownRecipe(deconvolutions=2, sigma=1.0),
    ),
    "simple-baselines-r50-kernel2": ("Table 2c, kernel 2: 70.1 AP.", TopDownRecipe(kernel=2)),
    "simple-baselines-r50-kernel3": ("Table 2d, kernel 3: 70.3 AP.", TopDownRecipe(kernel=3)),
    "simple-baselines-r101": ("Table 2e, R101 256x192: 71.4 AP.", _deeper(_R50, 101)),
    "simple-baselines-r152": ("Table 2f, R152 256x192: 72.0 AP.", _deeper(_R50, 152)),
    "simple-baselines-r50-128x96": (
        "Table 2g, R50 128x96: 60.6 AP.",
        TopDownRecipe(size=(128, 96), sigma=1.0),
    ),
    "simple-baselines-r50-384x288": ("Table 2h, R50 384x288: 72.2 AP.", _LARGE),
    "simple-baselines-r101-384x288": (
        "Authors' README, R101 384x288: 73.6 AP.",
        _deeper(_LARGE, 101),
    ),
    "simple-baselines-r152-384x288": (
        "Table 4, R152 384x288: 73.7 AP on test-dev, 74.3 on val2017.",
        _deeper(_LARGE, 152),
    ),
    "simple-baselines-r50-posetrack": (
        "Tables 5 to 7, R50, from simple-baselines-r50: 72.4 mAP.",
        _on_posetrack(_R50, "simple-baselines-r50"),
    ),
    "simple-baselines-r152-384x288-posetrack": (
        "Tables 5 to 8, R152, from simple-baselines-r152-384x288: 76.7 mAP.",
        _on_posetrack(_deeper(_LARGE, 152), "simple-baselines-r152-384x288"),
    ),
    "simple-baselines-r50-mpii": ("Authors' README, MPII, R50 256x256: 88.532 PCKh.", _MPII),
    "simple-baselines-r101-mpii": ("R101 256x256: 89.131 PCKh.", _deeper(_MPII, 101)),
    "simple-baselines-r152-mpii": ("R152 256x256: 89.620 PCKh.", _deeper(_MPII, 152)),
    "simple-baselines-r50-384x384-mpii": ("R50 384x384: 89.066 PCKh.", _MPII_LARGE),
    "simple-baselines-r101-384x384-mpii": ("R101: 90.003 PCKh.", _deeper(_MPII_LARGE, 101)),
    "simple-baselines-r152-384x384-mpii": ("R152: 90.200 PCKh.", _deeper(_MPII_LARGE, 152)),
}
"""Name -> (one line about it, the recipe)."""
