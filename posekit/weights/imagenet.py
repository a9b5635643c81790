"""Fetches the ImageNet weights that torchvision publishes."""

import os
from pathlib import Path

from posekit.downloads import Download, fetch

HOST = "https://download.pytorch.org/models/"
FILES = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "resnet152": "resnet152-394f9c45.pth",
    "mobilenet_v2": "mobilenet_v2-b0353104.pth",
    "vgg16": "vgg16-397923af.pth",
}
"""Backbone -> file; the last eight letters of the name begin its sha256."""
SIZE_LIMIT = 640 * 2**20


def fetch_imagenet(name: str, folder: Path | None = None, **how) -> Path:
    """Returns the file of a backbone's ImageNet weights, downloading it where it is not at hand.

    The sha256 of a file that is there is compared too: a damaged one is fetched again. A file
    appears under its name whole and right, or not at all.

    Args:
        name: key of `FILES`.
        folder: kept here; $XDG_CACHE_HOME/posekit, or ~/.cache/posekit, when None.
        how: fields of `downloads.Download`: timeout, attempts, wait, local_http.

    Raises:
        OSError: the file cannot be reached, is cut, too large, or not the published one.
        ValueError: there is no such file.
    """
    if name not in FILES:
        raise ValueError(
            f"expected one of {sorted(FILES)}, received {name!r}; give a weights file by its path, "
            "or start from random weights"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = (folder or cache / "posekit") / FILES[name]
    # A training that starts without network should say so soon.
    how = {"attempts": 3, "wait": 0.5} | how
    fetch(Download(HOST + path.name, SIZE_LIMIT, published_digits(path.name), **how), path)
    return path


def published_digits(name: str) -> str:
    """The first digits of the sha256, which torchvision puts at the end of a file's name."""
    return Path(name).stem.rpartition("-")[2]
