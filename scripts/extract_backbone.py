"""Write the backbone of a trained model as first weights for other trainings.

python scripts/extract_backbone.py pretrained/multiposenet-mobilenetv2.keras backbone.npz
python scripts/train_topdown.py small --backbone-weights backbone.npz --data COCO_FOLDER
"""

import dataclasses
from pathlib import Path

import tyro

from posekit.commands import UsageError, check_output, run


@dataclasses.dataclass(frozen=True)
class Extraction:
    """What to read and to write."""

    model: tyro.conf.Positional[Path]
    """.keras file of MultiPoseNet, or of a top-down network."""
    output: tyro.conf.Positional[Path]
    """.npz file to write, in torchvision's layout, with the colours that the weights expect."""


def main() -> int:
    """Reads the command line and writes the file."""
    options = tyro.cli(Extraction, description=__doc__)
    check_output("output", options.output)
    import multiposenet.model  # noqa: F401  load_model needs the layers
    import topdown.settings  # noqa: F401
    from multiposenet.detection_subnet import backbone_of
    from posekit.model_loading import load_model
    from posekit.weights.torchvision import save_torchvision

    try:
        backbone = backbone_of(load_model(options.model))
        save_torchvision(backbone, options.output)
    except (ValueError, OSError) as error:
        raise UsageError(f"{options.model}: {error}") from error
    print(f"{options.output}: backbone {backbone.name} of {options.model.name}")
    return 0


if __name__ == "__main__":
    run(main)
