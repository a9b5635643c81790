"""Write a trained top-down network or SSD with its kernels in half precision: half the size.

python scripts/save_half.py runs/topdown-small/best.keras pretrained/topdown-mobilenetv2.keras
"""

import dataclasses
from pathlib import Path

import tyro

from posekit.commands import UsageError, check_output, run


@dataclasses.dataclass(frozen=True)
class Halving:
    """What to read and to write."""

    model: tyro.conf.Positional[Path]
    """.keras file of train_topdown.py or train_ssd.py; joined models have join.py --half."""
    output: tyro.conf.Positional[Path]
    """.keras file to write; it loads like the other."""


def main() -> int:
    """Reads the command line and writes the file."""
    options = tyro.cli(Halving, description=__doc__)
    check_output("output", options.output)
    from posekit.model_files import kind_of_model

    kind = kind_of_model(options.model)
    if kind not in ("topdown", "ssd"):
        raise UsageError(f"{options.model}: expected a top-down network or an SSD, received {kind}")
    import topdown.settings  # noqa: F401  load_model needs the layers
    import topdown.ssd_settings  # noqa: F401
    from posekit.half_precision import save_half
    from posekit.model_loading import load_model

    save_half(load_model(options.model), options.output)
    size = [path.stat().st_size / 1e6 for path in (options.model, options.output)]
    print(f"{options.output}: {size[1]:.1f} MB instead of {size[0]:.1f}")
    return 0


if __name__ == "__main__":
    run(main)
