"""Fetch a data set or public weights; each file is compared with its sha256 and then unpacked.

python scripts/download.py coco-val2017 --output data/coco       annotations and val2017, 1.1 GB
python scripts/download.py coco --output data/coco               train2017 as well, 20 GB
python scripts/download.py mpii-images --output data/mpii --trust-first
python scripts/download.py resnet50 --output weights             for --backbone-weights

A transfer that was cut continues where it stopped, also when the command is run again. A file is
there whole and right or not at all. Only https is asked. downloads.json in --output records what
was fetched. Where nobody publishes a sha256 (MPII), state one with --sha256, or --trust-first takes
what comes and refuses another file later. Simple Baselines' checkpoints are on shared drives
without lasting addresses: fetch them by hand, then scripts/convert_simple_baselines.py. PoseTrack
needs a registration. Exit code 0: done, 1: out of reach, cut or of another sha256, 2: wrong
options or a hostile archive.
"""

import dataclasses
import sys
import time
from pathlib import Path

import tyro

from posekit.commands import UsageError, run


@dataclasses.dataclass(frozen=True)
class Fetching:
    """What to fetch, and where to."""

    names: tyro.conf.Positional[tuple[str, ...]]
    """coco, coco-train2017, coco-val2017, coco-annotations2017, mpii-images, mpii-annotations, or a
    backbone: resnet18 to resnet152, mobilenet_v2, vgg16."""
    output: Path = Path("data")
    """Folder to write into."""
    sha256: str = ""
    """64 hex digits that the one file must have whose hash nobody publishes."""
    trust_first: bool = False
    """Take a file whose hash nobody publishes, and record its hash."""
    remove_archives: bool = False
    """Remove archives once they are unpacked."""


def main() -> int:
    """Reads the command line and fetches."""
    options = tyro.cli(Fetching, description=__doc__)
    from posekit.published_files import COLLECTIONS  # late: --help answers at once
    from posekit.recorded_downloads import Trust, fetch_published

    unknown = [name for name in options.names if name not in COLLECTIONS]
    if unknown or not options.names:
        received = ", ".join(unknown) or "nothing"
        raise UsageError(f"expected names of {', '.join(COLLECTIONS)}; received {received}")
    files = {file.name: file for name in options.names for file in COLLECTIONS[name]}
    trust = Trust(options.sha256, options.trust_first)
    if trust.sha256 and len(files) > 1:
        raise UsageError(f"--sha256: expected it beside one file, received {len(files)} files")
    for file in files.values():
        print(f"{file.name} from {file.url}", file=sys.stderr)
        keep = not options.remove_archives
        fetch_published(file, options.output, trust, Progress(), keep)
        print(options.output / file.name)
    return 0


class Progress:
    """Writes a line to stderr every few seconds."""

    def __init__(self, every: float = 5.0):
        self.every, self.next = every, time.monotonic() + every

    def __call__(self, size: int, total: int | None) -> None:
        """Is told how many bytes are there, and how many there will be."""
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + self.every
        share = f" of {total / 1e6:.0f} MB, {100 * size // total} %" if total else ""
        print(f"{size / 1e6:.0f} MB{share}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
