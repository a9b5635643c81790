"""Recipes of the person detector, with the paper's numbers as values.

Imports no TensorFlow, so that `--help` answers at once.
"""

import dataclasses

from multiposenet.recipes import CROWDS, KEYPOINT_RECIPES
from posekit.recipes import TrainingRecipe


@dataclasses.dataclass(frozen=True)
class DetectorRecipe(TrainingRecipe):
    """Person detection subnet of MultiPoseNet (arXiv:1807.04067, sections 3.3 and 3.5)."""

    keypoint_run: str = "coco-r50"
    """Keypoint run in OUTPUT whose backbone is taken and frozen, or the path of a .keras file."""
    fpn_depth: int = 256
    """Channels of P3-P7."""
    depth: int = 256
    """Channels of the four convolutions of each head."""

    shorter_edge: int = 800
    """Length that the image's shorter edge is scaled to, pixels."""
    longer_edge: int = 1344
    """Bound of the longer edge, and side of the square training canvas; a multiple of 32."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Range of a random factor on the size; what then leaves the canvas is cut off."""
    flip: float = 0.5
    """Probability of a horizontal mirror."""
    colour: float = 0.0
    """Strength of random brightness, contrast, saturation and, a tenth, hue; 0 as in the paper."""
    nms: float = 0.3
    """Greatest overlap (IoU) of two boxes that are both kept."""

    batch_size: int = 8
    """Images a step, over all devices; the paper does not say."""
    epochs: int = 20
    """Passes over the training split."""
    learning_rate: float = 1e-5
    """Adam's rate at the start."""
    patience: int = 2
    """Evaluations without improvement before a plateau drops the rate."""


_KEYPOINTS = KEYPOINT_RECIPES["demo"][1]
_DEMO = DetectorRecipe(
    keypoint_run="demo",
    name="detector-demo",
    synthetic=_KEYPOINTS.synthetic,
    fpn_depth=64,
    depth=64,
    shorter_edge=_KEYPOINTS.patch_size,
    longer_edge=224,
    scale=(0.8, 1.25),
    batch_size=8,
    epochs=6,
    learning_rate=1e-3,
    schedule="cosine",
    eval_images=100,
)

DETECTOR_RECIPES: dict[str, tuple[str, DetectorRecipe]] = {
    "demo": (
        "On the backbone of the keypoint demo and its synthetic people; minutes on two cores.",
        _DEMO,
    ),
    "demo-crowds": (
        "On the backbone of the keypoint recipe demo-crowds and its crowds; second of three.",
        dataclasses.replace(
            _DEMO,
            keypoint_run="demo-crowds",
            name="detector-demo-crowds",
            synthetic=CROWDS,
            shorter_edge=192,
            longer_edge=256,
            nms=0.5,
            epochs=5,
        ),
    ),
    "detector-small": (
        "On the MobileNetV2 of the keypoint recipe small, for real images without a GPU.",
        DetectorRecipe(
            keypoint_run="small",
            fpn_depth=64,
            depth=64,
            shorter_edge=384,
            longer_edge=512,
            scale=(0.7, 1.3),
            colour=0.2,
            epochs=12,
            learning_rate=1e-3,
            schedule="cosine",
            ema=0.998,
        ),
    ),
    "detector-r50": (
        "Table 5, R50: 51.3 person AP.",
        DetectorRecipe(keypoint_run="coco-r50"),
    ),
    "detector-r101": (
        "Table 5, R101: 52.5 person AP.",
        DetectorRecipe(keypoint_run="coco-r101"),
    ),
}
