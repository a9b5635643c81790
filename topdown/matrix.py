"""Every network on every test set in every detector's boxes (SCUT-Samsung, Tables 8-14)."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np

from posekit.datasets.coco import CocoDataset
from posekit.datasets.rejected import RejectedImages
from posekit.detections import Detections, read_detections
from posekit.metrics.coco_boxes import evaluate_detections
from posekit.skeletons import Skeleton
from topdown.combination import Combination
from topdown.detector import PersonDetector, detect_people
from topdown.evaluation import detected_boxes, evaluate_keypoints
from topdown.prediction import TopDownPredictor, load_topdown, with_reading
from topdown.settings import settings_of
from topdown.ssd_evaluation import truth_with_ignored

GROUND_TRUTH = "gt"
"""In place of a detector: the boxes of the people with labelled keypoints."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How networks are read.

    Args:
        flip: averages each crop with its mirror.
        domains: heads that are read, in order; none: all, in the order of the network.
        combination: "first": each keypoint of the test set comes from the first head that has it;
            "vote": the mean of all that have it.
        head: "interpolate" makes neck and head_top where no head has them; else they are missed.
        reading: fields of `settings.Reading` that replace the network's own.
    """

    flip: bool = False
    domains: tuple[str, ...] = ()
    combination: str = "first"
    head: str = "none"
    reading: Mapping[str, float | str | None] = dataclasses.field(default_factory=dict)

    def predictor(self, model: keras.Model, skeleton: Skeleton) -> TopDownPredictor:
        """Returns what finds poses of a skeleton.

        Raises:
            CombinationError: heads that the network does not have.
        """
        domains = self.domains or tuple(settings_of(model).domains)
        combination = Combination(self.combination, domains, skeleton, self.head)
        reading = with_reading(model, **self.reading)
        return TopDownPredictor(model, self.flip, reading=reading, combination=combination)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One network in one detector's boxes on one test set.

    Args:
        network: its name.
        boxes: name of the detector, or "gt".
        test: name of the test set.
        metrics: COCO keypoint numbers, OKS with the test set's sigmas; None where not defined.
        box_ap: person AP of the boxes on the same images; None for "gt".
        images: evaluated.
        damaged: images that cannot be read, see `RejectedImages.entries`; not evaluated.
        protocol: the fields of `Protocol`, with all heads and the whole reading of this network.
    """

    network: str
    boxes: str
    test: str
    metrics: dict[str, float | None]
    box_ap: float | None
    images: int
    damaged: list[dict] = dataclasses.field(default_factory=list)
    protocol: dict = dataclasses.field(default_factory=dict)


def evaluate_matrix(
    networks: Mapping[str, Path],
    boxes: Mapping[str, Path | None],
    tests: Mapping[str, CocoDataset],
    protocol: Protocol = Protocol(),
) -> Iterator[Cell]:
    """Evaluates all combinations, detector by detector, so that each runs once on a test set.

    Args:
        networks: name -> .keras file of a top-down network.
        boxes: name -> SSD (.keras) that finds them, or COCO results file; None: ground truth.
        tests: name -> data set.
        protocol: how the networks are read.

    Yields:
        A cell at a time. A results file without any box on the images of a test set is left out
        there.
    """
    models = {name: load_topdown(path) for name, path in networks.items()}
    for source, path in boxes.items():
        for test, dataset in tests.items():
            found = None if path is None else _detections(path, dataset)
            if found is not None and not np.isin(found.image_ids, dataset.image_ids).any():
                continue
            given = None if found is None else detected_boxes(dataset, found)
            box_ap = None
            if found is not None:
                box_ap = evaluate_detections(truth_with_ignored(dataset), found).metrics["AP"]
            for name, model in models.items():
                predictor = protocol.predictor(model, dataset.skeleton)
                rejected = RejectedImages.of(dataset)
                scores = evaluate_keypoints(predictor, dataset, given, rejected=rejected)
                counts = scores.images["evaluated"], rejected.entries()
                said = _said(protocol, predictor)
                yield Cell(name, source, test, scores.metrics, box_ap, *counts, said)


def to_text(cells: list[Cell], metric: str = "AP") -> str:
    """Lays out one metric: a line for each network and detector, a column for each test set."""
    tests = list(dict.fromkeys(cell.test for cell in cells))
    lines = list(dict.fromkeys((cell.network, cell.boxes) for cell in cells))
    values = {(c.network, c.boxes, c.test): _figure(c, metric) for c in cells}
    head = ["network", "boxes", *tests]
    body = [[*line, *(values.get((*line, test), "-") for test in tests)] for line in lines]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    rows = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in [head, *body])
    return "\n".join(rows)


def _figure(cell: Cell, metric: str) -> str:
    value = cell.metrics[metric]
    figure = "none" if value is None else f"{100 * value:.1f}"
    return figure if cell.box_ap is None else f"{figure} (boxes {100 * cell.box_ap:.1f})"


def _said(protocol: Protocol, predictor: TopDownPredictor) -> dict:
    heads = list(predictor.reader.combination.domains)
    reading = dataclasses.asdict(predictor.reading)
    return dataclasses.asdict(protocol) | {"domains": heads, "reading": reading}


def _detections(path: Path, dataset: CocoDataset) -> Detections:
    """Reads a results file, or runs an SSD on all images of a data set."""
    if path.suffix != ".keras":
        return read_detections(path)
    detector = PersonDetector(path)
    return detect_people(detector.predict, dataset, detector.batch_size)[0]
