"""Grouping as a plug-in (Table 4): any detector's keypoint peaks and person boxes to poses."""

import dataclasses
from pathlib import Path

import numpy as np

from multiposenet.assignment import Rule, pose_scores
from multiposenet.grouping_rows import group_people, scorer_of
from multiposenet.peak_files import read_peaks
from multiposenet.prn import input_kind
from multiposenet.prn_figures import network_of
from multiposenet.prn_files import load_prn, skeleton_named
from posekit.boxes import xywh_to_xyxy
from posekit.json_lists import json_list
from posekit.metrics.coco_results import CocoResults, read_results
from posekit.poses import Poses, to_coco_results
from posekit.skeletons import Skeleton

MAX_BOXES = 100
"""Most boxes in an image; the best are taken. COCO's evaluation counts no more."""
_PERSON = 1


class GroupingError(ValueError):
    """A file of boxes that cannot be used."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class GroupingCounts:
    """What was read and written."""

    images: int
    """With peaks or boxes."""
    images_without_boxes: int
    images_without_peaks: int
    peaks: int
    """Among those of images with boxes."""
    boxes: int
    boxes_left_out: int
    """Of low score, without area, of another category, or beyond the best of their image."""
    poses: int
    """Written: people with at least one keypoint."""


def group_files(
    peaks: Path,
    boxes: Path,
    output: Path,
    model: Path,
    skeleton: str = "coco",
    rule: Rule = "clean",
    box_threshold: float = 0.0,
    box_weight: float = 1.0,
    fill: bool = True,
    drop_unknown: bool = False,
) -> GroupingCounts:
    """Groups the peaks of a file into the boxes of another and writes COCO keypoint results.

    Args:
        peaks: JSON, plain or `.gz`, see `peak_files`; read image by image.
        boxes: COCO box results, plain or `.gz`; the person is category 1.
        output: COCO keypoint results to write, whole or not at all.
        model: .keras file of the PRN.
        skeleton: name or YAML file; as many keypoints as the PRN has.
        rule: see `assignment.assign`.
        box_threshold: least score of a box.
        box_weight: exponent of a box's score where people compete for a peak; 0: not used.
        fill: puts a keypoint that a person did not get where the PRN expects it, with score 0.
        drop_unknown: leaves out peaks of types that the skeleton does not have.

    Raises:
        GroupingError, PeakFileError, PrnFileError, UsageError: naming the file and what is wrong.
        OSError: the output cannot be written.
    """
    definition = skeleton_named(skeleton)
    network = load_prn(model, definition)
    size, count = network.input_shape[1:3], definition.num_keypoints
    scorer = scorer_of(network_of(network), count, size, input_kind(network))
    by_image, num_boxes = _boxes_by_image(boxes, box_threshold)
    left = dict(by_image)
    counts = dict.fromkeys(("images", "images_without_boxes", "peaks", "poses"), 0)
    with json_list(output) as results:
        for image_id, found in read_peaks(peaks, definition, drop_unknown):
            rows = left.pop(image_id, None)
            counts["images"] += 1
            if rows is None:
                counts["images_without_boxes"] += 1
                continue
            weights = rows.scores**box_weight if box_weight else 1.0
            own = xywh_to_xyxy(rows.values).astype(np.float32)
            keypoints = group_people(scorer, found, own, weights, rule, fill)
            entries = _entries(keypoints, own, definition, image_id)
            counts["peaks"] += int((found[..., 2] > 0).sum())
            counts["poses"] += len(entries)
            for entry in entries:
                results.append(entry)
    used = sum(map(len, by_image.values()))
    return GroupingCounts(
        images=counts.pop("images") + len(left),
        images_without_peaks=len(left),
        boxes=used,
        boxes_left_out=num_boxes - used,
        **counts,
    )


def _boxes_by_image(path: Path, threshold: float) -> tuple[dict[int, CocoResults], int]:
    """Returns image id -> usable boxes of its people, and how many boxes the file has."""
    try:
        results = read_results(path, "bbox")
    except (ValueError, OSError) as error:
        raise GroupingError(str(error)) from error
    if results is None:
        return {}, 0
    solid = (results.values[:, 2:] > 0).all(axis=1)
    scores = results.scores
    if scores.min() < 0:
        raise GroupingError(f"{path}: expected scores of at least 0, received {scores.min()}")
    good = results.select(solid & (results.category_ids == _PERSON) & (scores >= threshold))
    order = np.lexsort((-good.scores, good.image_ids))
    good = good.select(order)
    ids, first = np.unique(good.image_ids, return_index=True)
    ends = np.append(first[1:], len(good))
    groups = {}
    for image_id, start, end in zip(ids.tolist(), first, ends, strict=True):
        groups[image_id] = good.select(np.arange(start, min(end, start + MAX_BOXES)))
    return groups, len(results)


def _entries(keypoints, boxes, skeleton: Skeleton, image_id: int) -> list[dict[str, object]]:
    scores = pose_scores(keypoints)
    poses = Poses(keypoints, scores, boxes, skeleton)
    return to_coco_results(poses.select(scores > 0), image_id)
