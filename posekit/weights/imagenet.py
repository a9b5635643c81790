"""Fetches the ImageNet weights that torchvision publishes."""

import hashlib
import http.client
import os
import tempfile
import urllib.request
from pathlib import Path

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


def fetch_imagenet(name: str, folder: Path | None = None, timeout: float = 20.0) -> Path:
    """Returns the file of a backbone's ImageNet weights, downloading it where it is not at hand.

    The sha256 of a file that is there is compared too: a damaged one is fetched again. A file
    appears under its name whole and right, or not at all.

    Args:
        name: key of `FILES`.
        folder: kept here; $XDG_CACHE_HOME/posekit, or ~/.cache/posekit, when None.
        timeout: seconds without an answer.

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
    if path.is_file() and _is_published(path.name, _digest(path)):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            digest = _download(HOST + path.name, file, timeout)
            if not _is_published(path.name, digest):
                raise OSError(f"{path.name}: expected the sha256 in its name, received {digest}")
            os.fsync(file.fileno())
            os.replace(file.name, path)
        finally:
            Path(file.name).unlink(missing_ok=True)
    return path


def _is_published(name: str, digest: str) -> bool:
    return digest.startswith(Path(name).stem.rpartition("-")[2])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, file, timeout: float) -> str:
    """Copies the address into the open file; returns its sha256."""
    digest, size = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            stated = answer.length  # counts down; None where the server does not say
            while block := answer.read(1 << 20):
                size += len(block)
                if size > SIZE_LIMIT:
                    raise OSError(f"{url} is larger than {SIZE_LIMIT} bytes; not what is expected")
                digest.update(block)
                file.write(block)
    except http.client.HTTPException as error:  # which is no OSError
        raise OSError(f"{url}: {type(error).__name__}: {error}") from error
    if stated is not None and size < stated:
        raise OSError(f"{url}: the transfer was cut after {size} of {stated} bytes")
    file.flush()
    return digest.hexdigest()
