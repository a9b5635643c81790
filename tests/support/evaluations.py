"""The scripts that evaluate files, each with a good truth and good results."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from annotation_files import coco_results, good_truth, posetrack17, posetrack18
from script_runs import Done, run_script


class Evaluation(NamedTuple):
    """Script, what makes its two files, and further words of its command line."""

    script: str
    truth: Callable[[], Any]
    results: Callable[[], Any]
    words: tuple[str, ...] = ()


EVALUATIONS = {
    "coco-keypoints": Evaluation("eval_coco", good_truth, coco_results),
    "coco-boxes": Evaluation("eval_coco", good_truth, lambda: coco_results("bbox")),
    "voc-boxes": Evaluation("eval_boxes", good_truth, lambda: coco_results("bbox")),
    "posetrack18": Evaluation("eval_posetrack", posetrack18, posetrack18),
    "posetrack17": Evaluation("eval_posetrack", posetrack17, posetrack17),
}


def run_evaluation(name: str, folder: Path, truth: Any = None, results: Any = None, *words) -> Done:
    """Runs an evaluation with its good files, or others in their place, to JSON.

    Args:
        name: of `EVALUATIONS`.
        folder: to write into.
        truth: content, or text of a file; None: the good one.
        results: likewise.
        words: more of the command line.
    """
    script, *made, more = EVALUATIONS[name]
    files = {"annotations": folder / "truth.json", "results": folder / "results.json"}
    for path, given, make in zip(files.values(), (truth, results), made, strict=True):
        value = make() if given is None else given
        path.write_text(value if isinstance(value, str) else json.dumps(value))
    options = [word for option, path in files.items() for word in (f"--{option}", path)]
    return run_script(script, *options, "--json", *more, *words)


def run_mpii(folder: Path, truth: dict[str, np.ndarray], preds: Any, *words) -> Done:
    """Runs eval_mpii with arrays `part` and `normalize`, and predictions as JSON or an array."""
    with h5py.File(folder / "annot_valid.h5", "w") as file:
        for key, value in truth.items():
            file[key] = value
    results = folder / ("preds.npz" if isinstance(preds, np.ndarray) else "preds.json")
    if isinstance(preds, np.ndarray):
        np.savez(results, preds=preds)
    else:
        results.write_text(preds if isinstance(preds, str) else json.dumps(preds))
    files = "--annotations", folder / "annot_valid.h5", "--results", results
    return run_script("eval_mpii", *files, "--json", *words)
