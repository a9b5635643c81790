"""What scripts/export.py does: read a model, write it, check it, say what came out."""

import sys
from collections.abc import Sequence
from pathlib import Path

import keras

from multiposenet.export import encode, export
from multiposenet.export_check import LIMITS, compare, drawn_files, within_limits
from multiposenet.model import PRETRAINED, load_multiposenet
from posekit.commands import UsageError
from posekit.export import bytes_of_variables, bytes_of_weights
from posekit.images import read_image


def export_and_check(
    model: Path | None = None,
    output: Path = Path("models"),
    name: str | None = None,
    version: int | None = None,
    verify: bool = False,
    verify_only: Path | None = None,
    images: Sequence[Path] = (),
) -> int:
    """Writes a SavedModel, or takes one, and compares it with the Python path where asked.

    Args:
        model: .keras file of a joined model; None: the one in pretrained/.
        output: folder of all models.
        name: of the model; None: that of its file.
        version: to write; None: the next.
        verify: whether to compare what was written.
        verify_only: version folder to compare; nothing is written.
        images: pictures to compare on; drawn ones where there are none.

    Returns:
        0, or 1 where a difference exceeds its limit.

    Raises:
        UsageError: options that do not fit, a version that is there already.
        ModelError: the model file cannot be used.
        ImageError: a picture cannot be used.
    """
    path = model or PRETRAINED
    name = name or path.stem
    if verify_only and not Path(verify_only, "saved_model.pb").is_file():
        raise UsageError(
            f"--verify-only {verify_only}: expected the folder of a version, which holds "
            "saved_model.pb, such as models/people/1"
        )
    if name != Path(name).name or ":" in name or name.startswith("."):
        raise UsageError(f"--name {name}: expected a folder's name without / and :")
    files = [_encoded(image) for image in images]
    joined = load_multiposenet(path)
    written = verify_only or export(joined, output, name, version)
    _print_size(written, joined)
    if not (verify or verify_only):
        return 0
    found, num_poses = compare(written, joined, files or drawn_files())
    _print_differences(found, num_poses)
    return 0 if within_limits(found) else 1


def _encoded(path: Path) -> bytes:
    """Reads a picture as the bytes of a JPEG or PNG file; other formats become PNG."""
    image = read_image(path)
    data = path.read_bytes()
    return data if data.startswith((b"\xff\xd8\xff", b"\x89PNG")) else encode(image, ".png")


def _print_size(version: Path, model: keras.Model) -> None:
    size, weights = bytes_of_variables(version), bytes_of_weights(model)
    print(f"{version}: {size / 1e6:.1f} MB of variables for {weights / 1e6:.1f} MB of weights")


def _print_differences(found: dict[str, dict[str, float]], num_poses: int) -> None:
    print(f"largest difference from the Python path, {num_poses} people:")
    print("".join(f"{title:>17}" for title in ("", *found, "limit")))
    for name, limit in LIMITS.items():
        values = "".join(f"{row[name]:17.2g}" for row in found.values())
        print(f"{name:>17}{values}{limit:17.2g}")
    if not num_poses:
        print(
            "warning: no person was found, so only masks were compared; give --images of people",
            file=sys.stderr,
        )
