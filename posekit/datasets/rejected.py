"""The damaged images of data sets: counted, reported, limited."""

import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from posekit.atomic_files import write_file
from posekit.images import ImageError


class TooManyBadImages(ValueError):
    """More images are damaged than the recipe allows."""

    exit_code = 3


class RejectedImages:
    """Collects what could not be read; safe to use from several threads.

    Args:
        num_images: of which they are some.
        folders: of the pictures; entries are named by their paths from there.
    """

    def __init__(self, num_images: int, folders: Sequence[Path] = ()):
        self.num_images = num_images
        self._folders = tuple(folders)
        self._entries: dict[str, dict] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, *datasets) -> "RejectedImages":
        """Makes an empty one for the images of data sets, each with `image_folder` and a length."""
        return cls(sum(map(len, datasets)), [dataset.image_folder for dataset in datasets])

    def add(self, error: ImageError) -> None:
        """Notes a damaged image."""
        path = Path(error.path or "")
        new = {"path": self._name(path), "reason": error.reason, "count": 0}
        with self._lock:
            # By the whole path: PoseTrack's sequences all have a 000001.jpg.
            entry = self._entries.setdefault(str(path), new)
            entry["count"] += 1

    def entries(self) -> list[dict]:
        """Returns {"path": from the folder of pictures, "reason", "count"} of each, by path."""
        with self._lock:
            return [dict(entry) for _, entry in sorted(self._entries.items())]

    def report(self, path: Path, limit: float, read: int | None = None) -> None:
        """Writes a JSON Lines file, one entry a line, where there are any.

        An earlier file stays where there are none: after a resume not all images were read.

        Args:
            path: of the file.
            limit: greatest share of damaged images.
            read: how many images were read; None or more than there are: all.

        Raises:
            TooManyBadImages: they are more than `limit` of those that were read.
        """
        entries = self.entries()
        if not entries:
            return
        write_rejected(path, entries)
        count = min(read or self.num_images, self.num_images)
        found = f"{len(entries)} of {count} images are damaged, listed in {path}"
        if len(entries) > limit * count:
            raise TooManyBadImages(f"{found}; expected at most {limit:.1%}, see --bad-images")
        print(found, file=sys.stderr)

    def _name(self, path: Path) -> str:
        """Without the folders above, which are another matter on each machine."""
        folder = next((folder for folder in self._folders if path.is_relative_to(folder)), None)
        return path.relative_to(folder).as_posix() if folder else path.name


def write_rejected(path: Path, entries: Sequence[dict]) -> None:
    """Writes `RejectedImages.entries` as JSON Lines.

    Raises:
        OSError: as `atomic_files.write_file`.
    """
    write_file(path, "".join(json.dumps(entry) + "\n" for entry in entries))
