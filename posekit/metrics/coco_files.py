"""Evaluates a COCO results file against a ground-truth file."""

import dataclasses
from pathlib import Path

import numpy as np

from posekit.metrics.coco import CocoMetric, EvaluationError
from posekit.metrics.coco_results import CocoResults, Kind, read_results
from posekit.metrics.coco_scores import CocoScores
from posekit.metrics.coco_truth import CocoTruth, read_truth, shown


def evaluate_files(
    annotations: str | Path,
    results: str | Path,
    kind: Kind | None = None,
    only_predicted: bool = False,
    drop_unknown: bool = False,
) -> CocoScores:
    """Evaluates a results file as pycocotools does.

    Args:
        annotations: COCO ground truth, plain or `.gz`.
        results: COCO results of keypoints or boxes, plain or `.gz`.
        kind: what to evaluate; None: what the results have. Of an empty list it is keypoints where
            the ground truth has them.
        only_predicted: skips images without results; their people are then not missed.
        drop_unknown: leaves out results on images that the ground truth does not have.

    Raises:
        EvaluationError: naming the file and what in it is wrong.
    """
    try:
        entries = read_results(results, kind)
        truth = read_truth(annotations)
    except (ValueError, OSError) as error:
        raise EvaluationError(str(error)) from error
    try:
        metric = CocoMetric(truth, entries.kind if entries else kind or _kind_of(truth))
    except EvaluationError as error:
        raise EvaluationError(f"{annotations}: {error}") from None
    try:
        entries, counts = _of_truth(entries, truth, drop_unknown)
        _update(metric, entries, only_predicted)
    except ValueError as error:
        raise EvaluationError(f"{results}: {error}") from None
    scores = metric.result()
    unknown_images = counts.pop("unknown_images")
    files = {"annotations": Path(annotations).name, "results": Path(results).name}
    return dataclasses.replace(
        scores,
        images=scores.images | {"unknown": unknown_images},
        results=scores.results | counts,
        protocol=scores.protocol | files | {"only_predicted": only_predicted},
    )


def _kind_of(truth: CocoTruth) -> Kind:
    return "keypoints" if truth.skeleton else "bbox"


def _of_truth(
    entries: CocoResults | None, truth: CocoTruth, drop_unknown: bool
) -> tuple[CocoResults | None, dict[str, int]]:
    """Picks the person results on images of the ground truth, and counts what is left out."""
    if entries is None:
        counts = ("read", "unknown_image", "other_category", "unknown_images")
        return None, dict.fromkeys(counts, 0)
    categories = {truth.category_id, *truth.other_categories}
    foreign = ~np.isin(entries.category_ids, list(categories))
    if foreign.any():
        raise ValueError(
            f"entry {foreign.argmax()}, field category_id: expected one of the ground truth's "
            f"({shown(sorted(categories))}; the person is {truth.category_id}), received "
            f"{shown(np.unique(entries.category_ids[foreign]))} in {foreign.sum()} entries"
        )
    unknown = ~np.isin(entries.image_ids, truth.image_ids)
    unknown_ids = np.unique(entries.image_ids[unknown])
    if unknown.any() and not drop_unknown:
        raise ValueError(
            f"entry {unknown.argmax()}, field image_id: expected images of the ground truth, "
            f"received {len(unknown_ids)} unknown ids in {unknown.sum()} entries: "
            f"{shown(unknown_ids)}; give the ground truth that the results were made for, write "
            "its ids, or leave such results out with --drop-unknown"
        )
    other = entries.category_ids != truth.category_id
    counts = {
        "read": len(entries),
        "unknown_image": int(unknown.sum()),
        "other_category": int((other & ~unknown).sum()),
        "unknown_images": len(unknown_ids),
    }
    return entries.select(~unknown & ~other), counts


def _update(metric: CocoMetric, entries: CocoResults | None, only_predicted: bool) -> None:
    image_ids = metric.truth.image_ids
    if entries is None:
        shape = (0, 4) if metric.kind == "bbox" else (0, *metric.truth.keypoints.shape[1:])
        for image_id in [] if only_predicted else image_ids.tolist():
            metric.update(image_id, np.zeros(0), np.zeros(shape))
        return
    order = np.argsort(entries.image_ids, kind="stable")
    ends = np.searchsorted(entries.image_ids[order], image_ids, side="right")
    starts = np.searchsorted(entries.image_ids[order], image_ids)
    for image_id, start, end in zip(image_ids.tolist(), starts, ends, strict=True):
        if only_predicted and start == end:
            continue
        rows = entries.select(order[start:end])
        metric.update(image_id, rows.scores, rows.values, rows.areas)
