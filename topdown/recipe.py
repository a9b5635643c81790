"""What a recipe of a top-down network says; the named ones are in `topdown.recipes`.

Imports no TensorFlow, so that `--help` answers at once.
"""

import dataclasses
from pathlib import Path
from typing import Literal

from posekit.recipes import Backbone, TrainingRecipe


@dataclasses.dataclass(frozen=True)
class FineTuning:
    """MDPN's two stages behind the joint training; where that mined hard keypoints, they do."""

    domain: str = ""
    """Data set that the whole network is fine-tuned on; then all but the other heads is frozen,
    and these are fine-tuned on theirs. Empty: no such stages."""
    epochs: tuple[int, int] = (15, 20)
    """Of the two stages."""
    learning_rate: float = 1e-4
    """Of both at their start; the paper does not say it."""
    drops: tuple[int, ...] = (10,)
    """Epochs of the second one after which its rate drops to a tenth."""


@dataclasses.dataclass(frozen=True)
class TopDownRecipe(TrainingRecipe):
    """A network from a person's crop to heatmaps; the defaults are Simple Baselines on COCO."""

    datasets: tuple[str, ...] = ()
    """Data sets to train on, [NAME=]KIND:PATH[:SPLIT], in place of DATA; KIND is coco, mpii,
    mpii-centre (boxes of MPII's protocol), posetrack or synthetic; NAME, that of the kind when not
    given, names the domain."""
    val_datasets: tuple[str, ...] = ()
    """Held-out ones of the same names; none: VAL_SPLIT of the same folders, val2017 beside
    train2017."""
    heads: Literal["shared", "separate"] = "shared"
    """Several data sets: one head over the union of their keypoints, or a head for each."""
    mix: tuple[float, ...] = ()
    """Shares of the data sets in an epoch; none: as large as they are."""
    init: Path | None = None
    """.keras file to start from; heads are taken over keypoint by keypoint, by their names."""
    frozen: tuple[str, ...] = ()
    """Heads that are not trained; with any, neither is the network below the heads."""
    only: tuple[str, ...] = ()
    """Names of the data sets that are trained on and evaluated; the network has the heads of all
    DATASETS. None: all."""
    fine_tuning: FineTuning = FineTuning()
    """MDPN's stages after the joint training."""

    network: Literal["simple_baseline", "mdpn", "hourglass"] = "simple_baseline"
    """Which network; mdpn is the simple baseline with an intermediate prediction and skip."""
    backbone: Backbone = "resnet50"
    """Network below the deconvolutions."""
    backbone_weights: str = "imagenet"
    """First weights: "imagenet" fetches torchvision's, a path reads a file, "none" is random."""
    deconvolutions: int = 3
    """3, or 2 for maps at stride 8."""
    filters: int = 256
    """Channels of the deconvolutions, or of the hourglass."""
    kernel: int = 4
    """Of the deconvolutions: 4, 3 or 2."""
    stacks: int = 2
    """Hourglasses behind each other."""
    depth: int = 4
    """Levels of an hourglass."""

    size: tuple[int, int] = (256, 192)
    """Height and width of a crop, pixels."""
    sigma: float = 2.0
    """Gaussian radius of the targets, heatmap cells."""
    margin: float = 1.25
    """Factor on the box once it has the shape of the crop."""
    box_pixels: float = 0.0
    """Added on every side of the box before, pixels."""
    box_extension: tuple[float, float] = (0.0, 0.0)
    """Shares of the box's width and height added on every side before."""
    stretch: bool = False
    """Distort boxes to the shape of the crop instead of growing them."""
    test_margin: float | None = None
    """MARGIN of the boxes that poses are predicted in; none: the same."""
    test_box_pixels: float | None = None
    """BOX_PIXELS of them; none: the same."""

    scale: tuple[float, float] = (0.7, 1.3)
    """Range of the random factor on the box."""
    rotation: float = 40.0
    """Degrees of random rotation; normal: a standard deviation, uniform: the greatest."""
    rotation_probability: float = 0.6
    """Share of the crops that are turned."""
    randomness: Literal["normal", "uniform"] = "normal"
    """How scale and rotation are drawn."""
    flip: float = 0.5
    """Probability of a horizontal mirror."""
    half_body: float = 0.0
    """Probability of showing only the upper or lower half of a person; not in the papers."""
    colour: float = 0.0
    """Strength of random brightness, contrast, saturation and, a tenth, hue; 0 as in the paper."""

    mining: int = 8
    """Keypoints of a person that online hard keypoint mining keeps."""
    mining_from: int | None = None
    """Epochs after which the loss mines hard keypoints; none: never."""

    offset: Literal["none", "sign", "second_peak"] = "sign"
    """Quarter offset when maps are read."""
    blur_sigma: float | None = None
    """Gaussian filter in front of it, cells."""
    keypoint_threshold: float = 0.2
    """A person's score counts keypoints above this."""
    box_threshold: float = 0.0
    """People in boxes of lower scores are left out."""
    oks_threshold: float = 0.9
    """OKS-NMS: greatest OKS with a better pose."""

    batch_size: int = 128
    """Crops a step, over all devices."""
    epochs: int = 140
    """Passes over the people."""
    learning_rate: float = 1e-3
    """Rate at the start."""
    epsilon: float = 1e-8
    """Of adam and rmsprop. Mean squared errors of heatmaps are small: their gradients were 1e-7 to
    1e-6 here, where Keras' own 1e-7 would slow the training down; the papers' code has 1e-8."""
    schedule: Literal["step", "cosine"] = "step"
    """See DROPS, or a cosine down to 0; no plateau, as the evaluation gives no loss to watch."""
    drops: tuple[int, ...] = (90, 120)
    """Epochs after which the step schedule drops the rate to a tenth."""
