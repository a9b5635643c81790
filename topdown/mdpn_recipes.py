"""Recipes of MDPN (Guo et al. 2018): training strategies for several data sets.

Imports no TensorFlow, so that `--help` answers at once.

Crop and augmentation are "the same as" those of CPN: the box 10 % wider and 15 % higher on each
side and, in training, a quarter larger still, factors of 0.7 to 1.35, a quarter of the crops
mirrored and half of them turned by up to 45 degrees, as four variants of each person in its public
code. What lies beyond the image differs: CPN pads with the mean colour, crops are black there. A
person's score is the box's times the mean over all keypoints, as CPN's: the threshold of -1 also
counts those whose map has no positive peak. The text's "sigma 9" is in pixels of
the crop: 2.25 cells. It does not state the threshold on boxes: that of Simple Baselines is used.
"""

import dataclasses
from pathlib import Path

from topdown.recipe import FineTuning, TopDownRecipe

_ALONE = TopDownRecipe(
    sigma=2.25,
    margin=1.25,
    test_margin=1.0,
    box_extension=(0.1, 0.15),
    scale=(0.7, 1.35),
    rotation=45.0,
    rotation_probability=0.5,
    randomness="uniform",
    flip=0.25,
    offset="second_peak",
    blur_sigma=3.5,
    keypoint_threshold=-1.0,
    box_threshold=0.5,
    oks_threshold=0.4,
)
"""Section 2.2: what is no MDPN is trained by the schedule of Simple Baselines."""

_TRANSFER = dataclasses.replace(
    _ALONE,
    init=Path("runs/topdown-mdpn-coco/best.keras"),
    learning_rate=1e-4,
    epochs=20,
    drops=(10, 15),
)
"""Simple Baselines, section 4.2."""

_JOINT = dataclasses.replace(_ALONE, heads="separate", epochs=120, drops=(90,), mining_from=100)

_TUNED = dataclasses.replace(_JOINT, fine_tuning=FineTuning("coco"))
_R152 = dataclasses.replace(_TUNED, network="mdpn", backbone="resnet152", size=(384, 288))

MDPN_RECIPES: dict[str, tuple[str, TopDownRecipe]] = {
    "mdpn-mpii": ("Table 1, R50 on MPII: 58.7 mAP (PoseTrack18 min-val, as below).", _ALONE),
    "mdpn-coco": ("Table 1, R50 on COCO: 68.4 mAP.", _ALONE),
    "mdpn-posetrack": ("Table 1, R50 on PoseTrack: 55.5 mAP.", _ALONE),
    "mdpn-coco-posetrack": ("Table 1, mdpn-coco, then PoseTrack: 66.8 mAP.", _TRANSFER),
    "mdpn-coco-posetrack-mpii": (
        "Table 1, mdpn-coco, then PoseTrack and MPII with one head: 68.0 mAP.",
        _TRANSFER,
    ),
    "mdpn-mixed": ("Table 1, all three with one head of 21 keypoints: 66.3 mAP.", _ALONE),
    "mdpn-r50-joint": ("Table 1, MDPN-B without fine-tuning: 67.7 mAP.", _JOINT),
    "mdpn-r50": ("Table 1, MDPN-B: 70.7 mAP; Table 3, MDPN-50-B: 71.7.", _TUNED),
    "mdpn-r152": ("Table 3, MDPN-152: B 72.7, A 75.0 mAP.", _R152),
}
"""Name -> (one line about it, the recipe)."""
