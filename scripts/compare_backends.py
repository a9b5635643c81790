"""Run one .keras file under TensorFlow, JAX and PyTorch and compare the outputs.

python scripts/compare_backends.py best.keras photo.jpg
python scripts/compare_backends.py best.keras photo.jpg --jax-python ENV/bin/python

Prints max |diff| of every output from that of TensorFlow. A backend that is not installed is
skipped and the command that installs it is printed. Exit code 1 where an output differs by more
than --tolerance or is NaN, 2 where the network cannot be run, 3 where a backend was skipped.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from posekit.commands import run


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What to run, and the interpreters that hold each backend."""

    model: Annotated[Path, tyro.conf.Positional]
    """.keras file of a network that takes images and returns named outputs."""
    image: Annotated[Path, tyro.conf.Positional]
    """Picture; fitted into the input, its shape kept."""
    size: tuple[int, int] = (480, 480)
    """Height and width of the input, pixels; multiples of 32 for a pyramid network."""
    tolerance: float = 1e-4
    """Largest max |diff| that counts as equal."""
    tensorflow_python: str = sys.executable
    """Interpreter of an environment with keras and tensorflow."""
    jax_python: str = sys.executable
    """Interpreter of an environment with keras and jax."""
    torch_python: str = sys.executable
    """Interpreter of an environment with keras and torch."""


def main() -> int:
    """Reads the command line, runs and prints; returns the exit code."""
    options = tyro.cli(Comparison, description=__doc__)
    from posekit.affine import warp  # late: --help answers at once
    from posekit.backends import MissingBackend, run_under
    from posekit.crops import fit_transform
    from posekit.images import read_image

    image = read_image(options.image)
    image = warp(image, fit_transform(image.shape[:2], options.size), options.size)
    outputs = {}
    for backend in ("tensorflow", "jax", "torch"):
        python = getattr(options, f"{backend}_python")
        try:
            outputs[backend] = run_under(backend, options.model, image, python)
        except MissingBackend as error:
            print(f"skipped: {error}", file=sys.stderr)
    differences = compare(outputs)
    if not all(difference <= options.tolerance for difference in differences):  # NaN differs
        print(f"differs by more than {options.tolerance:g}", file=sys.stderr)
        return 1
    return 0 if len(outputs) == 3 else 3


def compare(outputs: dict[str, dict[str, np.ndarray]]) -> list[float]:
    """Prints a line per output and backend; returns max |diff| from the first backend."""
    first = next(iter(outputs), None)
    differences = []
    for backend in list(outputs)[1:]:
        for name, expected in outputs[first].items():
            differences.append(float(np.abs(outputs[backend][name] - expected).max()))
            facts = f"shape {expected.shape}, max |value| {np.abs(expected).max():.4g}"
            print(
                f"{backend:6s} {name:12s} max |diff| {differences[-1]:.2e} from {first} ({facts})"
            )
    return differences


if __name__ == "__main__":
    run(main)
