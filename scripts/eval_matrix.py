r"""Evaluate pose networks on test sets in the boxes of several detectors: a table of all pairs.

python scripts/eval_matrix.py --networks hg-mpii=runs/hourglass-mpii/best.keras \
    --boxes gt ssd-coco=runs/ssd300-coco/best.keras --tests posetrack:POSETRACK_FOLDER:val
Figures are COCO keypoint AP (OKS) in percent, with the person AP of the boxes behind them. --json
prints all ten numbers of every cell, and how its network was read. SCUT-Samsung's Tables 8 to 14
are such tables; MDPN's Table 2 is one network with several readings. Exit code 0: done, 3: more
than --bad-images of a test set's images were damaged, 2: files or options that cannot be used.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Literal

import tyro

from posekit.commands import UsageError, run
from posekit.metrics.evaluation_options import check_limit
from posekit.metrics.evaluation_report import damaged_text, exit_code_of


@dataclasses.dataclass(frozen=True)
class Matrix:
    """What to evaluate."""

    networks: tuple[str, ...]
    """Top-down networks, NAME=FILE.keras."""
    tests: tuple[str, ...]
    """Test sets, [NAME=]KIND:PATH[:SPLIT] as for train_topdown.py; SPLIT is val if not given."""
    boxes: tuple[str, ...] = ("gt",)
    """gt, the ground truth's; or NAME=FILE, an SSD (.keras) or a results file of boxes (.json)."""
    images: int | None = None
    """Only the first so many images of each test set."""
    bad_images: float = 0.01
    """Greatest share of damaged images of a test set; with more the exit code is 3."""
    flip: bool = False
    """Average each crop with its mirror: slower, better."""
    domains: tuple[str, ...] = ()
    """Heads to read, in order; not given: all of each network."""
    combination: Literal["first", "vote"] = "first"
    """Networks of several heads: each keypoint from the first that has it, or the mean of all."""
    head: Literal["none", "interpolate"] = "none"
    """interpolate makes neck and head_top of shoulders and nose where no head has them."""
    offset: Literal["none", "sign", "second_peak"] | None = None
    """Quarter offset; not given, as all below: as each network says."""
    blur_sigma: float | None = None
    """Gaussian filter before the highest cell is sought, cells; 0: none."""
    box_threshold: float | None = None
    """People in boxes of lower scores are left out."""
    keypoint_threshold: float | None = None
    """A person's score counts keypoints above this."""
    oks_threshold: float | None = None
    """OKS-NMS, greatest OKS with a better pose."""
    json: bool = False
    """Print one JSON list of cells instead of the table."""


def main() -> int:
    """Reads the command line, evaluates, prints."""
    options = tyro.cli(Matrix, description=__doc__)
    reading = reading_of(options)
    check_limit(options.bad_images)
    networks = named_files(options.networks, "networks")
    named = [word for word in options.boxes if word != "gt"]
    files = named_files(named, "boxes")
    boxes = ({"gt": None} if "gt" in options.boxes else {}) | files
    from posekit.datasets.named import open_dataset, parse_word
    from topdown import matrix  # late: --help answers at once

    tests = {parse_word(word).name: open_dataset(word, "val") for word in options.tests}
    if len(tests) < len(options.tests):
        raise UsageError(f"--tests: expected each name once, received {options.tests}; put NAME=")
    if options.images is not None:
        tests = {n: d.subset(range(min(options.images, len(d)))) for n, d in tests.items()}
    cells, code = [], 0
    how = options.flip, options.domains, options.combination, options.head, reading
    for cell in matrix.evaluate_matrix(networks, boxes, tests, matrix.Protocol(*how)):
        cells.append(cell)
        print(f"{cell.network}, {cell.boxes}, {cell.test}: done", file=sys.stderr)
        for warning in damaged_text(cell.damaged):
            print(f"warning: {warning}", file=sys.stderr)
        code = max(code, exit_code_of(cell.damaged, cell.images, options.bad_images))
    as_json = list(map(dataclasses.asdict, cells))
    print(json.dumps(as_json, allow_nan=False) if options.json else matrix.to_text(cells))
    return code


def reading_of(options: Matrix) -> dict[str, float | str | None]:
    """Returns what is not to be as the networks say, by the names of `settings.Reading`.

    Raises:
        UsageError: a number out of its range.
    """
    thresholds = ("box_threshold", "keypoint_threshold", "oks_threshold")
    given = {name: getattr(options, name) for name in ("offset", "blur_sigma", *thresholds)}
    given = {name: value for name, value in given.items() if value is not None}
    for name, (low, high) in {"blur_sigma": (0, 99), **dict.fromkeys(thresholds, (-1, 1))}.items():
        if name in given and not low <= given[name] <= high:
            raise UsageError(
                f"--{name.replace('_', '-')}: expected {low} to {high}, received {given[name]}"
            )
    return given | ({"blur_sigma": given["blur_sigma"] or None} if "blur_sigma" in given else {})


def named_files(words: tuple[str, ...] | list[str], option: str) -> dict[str, Path]:
    """Takes NAME=FILE words apart.

    Raises:
        UsageError: another form, a name twice, or no such file.
    """
    files = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not (name and equals and path) or name in files:
            raise UsageError(f"--{option}: expected NAME=FILE, each name once, received {word!r}")
        files[name] = Path(path)
        if not files[name].exists():
            raise UsageError(f"--{option}: expected a file, {path} is missing")
    return files


if __name__ == "__main__":
    run(main)
