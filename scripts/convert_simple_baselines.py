"""Turns a pose_resnet checkpoint of Simple Baselines into a model of this library.

    python scripts/convert_simple_baselines.py pose_resnet_50_256x192.pth.tar r50.keras
    python scripts/convert_simple_baselines.py pose_resnet_152_384x384.pth.tar r152-mpii.keras

Depth, deconvolutions and number of keypoints are told from the tensors. predict.py and eval_coco.py
take the result. Needs no torch, and runs nothing that the file may hold.
"""

import dataclasses
import re
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError, check_output, run


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What to convert."""

    checkpoint: tyro.conf.Positional[Path]
    """Torch file: a state dict, plainly or under "state_dict". Not of the "caffe-style" variant."""
    output: tyro.conf.Positional[Path]
    """.keras file to write."""
    domain: str | None = None
    """Name of the head; default: coco or mpii, by the number of keypoints."""
    size: tuple[int, int] | None = None
    """Height and width of a crop, pixels; default: HxW in the file's name, else 256 192."""
    sigma: float | None = None
    """Gaussian radius of its targets, heatmap cells; default: 2 at height 256, 3 at 384."""
    order: Literal["bgr", "rgb"] | None = None
    """Colours that it was trained on; default: bgr, as the published ones were."""


def main() -> int:
    """Reads the command line and writes the file."""
    options = tyro.cli(Conversion, description=__doc__)
    from posekit.checkpoints import save_keras  # late: --help answers at once
    from posekit.colours import BGR, RGB
    from posekit.weights.simple_baselines import load_simple_baselines, read_layout
    from posekit.weights.state_dicts import read_state

    check(options)
    check_output("output", options.output)
    try:
        state = read_state(options.checkpoint)
        layout = read_layout(state)
        model = build(layout, options)
        order = {"bgr": BGR, "rgb": RGB, None: None}[options.order]
        load_simple_baselines(model, state, order)
        save_keras(model, options.output)
    except (ValueError, OSError) as error:
        raise UsageError(f"{options.checkpoint}: {error}") from error
    height, width = crop_size(options)
    print(
        f"{options.output}: ResNet-{layout.depth}, {layout.deconvolutions} deconvolutions of "
        f"kernel {layout.kernel}, {layout.num_keypoints} keypoints, crops {height}x{width}"
    )
    return 0


def check(options: Conversion) -> None:
    """Refuses what is known to give wrong results.

    Raises:
        UsageError: naming it.
    """
    if options.output.suffix != ".keras":
        raise UsageError(f"expected an output that ends in .keras, received {options.output}")
    if "caffe" in options.checkpoint.name.lower():
        raise UsageError(
            f"{options.checkpoint}: expected a checkpoint with the stride in the 3x3 of a block, "
            "received by its name the caffe-style variant; take the pytorch-style one"
        )


def crop_size(options: Conversion) -> tuple[int, int]:
    """Height and width of a crop, pixels."""
    named = re.search(r"(\d{2,4})x(\d{2,4})", options.checkpoint.name)
    return options.size or (tuple(map(int, named.groups())) if named else (256, 192))


def build(layout, options: Conversion):
    """Builds the network of a checkpoint, with how Simple Baselines crops and reads.

    Raises:
        UsageError: a number of keypoints that no skeleton here has, or a size that does not fit.
    """
    from posekit.resnet import resnet
    from posekit.skeletons import COCO, MPII
    from topdown.settings import Crop, Reading, Settings
    from topdown.simple_baseline import simple_baseline

    skeleton = {s.num_keypoints: s for s in (COCO, MPII)}.get(layout.num_keypoints)
    size, stride = crop_size(options), 32 >> layout.deconvolutions
    if skeleton is None or min(size) < 32 or any(side % 32 for side in size):
        raise UsageError(
            "expected 17 (COCO) or 16 (MPII) keypoints and a size of multiples of 32, received "
            f"{layout.num_keypoints} keypoints, size {size}"
        )
    sigma = options.sigma or size[0] / (32 * stride)  # 2 at 64 cells, 3 at 96
    # The defaults of both are what the published evaluation used.
    settings = Settings(
        {options.domain or skeleton.name: skeleton}, size, stride, sigma, Crop(), Reading()
    )
    backbone = resnet(layout.depth, width=layout.width)
    return simple_baseline(backbone, settings, layout.deconvolutions, layout.filters, layout.kernel)


if __name__ == "__main__":
    run(main)
