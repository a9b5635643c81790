"""Pictures of person boxes that a detector found, beside the annotated ones."""

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from posekit import draw
from posekit.poses import Poses
from posekit.skeletons import Skeleton

HEIGHT = 400
"""Least height of a picture; smaller ones are enlarged by a whole number."""


def draw_boxes_in_rows(
    examples: Sequence[Mapping], outputs: Mapping, skeleton: Skeleton, score: float
) -> np.ndarray:
    """Draws images in rows: ground truth, found boxes with their scores.

    Args:
        examples: N, with `image` (h, w, 3) uint8 RGB of one size and `boxes` (A, 4) xyxy.
        outputs: `boxes` (N, B, 4) xyxy and `scores` (N, B).
        skeleton: of the data set.
        score: least score of a box that is drawn.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    pictures = []
    for i, example in enumerate(examples):
        zoom = math.ceil(HEIGHT / len(example["image"]))
        image = cv2.resize(example["image"], None, fx=zoom, fy=zoom)
        shown = outputs["scores"][i] >= score
        truth = example["boxes"], np.ones(len(example["boxes"]))
        found = outputs["boxes"][i][shown], outputs["scores"][i][shown]
        for boxes, scores in (truth, found):
            keypoints = np.zeros((len(boxes), skeleton.num_keypoints, 3))
            poses = Poses(keypoints, scores, boxes * zoom, skeleton)
            pictures.append(draw.draw_poses(image, poses))
    return draw.tile(pictures, columns=2)
