"""Write docs/RESULTS.md, the ledger of reproduction: each row of each table of the papers.

python scripts/results.py            writes it
python scripts/results.py --check    exits with 1 when it is not what would be written
"""

import dataclasses
import sys
from pathlib import Path

import tyro

from multiposenet.ledger_rows import PAPERS as MULTIPOSENET
from posekit.atomic_files import write_file
from posekit.commands import run
from posekit.ledger import render
from topdown.ledger_rows import PAPERS as TOPDOWN
from tracking.ledger_rows import PAPERS as TRACKING


@dataclasses.dataclass(frozen=True)
class Results:
    """Where the ledger is."""

    output: Path = Path(__file__).parents[1] / "docs" / "RESULTS.md"
    """Markdown to write."""
    check: bool = False
    """Only compare."""


def main() -> int:
    """Reads the command line, writes or compares; returns the exit code."""
    options = tyro.cli(Results, description=__doc__)
    text = render((*MULTIPOSENET, *TOPDOWN, *TRACKING))
    if not options.check:
        write_file(options.output, text)
        return 0
    if options.output.is_file() and options.output.read_text("utf-8") == text:
        return 0
    print(f"{options.output} is not up to date; run python scripts/results.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    run(main)
