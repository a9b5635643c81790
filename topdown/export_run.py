"""What scripts/export.py does with a top-down network: write it, check it, say what came out."""

from collections.abc import Sequence
from pathlib import Path

from posekit.commands import UsageError
from posekit.export import DESCRIPTION
from posekit.export_command import (
    check_options,
    encoded,
    print_differences,
    print_size,
    within_limits,
)
from posekit.strict_json import read_json
from topdown.export import export
from topdown.export_check import LIMITS, cases_of, compare, drawn_files
from topdown.prediction import load_topdown


def export_and_check(
    model: Path,
    output: Path = Path("models"),
    name: str | None = None,
    version: int | None = None,
    verify: bool = False,
    verify_only: Path | None = None,
    images: Sequence[Path] = (),
    flip: bool = False,
    domain: str | None = None,
) -> int:
    """Writes a SavedModel, or takes one, and compares it with the Python path where asked.

    Args:
        model: .keras file of a top-down network.
        output: folder of all models.
        name: of the model; None: that of its file.
        version: to write; None: the next.
        verify: whether to compare what was written.
        verify_only: version folder to compare; nothing is written.
        images: pictures to compare on, with boxes that parts of them are; drawn ones where there
            are none.
        flip: reads mirrored crops as well; with `verify_only`, what the version says counts.
        domain: head that is read; None: the first; likewise.

    Returns:
        0, or 1 where a difference exceeds its limit.

    Raises:
        UsageError: options that do not fit, a version that is there already.
        ModelError: the model file cannot be used.
        ImageError: a picture cannot be used.
    """
    name = name or model.stem
    check_options(name, verify_only)
    files = [encoded(image) for image in images]
    network = load_topdown(model)
    if verify_only:
        flip, domain = exported_options(verify_only)
    written = verify_only or export(network, output, name, version, flip, domain)
    print_size(written, network)
    if not (verify or verify_only):
        return 0
    cases = cases_of(files or drawn_files())
    found, num_poses = compare(written, network, cases, flip, domain)
    print_differences(found, LIMITS, num_poses)
    return 0 if within_limits(found, LIMITS) else 1


def exported_options(version: Path | str) -> tuple[bool, str]:
    """Returns whether a version reads mirrored crops, and which head it reads.

    Raises:
        UsageError: it is no version of a top-down network.
    """
    path = Path(version, DESCRIPTION)
    try:
        settings = read_json(path)["settings"]
        return bool(settings["flip"]), settings["domain"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--verify-only {version}: expected a top-down network, received: {error!r}"
        ) from error
