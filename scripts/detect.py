"""Find the people's boxes in the images of a COCO folder, for top-down models.

python scripts/detect.py --data COCO_FOLDER --split val --output boxes.json
python scripts/detect.py --data COCO_FOLDER --model detector.keras --output boxes.json.gz
python scripts/detect.py --kind posetrack --data POSETRACK_FOLDER --output boxes.json

Without --model it is the MultiPoseNet that comes along; --model takes other joined models, as
scripts/join.py makes them, and SSDs, as scripts/train_ssd.py. Writes COCO results of category 1,
people, which merge_detections.py merges, eval_boxes.py evaluates and eval_coco.py takes as --boxes;
prints counts, and names the images that cannot be read. Exit code 0: done, 3: some images were
skipped, 2: none could be read, or wrong options.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from posekit.commands import UsageError, check_output, run


@dataclasses.dataclass(frozen=True)
class Detection:
    """Where to look, and with what."""

    data: Path
    """COCO folder holding annotations/person_keypoints_SPLIT.json and SPLIT/, or PoseTrack's."""
    kind: Literal["coco", "posetrack"] = "coco"
    """Form of the data; of posetrack all frames are searched, also those without annotation."""
    split: str = "val"
    """Split of DATA; of its annotations only the list of images is used."""
    model: Path | None = None
    """Joined MultiPoseNet or SSD, a .keras file or a finished run; none: the pretrained one."""
    output: Path = Path("boxes.json")
    """COCO results to write, .json or .json.gz."""
    minimum: float = 0.0
    """Least score of a box."""
    images: int | None = None
    """Only the first so many images."""
    batch_size: int = 4
    """Images that are read ahead; an SSD also searches so many at once, 8 at most."""
    json: bool = False
    """Print one JSON object instead of lines."""


def main() -> int:
    """Reads the command line, detects and writes; returns the exit code."""
    options = tyro.cli(Detection, description=__doc__)
    check(options)
    from posekit.detections import write_detections  # late: --help answers at once

    dataset = open_data(options)
    if options.images is not None:
        dataset = dataset.subset(np.arange(min(options.images, len(dataset))))
    from topdown.detector import detect_people  # late: wrong paths are named at once

    found, rejected = detect_people(detector(options.model).predict, dataset, options.batch_size)
    found = found.select(found.scores >= options.minimum)
    damaged = rejected.entries()
    for one in damaged:
        print(f"damaged, skipped: {one['path']}: {one['reason']}", file=sys.stderr)
    if len(damaged) == len(dataset):
        raise UsageError(f"none of {len(dataset)} images could be read, nothing was written")
    write_detections(options.output, found)
    read = len(dataset) - len(damaged)
    counts = {"images": read, "with_boxes": len(found.images), "boxes": len(found)}
    report = counts | {"skipped": len(damaged), "output": options.output.name}
    lines = (f"{name.replace('_', ' ')}: {value}" for name, value in report.items())
    print(json.dumps(report | {"damaged": damaged}) if options.json else "\n".join(lines))
    return 3 if damaged else 0


def open_data(options: Detection):
    """Returns the images and their ids."""
    if options.kind == "posetrack":
        from posekit.datasets.posetrack import load_posetrack

        return load_posetrack(options.data, options.split, unlabelled=True)
    from posekit.datasets.coco import load_coco

    return load_coco(options.data, options.split)


def check(options: Detection) -> None:
    """Refuses options out of their range."""
    for name, value in (("images", options.images), ("batch-size", options.batch_size)):
        if value is not None and value < 1:
            raise UsageError(f"--{name}: expected at least 1, received {value}")
    check_output("--output", options.output)


def detector(path: Path | None):
    """Returns a detector of people's boxes, with the `path` of its file."""
    from posekit.model_files import kind_of_model, model_file

    path = path and model_file(path, "multiposenet", "ssd")  # before TensorFlow
    if path and kind_of_model(path) == "ssd":
        from topdown.detector import PersonDetector
    else:
        from multiposenet.detector import PersonDetector
    return PersonDetector(path)


if __name__ == "__main__":
    run(main)
