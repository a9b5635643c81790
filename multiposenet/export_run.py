"""What scripts/export.py does: read a model, write it, check it, say what came out."""

from collections.abc import Sequence
from pathlib import Path

from multiposenet.export import export
from multiposenet.export_check import LIMITS, compare, drawn_files
from multiposenet.model import PRETRAINED, load_multiposenet
from posekit.export_command import (
    check_options,
    encoded,
    print_differences,
    print_size,
    within_limits,
)


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
    check_options(name, verify_only)
    files = [encoded(image) for image in images]
    joined = load_multiposenet(path)
    written = verify_only or export(joined, output, name, version)
    print_size(written, joined)
    if not (verify or verify_only):
        return 0
    found, num_poses = compare(written, joined, files or drawn_files())
    print_differences(found, LIMITS, num_poses)
    return 0 if within_limits(found, LIMITS) else 1
