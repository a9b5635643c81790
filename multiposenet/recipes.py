"""Recipes of MultiPoseNet: what to train, with the paper's numbers as values.

Imports no TensorFlow, so that `--help` answers at once.
"""

import dataclasses

from posekit.datasets.synthetic_folder import SyntheticFolder
from posekit.recipes import Backbone, TrainingRecipe


@dataclasses.dataclass(frozen=True)
class KeypointRecipe(TrainingRecipe):
    """Keypoint and segmentation subnet of MultiPoseNet (arXiv:1807.04067, sections 3.2 and 3.5)."""

    backbone: Backbone = "resnet50"
    """Network below the pyramid; "resnet18-half" has half the channels."""
    backbone_weights: str = "imagenet"
    """First weights: "imagenet" fetches torchvision's, a path reads a file, "none" is random."""
    dilate: bool = False
    """Dilated stage 5 instead of its stride (row R101-dil)."""
    fpn_depth: int = 256
    """Channels of K2-K5."""
    depth: int = 128
    """Channels of D2-D5."""
    concat: bool = True
    """Concatenate D2-D5 (False: row "no concat")."""
    intermediate: bool = True
    """A loss at each K level (False: row "no int.")."""

    patch_size: int = 480
    """Height and width of a training patch, pixels."""
    sigma: float = 2.0
    """Gaussian radius, heatmap cells of 4 pixels."""
    rotation: float = 40.0
    """Greatest rotation either way, degrees."""
    scale: tuple[float, float] = (0.8, 1.2)
    """Range of the random scale; at 1 the shorter side of the image fills the patch."""
    flip: float = 0.3
    """Probability of a horizontal mirror."""
    colour: float = 0.0
    """Strength of random brightness, contrast, saturation and, a tenth, hue; 0 as in the paper."""

    mask_weight: float = 1.0
    """Weight of the segmentation channel in every loss."""


_R101 = KeypointRecipe(backbone="resnet101")

CROWDS = SyntheticFolder(train=3000, val=100, people=(2, 5), heights=(0.6, 1.1), crowding=0.3)
"""Synthetic people who hide each other: what all three networks of `demo-crowds` learn from."""
_DEMO = KeypointRecipe(
    backbone="resnet18-half",
    backbone_weights="none",
    fpn_depth=64,
    depth=32,
    synthetic=SyntheticFolder(train=3000, val=100, people=(1, 4), heights=(0.6, 1.1), crowding=0.2),
    patch_size=160,
    sigma=1.5,
    rotation=10.0,
    scale=(0.9, 1.2),
    flip=0.5,
    batch_size=8,
    epochs=10,
    learning_rate=3e-3,
    schedule="cosine",
    mask_weight=0.2,
    eval_images=100,
)

KEYPOINT_RECIPES: dict[str, tuple[str, KeypointRecipe]] = {
    "demo": ("Small network on synthetic people; minutes on two cores.", _DEMO),
    "demo-crowds": (
        "The same on larger pictures of crowds; first of the whole model's three trainings.",
        dataclasses.replace(_DEMO, synthetic=CROWDS, patch_size=192, epochs=16),
    ),
    "small": (
        "MobileNetV2 with narrow heads, for training on real images without a GPU.",
        KeypointRecipe(
            backbone="mobilenet_v2",
            fpn_depth=64,
            depth=32,
            patch_size=256,
            flip=0.5,
            colour=0.2,
            batch_size=16,
            epochs=40,
            learning_rate=1e-3,
            schedule="cosine",
            mask_weight=0.2,
            ema=0.998,
        ),
    ),
    "coco-r50": (
        "Table 2 right, R50: 62.3 AP with the paper's detector and PRN.",
        KeypointRecipe(backbone="resnet50"),
    ),
    "coco-r101": ("Table 2, R101: 63.9 AP.", _R101),
    "coco-r101-dil": ("Table 2, R101 dilated: 64.3 AP.", dataclasses.replace(_R101, dilate=True)),
    "coco-r101-no-int": (
        "Table 2 left, R101 without intermediate supervision: 61.3 AP.",
        dataclasses.replace(_R101, intermediate=False),
    ),
    "coco-r101-no-concat": (
        "Table 2 left, R101 without concatenation: about 62 AP by the text.",
        dataclasses.replace(_R101, concat=False),
    ),
}
