"""What a tracking run is made from: its video, its settings and its models, as its header says."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from posekit.skeletons import Skeleton
from tracking.run.header import TrackHeader

HEAD_BYTES = 1 << 20
"""So much of a video goes into its fingerprint."""


class Video(Protocol):
    """What `posekit.video.reading.open_video` returns."""

    path: Path
    size: tuple[int, int]
    rate: float | None
    declared_frames: int | None
    decoded_frames: int
    faults: list

    def frames(self, start: int = 0):
        """Yields each `Frame` from an index on."""


def make_header(
    video: Video, skeleton: Skeleton, settings: dict[str, Any], models: Sequence[Path] = ()
) -> TrackHeader:
    """Describes a run.

    Args:
        video: that is tracked.
        skeleton: of the people.
        settings: what decides the result, JSON values.
        models: files of the networks.

    Raises:
        OSError: a file cannot be read.
    """
    return TrackHeader(
        skeleton=skeleton,
        source=video.path.absolute().name,
        size=video.size,
        rate=video.rate,
        declared=video.declared_frames,
        settings=settings,
        models=tuple({"name": path.name, "sha256": _hash_of(path)} for path in models),
        fingerprint=_fingerprint(video.path),
    )


def _fingerprint(path: Path) -> str:
    """Names and sizes of the files, and the beginning of a video; nothing of a camera."""
    if path.is_dir():
        return _digest(sorted(p for p in path.iterdir() if p.is_file())).hexdigest()[:32]
    if not path.is_file():
        return ""
    digest = _digest([path])
    with path.open("rb") as file:
        digest.update(file.read(HEAD_BYTES))
    return digest.hexdigest()[:32]


def _digest(paths: Sequence[Path]) -> "hashlib._Hash":
    lines = (f"{path.name}\0{path.stat().st_size}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape"))


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
