"""Recipes of the Pose Residual Network: Table 3 of the paper, and a small variant.

Imports no TensorFlow, so that `--help` answers at once.
"""

import dataclasses
from pathlib import Path
from typing import Literal

from multiposenet.recipes import CROWDS
from posekit.datasets.synthetic_folder import SyntheticFolder
from posekit.recipes import TrainingRecipe


@dataclasses.dataclass(frozen=True)
class PrnRecipe(TrainingRecipe):
    """Pose Residual Network of MultiPoseNet (arXiv:1807.04067, sections 3.4 and 3.5)."""

    data: Path | None = None
    """People: COCO keypoint file (.json, .json.gz), COCO folder, or .npz; none = synthetic."""
    val_data: Path | None = None
    """Held-out people: COCO keypoint file or folder; none = VAL_SPLIT of the folder DATA."""
    train_images: int | None = None
    """Train on the people of the first images only."""
    synthetic_side: int = 160
    """Height of synthetic images, pixels."""

    nodes: int = 1024
    """Nodes of each hidden layer (N in Table 3)."""
    hidden_layers: int = 1
    """Hidden layers."""
    dropout: float = 0.5
    """Share of hidden nodes left out in training (D in Table 3); 0 = none."""
    residual: bool = True
    """Add the input to the output (R in Table 3)."""
    relu_residual: bool = False
    """ReLU on what is added, as in the public code."""
    softmax: Literal["keypoint", "global"] = "keypoint"
    """Softmax over the cells of each keypoint, or over all maps at once (public code)."""
    none: bool = False
    """A place of its own for keypoints that are not to be seen; see `prn.prn`."""
    rank: int | None = None
    """Maps shared by all keypoints in place of dense layers over all cells; none = dense."""

    inputs: Literal["peaks", "heatmaps"] = "peaks"
    """What it reads: impulses at the peaks (published results), or heatmap crops (paper's text)."""
    min_keypoints: int = 3
    """Fewest labelled keypoints of a person that is trained on (paper: more than 2)."""
    curriculum: float = 0.0
    """Epochs until all take part, people with many keypoints and large boxes first; 0 = off."""
    jitter: float = 0.0
    """Noise on candidates: standard deviation as a part of the box's width and height."""
    missing_peaks: float = 0.0
    """Probability that a labelled keypoint is no candidate, so that its place must be guessed."""
    false_peaks: float = 0.0
    """Probability of a false candidate of each keypoint in a box."""

    batch_size: int = 256
    """People a step, over all devices."""
    epochs: int = 16
    """Passes over the people."""
    schedule: Literal["step", "cosine"] = "step"
    """Constant rate, x0.1 after each of the epochs DROPS (step), or a cosine down to 0."""
    checkpoint_steps: int | None = 500
    """Steps between two checkpoints within an epoch; one is always written at its end."""


_DEMO = PrnRecipe(
    name="prn-demo",
    nodes=256,
    rank=32,
    none=True,
    synthetic=SyntheticFolder(train=3000, val=200, people=(2, 6), heights=(0.5, 1.0), crowding=0.5),
    jitter=0.02,
    false_peaks=0.1,
    missing_peaks=0.2,
    batch_size=64,
    epochs=10,
    learning_rate=2e-3,
    schedule="cosine",
)

PRN_RECIPES: dict[str, tuple[str, PrnRecipe]] = {
    "demo": (
        "Small network on synthetic crowds; a minute or two on two cores.",
        _DEMO,
    ),
    "demo-crowds": (
        "On the crowds of the keypoint recipe demo-crowds; third of three.",
        dataclasses.replace(
            _DEMO, name="prn-demo-crowds", synthetic=CROWDS, synthetic_side=192, eval_images=100
        ),
    ),
    "prn-1x1024-d-r": ("Table 3, 1x1024 D+R: 89.4 assignment AP.", PrnRecipe()),
    "prn-1x2048-d-r": ("Table 3, 1x2048 D+R: 83.2.", PrnRecipe(nodes=2048)),
    "prn-2x512-d": (
        "Table 3, 2x512 D: 81.9.",
        PrnRecipe(nodes=512, hidden_layers=2, residual=False),
    ),
    "prn-1x512-d": ("Table 3, 1x512 D: 84.1.", PrnRecipe(nodes=512, residual=False)),
    "prn-1x50-d": ("Table 3, 1x50 D: 78.6.", PrnRecipe(nodes=50, residual=False)),
    "prn-1x50": ("Table 3, 1x50: 76.3.", PrnRecipe(nodes=50, dropout=0.0, residual=False)),
    "prn-small": (
        "Factored, 1.98 million parameters in place of 70.2 million.",
        PrnRecipe(
            nodes=768,
            rank=64,
            none=True,
            dropout=0.2,
            jitter=0.02,
            false_peaks=0.1,
            missing_peaks=0.15,
            learning_rate=3e-3,
            schedule="cosine",
            epochs=8,
        ),
    ),
}
