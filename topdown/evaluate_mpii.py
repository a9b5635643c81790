"""Evaluates a top-down model on MPII's single people, at the places that the protocol gives."""

import dataclasses
from pathlib import Path

import numpy as np

from posekit.datasets.coco import CocoDataset
from posekit.datasets.mpii import load_mpii
from posekit.datasets.mpii_truth import MpiiTruth, load_mpii_truth
from posekit.datasets.read_ahead import example_batches
from posekit.metrics.coco import EvaluationError
from posekit.metrics.evaluation_report import show_progress
from posekit.metrics.mpii_files import MpiiScores, evaluate_mpii
from posekit.skeletons import MPII, remap_keypoints
from topdown.crops import crop_people, crop_transforms, to_image
from topdown.evaluation import BoxedImages
from topdown.prediction import TopDownPredictor, load_topdown
from topdown.settings import Settings, settings_of


def evaluate_mpii_model(
    model: Path,
    data: Path,
    truth: Path | None = None,
    flip: bool = False,
    domain: str | None = None,
) -> MpiiScores:
    """Runs a model on the validation people and evaluates it.

    Args:
        model: .keras file.
        data: MPII folder, see `load_mpii`; its split "valid".
        truth: see `load_mpii_truth`; None: looked for in DATA and DATA/annot.
        flip: also reads the mirrored crops.
        domain: head to read; None: that with the most of MPII's keypoints.

    Raises:
        ModelError, DatasetError, EvaluationError: a file that cannot be used, or a ground truth of
            other people.
    """
    people = load_mpii(data, "valid", box="centre")
    annot = Path(data) / "annot"
    known = load_mpii_truth(truth or (annot if annot.is_dir() else data))
    check_same_people(people, known)
    network = load_topdown(model)
    domain = domain or mpii_domain(settings_of(network))
    predictor = TopDownPredictor(network, flip, domain)
    predictions, damaged = predict_people(predictor, people, len(known))
    scores = evaluate_mpii(known, predictions)
    protocol = {
        "annotations": known.file.name,
        "results": Path(model).name,
        "data": Path(data).resolve().name,
        "boxes": "squares of 200 * scale pixels about the centre, as the protocol has them",
        "flip": flip,
        "domain": domain,
        "skeleton": predictor.skeleton.name,
        "size": list(predictor.settings.size),
        "crop": dataclasses.asdict(predictor.settings.crop),
        "reading": dataclasses.asdict(predictor.reading),
        "images": len(people) - len(damaged),
        "damaged": damaged,
    }
    return dataclasses.replace(scores, protocol=scores.protocol | protocol)


def mpii_domain(settings: Settings) -> str:
    """Returns the head with the most of MPII's keypoints by name; of equal ones the first."""
    domains = settings.domains
    return max(domains, key=lambda name: len(set(domains[name].names) & set(MPII.names)))


def check_same_people(dataset: CocoDataset, known: MpiiTruth) -> None:
    """Compares a data set's people with the ground truth's at their places.

    Of the usual files, 0.3 % of the people differ by more than 2 pixels.

    Raises:
        EvaluationError: fewer people there, or more than 1 % of them are elsewhere.
    """
    index = dataset.index
    entries = index.annotation_ids[~index.is_crowd]
    name = dataset.annotation_file.name
    if len(entries) and entries.max() >= len(known):
        raise EvaluationError(
            f"{known.file}: expected the people of {name}, at least {entries.max() + 1}, received "
            f"{len(known)}"
        )
    ours, truth = index.keypoints[~index.is_crowd], known.keypoints[entries]
    both = (ours[..., 2] > 0) & (truth[..., 2] > 0)
    away = np.linalg.norm(ours[..., :2] - truth[..., :2], axis=2)
    away = (away * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    other = int((away > 2).sum())
    if other > 0.01 * len(entries):
        raise EvaluationError(
            f"{known.file}: expected the people of {name} in its order, received {other} of "
            f"{len(entries)} whose keypoints are over 2 pixels away on average; give the ground "
            "truth of the same split"
        )


def predict_people(
    predictor: TopDownPredictor, dataset: CocoDataset, count: int, batch_size: int = 16
) -> tuple[np.ndarray, list[dict]]:
    """Finds one pose for each person, whatever its score; there is no suppression.

    Args:
        predictor: of a head with some of MPII's keypoints.
        dataset: from `load_mpii`; crowds, people beside the protocol's, are left out.
        count: of the ground truth's people.
        batch_size: images read ahead.

    Returns:
        predictions: (count, 16, 2) float32 x, y at the people's places in the file; NaN where
            nothing was predicted.
        damaged: images that cannot be read, see `RejectedImages.entries`.
    """
    predictions = np.full((count, MPII.num_keypoints, 2), np.nan, np.float32)
    index = dataset.index

    def rows_of(image: int) -> np.ndarray:
        row = dataset.rows[image]
        people = np.arange(index.first[row], index.first[row + 1])
        return people[~index.is_crowd[people]]

    def boxes(image: int) -> tuple[np.ndarray, np.ndarray]:
        return index.boxes[rows_of(image)], np.ones(len(rows_of(image)))

    images = BoxedImages(dataset, boxes)
    for examples in example_batches(images, len(dataset), batch_size):
        transforms = [crop_transforms(e["boxes"], predictor.settings) for e in examples]
        crops = crop_people([e["image"] for e in examples], transforms, predictor.settings)
        keypoints = to_image(predictor.predict_crops(crops), np.concatenate(transforms))
        found = remap_keypoints(keypoints, predictor.skeleton, MPII)
        places = np.concatenate([index.annotation_ids[rows_of(e["index"])] for e in examples])
        predictions[places] = np.where(found[..., 2:] > 0, found[..., :2], np.nan)
        show_progress(examples[-1]["index"] + 1, len(dataset))
    return predictions, images.rejected.entries()
