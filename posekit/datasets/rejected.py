"""The damaged images of a split: counted, reported, limited."""

import json
import sys
import threading
from pathlib import Path

from posekit.atomic_files import write_file
from posekit.images import ImageError


class TooManyBadImages(ValueError):
    """More images are damaged than the recipe allows."""

    exit_code = 3


class RejectedImages:
    """Collects what could not be read; safe to use from several threads.

    Args:
        split: name of the split, for the report.
        num_images: of the split.
    """

    def __init__(self, split: str, num_images: int):
        self.split = split
        self.num_images = num_images
        self._entries: dict[str, dict] = {}
        self._lock = threading.Lock()

    def add(self, error: ImageError) -> None:
        """Notes a damaged image."""
        name = Path(error.path or "").name
        with self._lock:
            entry = self._entries.setdefault(
                name, {"path": name, "reason": error.reason, "count": 0}
            )
            entry["count"] += 1

    def entries(self) -> list[dict]:
        """Returns {"path": file name, "reason", "count"} of each, by name."""
        with self._lock:
            return [dict(entry) for _, entry in sorted(self._entries.items())]

    def report(self, run_dir: Path, limit: float) -> None:
        """Writes rejected-SPLIT.jsonl, one entry a line, where there are any.

        Raises:
            TooManyBadImages: they are more than `limit`, a share of all images of the split.
        """
        entries = self.entries()
        if not entries:
            return
        path = run_dir / f"rejected-{self.split}.jsonl"
        write_file(path, "".join(json.dumps(entry) + "\n" for entry in entries))
        found = f"{len(entries)} of {self.num_images} images are damaged, listed in {path}"
        if len(entries) > limit * self.num_images:
            raise TooManyBadImages(f"{found}; expected at most {limit:.1%}, see --bad-images")
        print(found, file=sys.stderr)
