"""Average precision of person boxes by the rules of Pascal VOC, above a confidence."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from posekit.boxes import box_areas, iou_matrix, xywh_to_xyxy
from posekit.detections import Detections, DetectionsError
from posekit.metrics.coco_truth import CocoTruth


@dataclasses.dataclass(frozen=True, eq=False)
class ImageTruth:
    """The annotated people of one image.

    Args:
        boxes: (N, 4) xyxy.
        difficult: (N,) bool; such a person, found or not, does not count. None: all count.
        crowds: (C, 4) xyxy of regions of people that are not annotated one by one. None: none.
    """

    boxes: np.ndarray
    difficult: np.ndarray | None = None
    crowds: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class VocScores:
    """The figures of one confidence, each 0 to 1; None where nobody counts.

    Args:
        every_point: area under the precision, made to fall with recall (VOC 2010 and later).
        eleven_point: mean of the highest precisions from recall 0, 0.1, ... 1 on (VOC 2007).
        precision: of the boxes that count; None without such.
        recall: of the people that count.
        people: that count.
        boxes: above the confidence, on images of the ground truth.
        ignored: of these, boxes of difficult people and in crowds, which do not count.
        unknown_image: boxes above the confidence on other images, which do not count.
        iou: least overlap.
        confidence: least score.
    """

    every_point: float | None
    eleven_point: float | None
    precision: float | None
    recall: float | None
    people: int
    boxes: int
    ignored: int
    unknown_image: int
    iou: float
    confidence: float


def voc_average_precision(
    truths: Mapping[int, ImageTruth],
    detections: Detections,
    iou: float = 0.5,
    confidence: float = 0.15,
) -> VocScores:
    """Computes the average precision of boxes as VOC's development kit does.

    In the order of their scores, each box is compared with the person that it overlaps most, found
    or not: it is true where the overlap is large enough and no better box has that person. Boxes on
    a difficult person do not count; nor do those that would be false, but have a part of at least
    `iou` of their own area in a crowd (COCO's rule; VOC has no crowds). Boxes have no "+1", see
    `posekit.boxes`.

    Args:
        truths: image id -> its people, for every image, also those without people.
        detections: boxes on other images are left out and counted.
        iou: least overlap.
        confidence: least score of a box.

    Raises:
        DetectionsError: an overlap that is not above 0 and at most 1, a truth of other shapes.

    Reference: Everingham et al. 2010, section 4.2; tables 1 to 5 of the report on SSD and stacked
        hourglasses, which give this figure above confidences of 0.1 to 0.5.
    """
    if not 0 < iou <= 1:
        raise DetectionsError(f"expected an overlap above 0 and at most 1, received {iou}")
    # The first parts are empty, so that there is something to join where there are no images.
    true, counts, scores, people = [np.zeros(0, bool)], [np.zeros(0, bool)], [np.zeros(0)], 0
    for image_id, truth in truths.items():
        boxes, image_scores = detections.of_image(image_id)
        good = image_scores >= confidence
        difficult = _difficult(truth, image_id)
        people += int((~difficult).sum())
        image_true, image_counts = _match(boxes[good], truth, difficult, iou)
        true.append(image_true)
        counts.append(image_counts)
        scores.append(image_scores[good])
    true, counts, scores = map(np.concatenate, (true, counts, scores))
    order = np.argsort(-scores, kind="stable")
    order = order[counts[order]]
    above = int((detections.scores >= confidence).sum())
    return VocScores(
        **_figures(true[order], people),
        people=people,
        boxes=len(scores),
        ignored=int((~counts).sum()),
        unknown_image=above - len(scores),
        iou=iou,
        confidence=confidence,
    )


def truths_of_coco(truth: CocoTruth) -> dict[int, ImageTruth]:
    """Returns the people of a COCO file, all of them, and its crowds."""
    boxes = xywh_to_xyxy(truth.boxes_xywh)
    rows = zip(truth.image_ids.tolist(), truth.first[:-1], truth.first[1:], strict=True)
    found = {}
    for image_id, start, end in rows:
        crowd = truth.is_crowd[start:end]
        found[image_id] = ImageTruth(boxes[start:end][~crowd], None, boxes[start:end][crowd])
    return found


def _difficult(truth: ImageTruth, image_id: int) -> np.ndarray:
    count = len(truth.boxes)
    difficult = np.zeros(count, bool) if truth.difficult is None else np.asarray(truth.difficult)
    if difficult.shape != (count,) or difficult.dtype != bool:
        raise DetectionsError(
            f"image {image_id}: expected difficult ({count},) bool, one a box, received "
            f"{difficult.shape} {difficult.dtype}"
        )
    return difficult


def _match(
    boxes: np.ndarray, truth: ImageTruth, difficult: np.ndarray, iou: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns which boxes (n, 4), best first, are true, and which count, (n,) bool each."""
    true, counts = np.zeros(len(boxes), bool), np.ones(len(boxes), bool)
    if not len(boxes):
        return true, counts
    if len(truth.boxes):
        overlaps = iou_matrix(boxes, truth.boxes)
        person = overlaps.argmax(axis=1)
        on_person = overlaps.max(axis=1) >= iou
        counts = ~(on_person & difficult[person])
        rows = np.flatnonzero(on_person & counts)
        # The first box of each person is its best.
        true[rows[np.unique(person[rows], return_index=True)[1]]] = True
    if truth.crowds is not None and len(truth.crowds):
        counts &= true | (_covered(boxes, truth.crowds) < iou)
    return true, counts


def _covered(boxes: np.ndarray, crowds: np.ndarray) -> np.ndarray:
    """Returns the greatest part (n,) of each box's area that lies in one crowd."""
    low = np.maximum(boxes[:, None, :2], crowds[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], crowds[None, :, 2:])
    inside = box_areas(np.concatenate([low, high], axis=-1)).max(axis=1)
    return inside / np.maximum(box_areas(boxes), np.finfo(np.float32).tiny)


def _figures(true: np.ndarray, people: int) -> dict[str, float | None]:
    """Returns the figures of boxes that count (n,), best first."""
    names = ("every_point", "eleven_point", "precision", "recall")
    found = np.cumsum(true)
    precision = found / np.arange(1, len(true) + 1)
    last = float(precision[-1]) if len(true) else None
    if not people:
        return dict(zip(names, (None, None, last, None), strict=True))
    recall = found / people
    # The highest precision at this recall or a greater one; 0 where no such recall is reached.
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
    area = float(np.sum(np.diff(recall, prepend=0) * envelope[:-1]))
    eleven = float(envelope[np.searchsorted(recall, np.arange(11) / 10)].mean())
    return dict(
        zip(names, (area, eleven, last, float(recall[-1]) if len(true) else 0.0), strict=True)
    )
