"""Evaluates the person masks of a joined model on Pascal VOC's segmentation task.

Table 5, right, of MultiPoseNet (arXiv:1807.04067) is on the test images of VOC 2012, whose labels
only VOC's server has; the same figure on `val` stands for it.
"""

import dataclasses

import numpy as np

from multiposenet.evaluation_report import mask_text, protocol_of_run
from multiposenet.model import PRETRAINED, load_multiposenet, pose_head
from multiposenet.prediction import Predictor
from multiposenet.segmentation_options import SegmentationEvaluation
from multiposenet.voc_folder import VocFolder
from posekit import draw
from posekit.datasets.read_ahead import example_batches
from posekit.metrics.evaluation_outputs import PICTURES, write_sheet
from posekit.metrics.evaluation_report import (
    damaged_text,
    exit_code_of,
    protocol_text,
    show_progress,
)
from posekit.metrics.voc import PersonIoU

_VOID_COLOUR = (128, 128, 128)


@dataclasses.dataclass(frozen=True)
class SegmentationScores:
    """The figures of a model, and what they were computed from.

    Args:
        mask: see `PersonIoU.result`.
        images: counts: `listed` in the split, `evaluated`, `skipped` (all others), and of these
            `damaged`.
        damaged: missing and damaged files, {"path": file name, "reason", "count"}.
        protocol: how it was measured.
    """

    mask: dict[str, float | int | None]
    images: dict[str, int]
    damaged: list[dict]
    protocol: dict[str, object]

    def exit_code(self, limit: float) -> int:
        """See `evaluation_report.exit_code_of`."""
        return exit_code_of(self.damaged, self.images["evaluated"], limit)


def evaluate_segmentation(options: SegmentationEvaluation) -> SegmentationScores:
    """Runs the models that the options name and evaluates their masks; draws the picture.

    Raises:
        ModelError, DatasetError: a file that cannot be used.
        OSError: the picture cannot be written.
    """
    folder = VocFolder(options.data, options.split)
    models = [load_multiposenet(path) for path in options.models or (PRETRAINED,)]
    settings = options.flip, options.scales
    predictor = Predictor(models, *settings, mask_threshold=options.mask_threshold)
    pictures = [] if options.picture else None
    scores = evaluate(predictor, folder, options.images, options.batch_size, pictures)
    if pictures:
        write_sheet(options.picture, pictures)
    protocol = protocol_of_run(options, models) | {
        "mask_threshold": predictor.mask_threshold,
        "shorter_edge": [pose_head(model).settings.shorter_edge for model in models],
        "canvas": [list(pose_head(model).settings.canvas) for model in models],
    }
    return dataclasses.replace(scores, protocol=protocol)


def evaluate(
    predictor,
    folder: VocFolder,
    images: int | None = None,
    batch_size: int = 4,
    pictures: list[np.ndarray] | None = None,
) -> SegmentationScores:
    """Evaluates masks image by image; memory does not grow with the number of images.

    Args:
        predictor: with `predict(images)`, as `prediction.Predictor` has it; masks (H, W) bool.
        folder: of the images.
        images: only the first so many; None: all.
        batch_size: images read ahead and predicted at once.
        pictures: gets the first `PICTURES` images: truth, prediction, truth, ... None: no drawing.
    """
    listed = len(folder.ids)
    count = listed if images is None else min(images, listed)
    metric = PersonIoU()
    for examples in example_batches(folder, count, batch_size):
        found = predictor.predict([example["image"] for example in examples])
        for example, prediction in zip(examples, found, strict=True):
            metric.update(prediction.mask, example["person_mask"], ~example["unknown_mask"])
            if pictures is not None and len(pictures) < 2 * PICTURES:
                pictures += draw_masks(example, prediction.mask)
        show_progress(metric.result()["images"], count)
    mask, damaged = metric.result(), folder.rejected.entries()
    counts = {"listed": listed, "evaluated": mask["images"], "skipped": listed - mask["images"]}
    return SegmentationScores(mask, counts | {"damaged": len(damaged)}, damaged, {})


def draw_masks(example: dict, mask: np.ndarray) -> list[np.ndarray]:
    """Draws one image twice: the true people with void in grey, and the mask (H, W) found."""
    truth = draw.overlay_mask(example["image"], example["person_mask"])
    truth = draw.overlay_mask(truth, example["unknown_mask"], _VOID_COLOUR, alpha=0.8)
    return [truth, draw.overlay_mask(example["image"], mask)]


def to_json(scores: SegmentationScores) -> dict[str, object]:
    """Returns one object of Python numbers, with the names that `evaluate_model.to_json` uses."""
    return {"mask_iou": scores.mask["iou"], **dataclasses.asdict(scores)}


def to_text(scores: SegmentationScores) -> str:
    """Returns protocol, counts and figures, for reading."""
    counts = {"images": scores.images}
    ratios = {name: scores.mask[name] for name in ("precision", "recall")}
    pixels = "  ".join(
        f"{name} {'none' if value is None else f'{value:.4f}'}" for name, value in ratios.items()
    )
    return f"{protocol_text(scores.protocol | counts)}\n\n{mask_text(scores.mask)}\n{pixels}"


def warnings_of(scores: SegmentationScores) -> list[str]:
    """Returns what a reader of the numbers alone would not guess, a line each."""
    found = damaged_text(scores.damaged)
    if not scores.images["evaluated"]:
        return [*found, "no image was evaluated"]
    if scores.mask["iou"] is None:
        found.append("nobody is labelled in these images, and nobody was found: there is no IoU")
    return found
