"""Recipes of SSD, with the numbers of the SCUT-Samsung report as values.

Imports no TensorFlow, so that `--help` answers at once.
"""

import dataclasses
from typing import Literal

from posekit.datasets.synthetic_folder import SyntheticFolder
from posekit.recipes import TrainingRecipe


@dataclasses.dataclass(frozen=True)
class SsdRecipe(TrainingRecipe):
    """SSD for people, as scut_samsung, section 2.1, trains it."""

    datasets: tuple[str, ...] = ()
    """Data sets to train on together, KIND:PATH[:SPLIT], in place of DATA; KIND is coco, mpii,
    posetrack or voc."""
    val_dataset: str = ""
    """Held-out one; none: VAL_SPLIT of the first of DATASETS."""

    size: Literal[300, 512] = 300
    """Side of the square input, pixels."""
    width: int = 64
    """Channels of VGG's first stage; 64 is VGG-16."""
    scales: tuple[float, float] = (0.1, 0.2)
    """Smallest default boxes of conv4_3 and of conv7, as shares of the input's side."""
    backbone_weights: str = "imagenet"
    """First weights: "imagenet" fetches torchvision's, a path reads a file, "none" is random."""

    overlap: float = 0.5
    """Least IoU of a default box with its person, in training."""
    flip: float = 0.5
    """Probability of a horizontal mirror."""
    expand: float = 4.0
    """Half of the images lie anywhere on a canvas of up to this many times their sides."""
    crop: bool = True
    """Whether six of seven images are cropped at random."""
    colour: float = 1.0
    """Factor on SSD's changes of colour."""
    nms: float = 0.45
    """Greatest overlap (IoU) of two boxes that are both kept."""
    confidences: tuple[float, ...] = (0.15, 0.3, 0.5)
    """Least scores of the boxes of which VOC's AP is given."""

    batch_size: int = 32
    """Images a step, over all devices; SSD's, the report does not say."""
    steps: int | None = 15_000
    """Steps of the whole training."""
    epoch_steps: int | None = 1000
    """Steps between two evaluations."""
    learning_rate: float = 1e-3
    """Rate at the start."""
    optimizer: Literal["adam", "sgd", "rmsprop"] = "sgd"
    """What follows the gradient; sgd with MOMENTUM."""
    weight_decay: float = 5e-4
    """Of all weights; the report prints 5^-4."""
    schedule: Literal["plateau", "step", "cosine"] = "step"
    """See DROP_STEPS; plateau and cosine as in the other trainings."""
    drop_steps: tuple[int, ...] = (10_000, 12_000, 14_000)
    """Steps after which the step schedule drops the rate to a tenth."""


POSETRACK, MPII = "posetrack:data/posetrack17", "mpii:data/mpii"
COCO = "coco:data/coco:train2017"
VOC0712 = ("voc:data/VOCdevkit/VOC2007:trainval", "voc:data/VOCdevkit/VOC2012:trainval")
TABLE_5 = (0.1, 0.2, 0.4)
"""Confidences of the report's table 5."""


def _row(*datasets: str, **changes) -> SsdRecipe:
    """All rows are evaluated on the whole of PoseTrack's validation set."""
    changes = {"val_dataset": f"{POSETRACK}:val", "eval_images": 10_000} | changes
    return SsdRecipe(datasets=datasets, **changes)


SSD_RECIPES: dict[str, tuple[str, SsdRecipe]] = {
    "ssd-demo": (
        "A narrow SSD300 on synthetic people; minutes on two cores.",
        SsdRecipe(
            synthetic=SyntheticFolder(people=(1, 4), heights=(0.4, 1.1), crowding=0.2),
            width=8,
            scales=(0.15, 0.3),
            backbone_weights="none",
            expand=1.25,
            crop=False,
            batch_size=8,
            steps=None,
            epoch_steps=None,
            epochs=10,
            learning_rate=1e-3,
            optimizer="adam",
            weight_decay=0.0,
            schedule="cosine",
            drop_steps=(),
            eval_images=100,
        ),
    ),
    "ssd300-posetrack": ("Table 1: 0.47, 0.45, 0.40 mAP above 0.15, 0.3, 0.5.", _row(POSETRACK)),
    "ssd300-voc0712": ("Table 2: 0.43, 0.43, 0.39 mAP.", _row(*VOC0712)),
    "ssd300-coco": ("Table 3: 0.46, 0.52, 0.40 mAP.", _row(COCO, scales=(0.07, 0.15))),
    "ssd300-mpii-posetrack": ("Table 4: 0.52, 0.50, 0.43 mAP.", _row(MPII, POSETRACK)),
    "ssd300-overlap60": (
        "Table 5, overlap 0.6: 0.45, 0.45, 0.33 mAP above 0.1, 0.2, 0.4.",
        _row(POSETRACK, overlap=0.6, confidences=TABLE_5),
    ),
    "ssd300-overlap70": (
        "Table 5, overlap 0.7: 0.01, 0.01, 0.08 mAP.",
        _row(POSETRACK, overlap=0.7, confidences=TABLE_5),
    ),
    "ssd300-overlap80": (
        "Table 5, overlap 0.8: 0.19, 0.19 mAP.",
        _row(POSETRACK, overlap=0.8, confidences=TABLE_5),
    ),
    "ssd512-coco": (
        "Table 14: the detector of the final entry, 61.3 mAP of poses.",
        _row(COCO, size=512, scales=(0.04, 0.1)),
    ),
}
"""Name -> (one line about it, the recipe)."""
