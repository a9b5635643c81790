"""Every loader of annotations and results: a good file of its form, and how it is read and used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from annotation_files import (
    coco_results,
    good_truth,
    mpii_complete,
    mpii_usual,
    peaks,
    posetrack17,
    posetrack18,
    track_lines,
    write_coco,
)

from multiposenet.peak_files import PeakFileError, read_peaks
from multiposenet.prn_people import AnnotationError, load_people, prior_maps
from posekit.datasets.coco import DatasetError, load_coco
from posekit.datasets.mpii import load_mpii
from posekit.datasets.posetrack import load_posetrack
from posekit.datasets.posetrack_files import read_sequence
from posekit.datasets.posetrack_results import read_results as read_posetrack_results
from posekit.detections import DetectionsError, read_detections
from posekit.metrics.coco import EvaluationError
from posekit.metrics.coco_files import evaluate_files
from posekit.metrics.posetrack_files import evaluate_posetrack_files
from posekit.poses import from_coco_results, read_coco_results
from posekit.skeletons import COCO
from tracking.run.lines import TrackFileError, read_tracks

_DRAWN = 1 << 20


class Form(NamedTuple):
    """A kind of file.

    Args:
        content: makes a good one; None: a file of tracks.
        beside: makes what is evaluated with it.
        use: (its path, the folder) -> reads it and uses what it read.
        ours: what that may raise.
    """

    content: Callable[[], Any] | None
    beside: Callable[[], Any] | None
    use: Callable[[Path, Path], None]
    ours: type | tuple[type, ...]


def use_dataset(dataset):
    for i in range(len(dataset)):
        dataset.annotations(i)
        if 0 < np.prod(dataset.size(i), dtype=np.int64) < _DRAWN:
            dataset.masks(i)


def coco(path, folder):
    use_dataset(load_coco(folder, "val"))


def people(path, folder):
    prior_maps(load_people(path))


def mpii(path, folder):
    use_dataset(load_mpii(path, None, headers=False))


def posetrack(path, folder):
    use_dataset(load_posetrack(folder, "val", headers=False))


def posetrack_truth(path, folder):
    evaluate_posetrack_files(path, folder / "good.json", estimate_heads=True)


def posetrack_results(path, folder):
    read_posetrack_results(path)
    read_sequence(path, strict=True)
    evaluate_posetrack_files(folder / "good.json", path, estimate_heads=True)


def coco_truth_file(path, folder):
    evaluate_files(path, folder / "good.json")


def coco_results_file(path, folder):
    evaluate_files(folder / "good.json", path, drop_unknown=True)
    from_coco_results(read_coco_results(path, 17), COCO)


def box_results_file(path, folder):
    read_detections(path)
    evaluate_files(folder / "good.json", path, "bbox")


def peak_file(path, folder):
    list(read_peaks(path, COCO))


def track_file(path, folder):
    list(read_tracks(path))


FORMS = {
    "coco": Form(good_truth, None, coco, DatasetError),
    "coco-people": Form(good_truth, None, people, AnnotationError),
    "coco-truth": Form(good_truth, coco_results, coco_truth_file, EvaluationError),
    "coco-keypoints": Form(coco_results, good_truth, coco_results_file, (ValueError, OSError)),
    "coco-boxes": Form(
        lambda: coco_results("bbox"),
        good_truth,
        box_results_file,
        (DetectionsError, EvaluationError),
    ),
    "mpii-complete": Form(mpii_complete, None, mpii, DatasetError),
    "mpii-usual": Form(mpii_usual, None, mpii, DatasetError),
    "posetrack18": Form(posetrack18, None, posetrack, DatasetError),
    "posetrack17": Form(posetrack17, None, posetrack, DatasetError),
    "posetrack18-truth": Form(posetrack18, posetrack18, posetrack_truth, EvaluationError),
    "posetrack18-results": Form(posetrack18, posetrack18, posetrack_results, (ValueError, OSError)),
    "posetrack17-results": Form(posetrack17, posetrack17, posetrack_results, (ValueError, OSError)),
    "peaks": Form(peaks, None, peak_file, PeakFileError),
    "tracks": Form(None, None, track_file, TrackFileError),
}


def write_form(name: str, folder: Path) -> tuple[Path, str]:
    """Writes a good file, and what belongs beside it; returns its path and its text."""
    content, beside, *_ = FORMS[name]
    if beside:
        (folder / "good.json").write_text(json.dumps(beside()))
    if name == "tracks":
        return folder / "tracks.jsonl", track_lines(folder / "tracks.jsonl")
    if name == "coco":
        return write_coco(folder, content()), json.dumps(content())
    path = folder / "annotations/val/a.json" if "posetrack" in name else folder / "a.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content()))
    return path, path.read_text()
