"""Recipes of stacked hourglasses: the SCUT-Samsung report's, and Simple Baselines' comparison.

Imports no TensorFlow, so that `--help` answers at once.

Of the network the report says "four blocks with two stacks", of its training nothing, and Simple
Baselines quotes its figures from CPN's paper. Optimiser, rate, radius, rotation and scale are those
of Newell et al. 2016, section 3.2; epochs and batches are ours. The report's detectors are in
`topdown.ssd_recipes`.
"""

import dataclasses

from topdown.recipe import TopDownRecipe

_TWO_STACKS = TopDownRecipe(
    network="hourglass",
    stacks=2,
    depth=4,
    size=(256, 256),
    sigma=1.0,
    scale=(0.75, 1.25),
    rotation=30.0,
    rotation_probability=1.0,
    randomness="uniform",
    box_threshold=0.15,
    optimizer="rmsprop",
    learning_rate=2.5e-4,
    batch_size=32,
)
_EIGHT_STACKS = dataclasses.replace(_TWO_STACKS, stacks=8, box_threshold=0.0)

HOURGLASS_RECIPES: dict[str, tuple[str, TopDownRecipe]] = {
    "hourglass2-posetrack": ("Tables 8, 9, 11, on PoseTrack: 39.3, 41.8, 43.5 mAP.", _TWO_STACKS),
    "hourglass2-mpii": ("Table 10, on MPII: 46.9 mAP.", _TWO_STACKS),
    "hourglass2-mpii-posetrack": (
        "Tables 12 to 15, on MPII and PoseTrack with one head: 55.8 to 61.3 mAP.",
        _TWO_STACKS,
    ),
    "hourglass8-256x192": (
        "Simple Baselines, Table 3, 256x192: 66.9 AP.",
        dataclasses.replace(_EIGHT_STACKS, size=(256, 192)),
    ),
    "hourglass8-256x256": ("Simple Baselines, Table 3, 256x256: 67.1 AP.", _EIGHT_STACKS),
}
"""Name -> (one line about it, the recipe)."""
