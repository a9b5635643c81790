"""The ground truth of a data set that is already in memory, whatever files it came from."""

import numpy as np

from posekit.boxes import xyxy_to_xywh
from posekit.datasets.coco import CocoDataset
from posekit.metrics.coco_truth import CocoTruth


def truth_of(dataset: CocoDataset) -> CocoTruth:
    """Returns the people of a data set's images for `CocoMetric`, sorted by image id."""
    order = np.argsort(dataset.image_ids, kind="stable")
    rows = dataset.rows[order]
    index = dataset.index
    counts = np.diff(index.first)[rows]
    ends = np.concatenate([[0], np.cumsum(counts)])
    people = np.repeat(index.first[rows] - ends[:-1], counts) + np.arange(ends[-1])
    keypoints = index.keypoints[people].astype(np.float64)
    return CocoTruth(
        image_ids=dataset.image_ids[order],
        first=ends,
        boxes_xywh=xyxy_to_xywh(index.boxes[people].astype(np.float64)),
        areas=index.areas[people].astype(np.float64),
        is_crowd=index.is_crowd[people],
        keypoints=keypoints,
        num_labelled=(keypoints[..., 2] > 0).sum(axis=1),
        category_id=1,
        other_categories=frozenset(),
        skeleton=dataset.skeleton,
    )
