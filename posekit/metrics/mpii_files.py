"""PCKh of a file of predicted keypoints against a file of ground truth."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from posekit.datasets.array_files import read_array
from posekit.datasets.mpii_truth import MpiiTruth, load_mpii_truth
from posekit.metrics.coco import EvaluationError
from posekit.metrics.mpii import Pckh, pckh
from posekit.strict_json import read_json

THRESHOLDS = (0.5, 0.1, 0.11)
"""0.11 is what Simple Baselines' table calls "Mean@0.1": row 11 of thresholds 0.01 apart."""


@dataclasses.dataclass(frozen=True)
class MpiiScores:
    """PCKh at `THRESHOLDS`, and what it was computed from.

    Args:
        at: one for each threshold, the first at 0.5.
        people: counts: `ground_truth`, `predicted` (with any finite keypoint).
        keypoints: counts: `ground_truth` (with truth), `not_finite` (of these, not predicted).
        protocol: how it was evaluated.
    """

    at: tuple[Pckh, ...]
    people: dict[str, int]
    keypoints: dict[str, int]
    protocol: dict[str, Any]


def evaluate_mpii_files(
    annotations: str | Path, results: str | Path, origin: str = "auto"
) -> MpiiScores:
    """Evaluates predicted keypoints.

    Args:
        annotations: as `load_mpii_truth`.
        results: as `read_predictions`.
        origin: as `read_predictions`.

    Raises:
        DatasetError: a ground truth that cannot be used.
        EvaluationError: a results file that cannot be used, or one of another number of people.
    """
    truth = load_mpii_truth(annotations)
    try:
        predictions, first = read_predictions(results, origin)
    except (ValueError, OSError) as error:
        raise EvaluationError(str(error)) from error
    if len(predictions) != len(truth):
        raise EvaluationError(
            f"{results}: expected {len(truth)} people in the order of {truth.file.name}, received "
            f"{len(predictions)}"
        )
    scores = evaluate_mpii(truth, predictions)
    files = {"annotations": truth.file.name, "results": Path(results).name, "origin": first}
    return dataclasses.replace(scores, protocol=scores.protocol | files)


def evaluate_mpii(truth: MpiiTruth, predictions: np.ndarray) -> MpiiScores:
    """Evaluates predicted keypoints (N, 16, 2), pixels from 0, of all people of the truth."""
    finite = np.isfinite(predictions).all(axis=2)
    there = truth.keypoints[..., 2] > 0
    return MpiiScores(
        at=tuple(pckh(predictions, truth.keypoints, truth.head_sizes, t) for t in THRESHOLDS),
        people={"ground_truth": len(truth), "predicted": int(finite.any(axis=1).sum())},
        keypoints={"ground_truth": int(there.sum()), "not_finite": int((there & ~finite).sum())},
        protocol={
            "metric": "PCKh",
            "head_size": "0.6 * diagonal of the head box",
            "mean": "weighted by counts, without pelvis and thorax",
            "plain_mean": "of 14 keypoints, without pelvis and thorax",
            "thresholds": list(THRESHOLDS),
        },
    )


def read_predictions(path: str | Path, origin: str = "auto") -> tuple[np.ndarray, int]:
    """Reads predicted keypoints in the order of `skeletons.MPII`.

    Args:
        path: `.mat`, `.h5` or `.npz` with an array `preds`, or JSON: the list itself or in an
            object as `preds`; null stands for a coordinate that was not predicted.
        origin: "0" or "1", where its pixels count from; "auto": 1 in `.mat` and `.h5`, as MPII's
            own files, else 0.

    Returns:
        predictions: (N, 16, 2) float64 x, y, pixels from 0; NaN and infinity pass.
        origin: 0 or 1.

    Raises:
        ValueError: naming the file and what was expected.
        OSError: it cannot be read.
    """
    path = Path(path)
    values = _of_json(path) if path.suffix == ".json" else read_array(path, "preds")
    if values.ndim != 3 or values.shape[1:] != (16, 2) or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: preds: expected numbers (N, 16, 2), received {values.dtype} {values.shape}"
        )
    first = int(path.suffix not in (".npz", ".json")) if origin == "auto" else int(origin)
    return values.astype(np.float64) - first, first


def _of_json(path: Path) -> np.ndarray:
    value = read_json(path)
    value = value.get("preds") if isinstance(value, dict) else value
    try:
        plain = np.array(value)
        # null makes an array of objects, which text and booleans must not slip through.
        if plain.dtype == object and not {type(v) for v in plain.flat} <= {int, float, type(None)}:
            return plain
        return plain.astype(np.float64) if plain.dtype == object else plain
    except ValueError:
        raise ValueError(
            f"{path}: expected a list of people with 16 pairs of numbers each, received lists of "
            "unlike lengths"
        ) from None
