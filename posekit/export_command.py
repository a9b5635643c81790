"""What the export of every kind of model has in common: names, pictures to compare on, a table."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from posekit.commands import UsageError
from posekit.images import read_image

if TYPE_CHECKING:
    import keras


def encode(image: np.ndarray, kind: str) -> bytes:
    """Encodes (H, W, 3) uint8 RGB as ".jpg" or ".png"."""
    return cv2.imencode(kind, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def encoded(path: Path) -> bytes:
    """Reads a picture as the bytes of a JPEG or PNG file; other formats become PNG.

    Raises:
        ImageError: it cannot be used.
    """
    image = read_image(path)
    data = path.read_bytes()
    return data if data.startswith((b"\xff\xd8\xff", b"\x89PNG")) else encode(image, ".png")


def check_options(name: str, verify_only: Path | None) -> None:
    """Checks the name of a model and the folder of a version.

    Raises:
        UsageError: one that cannot be used.
    """
    if verify_only and not Path(verify_only, "saved_model.pb").is_file():
        raise UsageError(
            f"--verify-only {verify_only}: expected the folder of a version, which holds "
            "saved_model.pb, such as models/people/1"
        )
    if name != Path(name).name or ":" in name or name.startswith("."):
        raise UsageError(f"--name {name}: expected a folder's name without / and :")


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference; infinite where the shapes differ, as those of another skeleton."""
    return float(np.abs(a - b).max(initial=0)) if a.shape == b.shape else np.inf


def print_size(version: Path, model: "keras.Model") -> None:
    """Prints what a version takes on disk beside the model's weights."""
    from posekit.export import bytes_of_variables, bytes_of_weights

    size, weights = bytes_of_variables(version), bytes_of_weights(model)
    print(f"{version}: {size / 1e6:.1f} MB of variables for {weights / 1e6:.1f} MB of weights")


def print_differences(
    found: Mapping[str, Mapping[str, float]], limits: Mapping[str, float], num_poses: int
) -> None:
    """Prints a table: signature -> quantity -> largest difference; warns where nobody was found."""
    print(f"largest difference from the Python path, {num_poses} people:")
    print("".join(f"{title:>17}" for title in ("", *found, "limit")))
    for name, limit in limits.items():
        values = "".join(f"{row[name]:17.2g}" for row in found.values())
        print(f"{name:>17}{values}{limit:17.2g}")
    if not num_poses:
        print(
            "warning: no person was found, so little was compared; give --images of people",
            file=sys.stderr,
        )


def within_limits(found: Mapping[str, Mapping[str, float]], limits: Mapping[str, float]) -> bool:
    """Whether no difference exceeds its limit; NaN does."""
    return all(row[name] <= limit for row in found.values() for name, limit in limits.items())
