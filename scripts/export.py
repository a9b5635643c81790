"""Write a model as a SavedModel for TensorFlow Serving, and check it.

python scripts/export.py                                    the joined model in pretrained/
python scripts/export.py MODEL.keras --name people --verify      writes models/people/1, then checks
python scripts/export.py MODEL.keras --verify-only models/people/1 --images PHOTO.jpg PHOTO.png
python scripts/export.py TOP_DOWN.keras --flip --verify
Signatures of a joined model: serving_default takes "image" (B, H, W, 3) uint8 RGB, from_jpeg takes
"image_bytes", a batch of encoded JPEG or PNG files. Of a top-down network: serving_default takes
"crops" (N, height, width, 3), from_boxes "image" (H, W, 3), "boxes" (N, 4) xyxy and "box_scores"
(N,), from_jpeg_boxes "image_bytes", one file, in place of the image. The check reloads the
SavedModel in a fresh process and compares them with the Python path. Exit code 1 where they differ,
2 for wrong input.
"""

import dataclasses
import os
from pathlib import Path

import tyro

from posekit.commands import UsageError, run


@dataclasses.dataclass(frozen=True)
class Export:
    """What to write, and where."""

    model: tyro.conf.Positional[Path | None] = None
    """Joined model or top-down network, a .keras file; none: the joined model in pretrained/."""
    output: Path = Path("models")
    """Folder of all models; OUTPUT/NAME/VERSION is written."""
    name: str | None = None
    """Name that the server knows; that of the model file when not given."""
    version: int | None = None
    """Version to write; the one after the highest when not given. Never overwritten."""
    verify: bool = False
    """Reload what was written in a fresh process and compare it with the Python path."""
    verify_only: Path | None = None
    """Version folder to compare with MODEL; nothing is written."""
    images: tuple[Path, ...] = ()
    """Pictures to compare on; drawn people when not given."""
    flip: bool = False
    """Of a top-down network: read mirrored crops as well; twice the time, better."""
    domain: str | None = None
    """Of a top-down network: head that is read; the first when not given."""


def main() -> int:
    """Reads the command line, writes and checks; returns the exit code."""
    options = tyro.cli(Export, description=__doc__)
    # A server's graph is made and compared on the CPU: GPUs round products to 10 bits.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    from posekit.model_files import kind_of_model

    kind = kind_of_model(options.model) if options.model else "multiposenet"
    fields = dataclasses.asdict(options)
    if kind == "topdown":
        from topdown.export_run import export_and_check  # late: --help answers at once

        return export_and_check(**fields)
    if kind == "ssd":
        raise UsageError(
            f"{options.model}: expected a joined model or a top-down network, received a person "
            "detector"
        )
    if any([fields.pop("flip"), fields.pop("domain")]):
        raise UsageError("--flip, --domain: expected a top-down network")
    from multiposenet.export_run import export_and_check

    return export_and_check(**fields)


if __name__ == "__main__":
    run(main)
