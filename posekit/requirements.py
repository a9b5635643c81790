"""The oldest versions of what reads foreign files that have no known holes."""

import importlib.metadata
import re

FLOORS = {
    "keras": "3.15",
    "pillow": "12.3",
    "pycocotools": "2.0.5",
    **dict.fromkeys(
        (
            *("opencv-python", "opencv-python-headless"),
            *("opencv-contrib-python", "opencv-contrib-python-headless"),
        ),
        "4.8.1.78",
    ),
}
"""Package -> the first version after the last hole known of how it reads files (OpenCV 4.8.1.78:
libwebp)."""


class OutdatedPackage(ValueError):
    """A package with known holes."""

    exit_code = 2


def check_versions() -> None:
    """Compares the packages that are installed with `FLOORS`; imports none of them.

    Raises:
        OutdatedPackage: naming each, and the command that brings a better one.
    """
    found = {name: installed_version(name) for name in FLOORS}
    old = [name for name, version in found.items() if version and is_older(version, FLOORS[name])]
    if old:
        received = ", ".join(f"{name} {found[name]}" for name in old)
        wanted = " ".join(f"'{name}>={FLOORS[name]}'" for name in old)
        raise OutdatedPackage(
            f"expected packages without known holes, received {received}; "
            f"python -m pip install --upgrade {wanted}"
        )


def installed_version(name: str) -> str | None:
    """Returns the version of an installed package."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def is_older(version: str, floor: str) -> bool:
    """Compares by the numbers that versions start with; 12.3 is 12.3.0, and so is 12.3rc1."""
    numbers = [[int(n) for n in re.findall(r"\d+", plain_part(v))] for v in (version, floor)]
    length = max(map(len, numbers))
    own, least = (row + [0] * (length - len(row)) for row in numbers)
    return own < least


def plain_part(version: str) -> str:
    """Leaves out what stands behind the numbers."""
    return re.match(r"[\d.]*", version)[0]
