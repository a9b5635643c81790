"""Recipes of "Enhanced two-stage multi-person pose estimation" (Honda et al. 2018), Table 1.

Imports no TensorFlow, so that `--help` answers at once.

The margin of 60 pixels is that of detected boxes; how people are cropped in training is not said
(section 3.2: "with margins"), so it is as in Simple Baselines. Nor is the schedule of fine-tuning:
"the same setting" but for the rate, so 76,000 steps drop it once.
"""

import dataclasses
from pathlib import Path

from topdown.recipe import TopDownRecipe

_R50 = TopDownRecipe(
    size=(384, 288),
    sigma=3.0,
    randomness="uniform",
    rotation_probability=1.0,
    test_margin=1.0,
    test_box_pixels=60.0,
    batch_size=64,
    steps=90_000,
    drops=(),
    drop_steps=(60_000, 80_000),
)
_R152 = dataclasses.replace(_R50, backbone="resnet152")


def _on_posetrack(recipe: TopDownRecipe, start: str, steps: int) -> TopDownRecipe:
    """Evaluated every 1,000 steps: the paper saw the figures fall from there on (section 4.2)."""
    return dataclasses.replace(
        recipe,
        init=Path(f"runs/topdown-{start}/best.keras"),
        learning_rate=1e-4,
        steps=steps,
        epoch_steps=1000,
    )


ENHANCED_RECIPES: dict[str, tuple[str, TopDownRecipe]] = {
    "enhanced-r152": ("Table 1, R152 on COCO: 60.9 mAP (PoseTrack18).", _R152),
    "enhanced-r152-posetrack-76k": (
        "Table 1, then 76,000 steps of PoseTrack: 68.5 mAP.",
        _on_posetrack(_R152, "enhanced-r152", 76_000),
    ),
    "enhanced-r152-posetrack-1k": (
        "Table 1, then 1,000 steps of PoseTrack: 70.4 mAP.",
        _on_posetrack(_R152, "enhanced-r152", 1000),
    ),
    "enhanced-r50": ("Table 1, R50 on COCO: 51.9 mAP.", _R50),
    "enhanced-r50-posetrack-1k": (
        "Table 1, then 1,000 steps of PoseTrack: 65.9 mAP.",
        _on_posetrack(_R50, "enhanced-r50", 1000),
    ),
}
"""Name -> (one line about it, the recipe)."""
