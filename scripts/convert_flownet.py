"""Turns a FlowNet2-S checkpoint of PyTorch into a model of this library.

    python scripts/convert_flownet.py FlowNet2-S_checkpoint.pth.tar flownet_s.keras

compute_flow.py takes the result. Needs no torch, and runs nothing that the file may hold.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError, check_output, run


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What to convert."""

    checkpoint: tyro.conf.Positional[Path]
    """Torch file or .npz: a state dict, plainly or under "state_dict"."""
    output: tyro.conf.Positional[Path]
    """.keras file to write."""
    order: Literal["bgr", "rgb"] | None = None
    """Colours that it was trained on; default: what the file says, else rgb."""


def main() -> int:
    """Reads the command line and writes the file."""
    options = tyro.cli(Conversion, description=__doc__)
    if options.output.suffix != ".keras":
        raise UsageError(f"expected an output that ends in .keras, received {options.output}")
    check_output("OUTPUT", options.output)
    from posekit.checkpoints import save_keras  # late: --help answers at once
    from posekit.colours import BGR, RGB
    from posekit.weights.flownet import load_flownet, width_of
    from posekit.weights.state_dicts import read_state
    from tracking.flownet import flownet_s

    try:
        state = read_state(options.checkpoint)
        model = flownet_s(width_of(state))
        load_flownet(model, state, {"bgr": BGR, "rgb": RGB, None: None}[options.order])
    except (ValueError, OSError) as error:
        raise UsageError(f"{options.checkpoint}: {error}") from error
    save_keras(model, options.output)
    print(f"{options.output}: FlowNet2-S, {model.count_params():,} parameters")
    return 0


if __name__ == "__main__":
    run(main)
