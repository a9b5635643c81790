"""What every recipe says about its data, its schedule and its run.

Imports no TensorFlow, so that `--help` answers at once.
"""

import dataclasses
from pathlib import Path
from typing import Literal

from posekit.datasets.synthetic_folder import SyntheticFolder

Backbone = Literal[
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet_v2", "resnet18-half"
]
"""Networks of `posekit.backbones`; "resnet18-half" has half the channels."""

MAY_CHANGE = ("output", "init", "bad_images", "input_timeout")
"""Fields that a resumed run may have another value of, since what it learns does not hang on them;
what a stage starts from lies in the output too."""


@dataclasses.dataclass(frozen=True)
class TrainingRecipe:
    """Data, schedule and run; a network's own recipe adds its fields."""

    data: Path | None = None
    """COCO folder with annotations/person_keypoints_SPLIT.json and SPLIT/; none = synthetic."""
    train_split: str = "train"
    """Split to train on (COCO itself: train2017)."""
    val_split: str = "val"
    """Held-out split (COCO itself: val2017)."""
    train_images: int | None = None
    """Use only the first images of the split; with VAL_SPLIT = TRAIN_SPLIT it tests overfitting."""
    synthetic: SyntheticFolder = SyntheticFolder()
    """People to draw when no data is given."""
    bad_images: float = 0.01
    """Greatest share of damaged images; with more the training stops with exit code 3."""
    output: Path = Path("runs")
    """Folder of run folders; this run writes to OUTPUT/NAME."""
    name: str = ""
    """Name of the run; the recipe's name when empty. The same name again resumes."""

    batch_size: int = 6
    """Images a step, over all devices."""
    epochs: int = 80
    """Passes over the training split."""
    epoch_steps: int | None = None
    """Steps an epoch; none = one pass over the training split."""
    steps: int | None = None
    """Train for this many steps instead of EPOCHS, rounded up to whole epochs of equal length."""
    learning_rate: float = 1e-4
    """Rate at the start."""
    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    """What follows the gradient; sgd with MOMENTUM."""
    momentum: float = 0.9
    """Of sgd."""
    epsilon: float = 1e-7
    """Of adam and rmsprop: gradients well below it hardly move their weights."""
    weight_decay: float = 0.0
    """Share of the weights, times the rate, that each step takes off; with sgd as in PyTorch."""
    schedule: Literal["plateau", "step", "cosine"] = "plateau"
    """x0.1 when val_loss stays (plateau), x0.1 at each of DROPS (step), or a cosine down to 0."""
    patience: int = 3
    """Evaluations without improvement before a plateau drops the rate."""
    drops: tuple[int, ...] = ()
    """Epochs after which the step schedule drops the rate; none = a constant rate."""
    drop_steps: tuple[int, ...] = ()
    """The same in steps, in place of DROPS."""
    clip_norm: float | None = None
    """Greatest global norm of the gradient."""
    ema: float | None = None
    """Momentum of the moving average of the weights, which is evaluated and saved; none = off."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Arithmetic of the network."""
    devices: int | None = None
    """GPUs (none = all), or logical CPU devices without a GPU. Several machines: TF_CONFIG."""
    deterministic: bool = False
    """Bit-reproducible kernels, slower."""
    threads: int | None = None
    """Threads within one operation; 1 makes a CPU run reproducible to the bit."""
    seed: int = 0
    """Seed of weights, order and augmentation."""
    eval_images: int = 500
    """Held-out images evaluated after each epoch (the first ones of the split)."""
    validate_every: int = 1
    """Epochs between two evaluations."""
    checkpoint_steps: int | None = 1000
    """Steps between two checkpoints within an epoch; one is always written at its end."""
    input_timeout: float | None = 600.0
    """Seconds without a batch after which the training ends with exit code 1; none = it waits."""
