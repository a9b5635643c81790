"""Scenes with a known number of people, and what a flawless network would say of them.

The cost of one more person can only be measured where the number of people is set, not found: an
untrained network finds nobody, a trained one miscounts crowds.
"""

import dataclasses

import cv2
import numpy as np

from multiposenet.anchors import encode_boxes, make_anchors
from multiposenet.keypoint_subnet import STRIDE
from posekit.affine import compose, scaling, transform_boxes, transform_points, translation, warp
from posekit.boxes import iou_matrix
from posekit.datasets.synthetic import JPEG_QUALITY, render_image
from posekit.heatmaps import encode_heatmaps
from posekit.skeletons import COCO, Skeleton

HEIGHTS = (0.2, 0.4)
"""Range of body heights as a share of the image height, for any number of people."""
MAX_OVERLAP = 0.25
"""Greatest IoU of two people: none may suppress another (NMS 0.3)."""
SHRINKING = 0.8
"""Scale from the image file to the canvas."""
BACKGROUND_LOGIT = -6.9
"""Class logit of an anchor without a person: score 0.001."""
ATTEMPTS = 80
"""Pictures that are tried for one scene."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """A picture of a crowd and the raw outputs that give exactly its people."""

    jpeg: bytes
    """The image file."""
    boxes: np.ndarray
    """(n, 4) float32 xyxy, canvas pixels."""
    keypoints: np.ndarray
    """(n, K, 3) float32 x, y in canvas pixels, v as in COCO."""
    maps: dict[str, np.ndarray]
    """What the layer "networks" would say: see `raw_outputs`."""


def make_scene(
    people: int,
    canvas: tuple[int, int],
    shorter_edge: int,
    skeleton: Skeleton = COCO,
    seed: int = 0,
) -> Scene:
    """Draws a picture with so many people who can be told apart by their boxes.

    A crowd of many hides some of its people; then a few more are drawn, and `boxes` and `keypoints`
    are of `people` of them.

    Args:
        people: n, at least 1.
        canvas: (height, width) of the network input, multiples of 32.
        shorter_edge: of the image on its canvas, as in `canvas.fit_to_canvas`.
        skeleton: of the keypoints.
        seed: of the picture.

    Raises:
        ValueError: the canvas is too small for so many people.
    """
    size = _image_size(canvas, shorter_edge)
    for attempt in range(ATTEMPTS):
        drawn = people + attempt // 6
        example = render_image(
            (seed, people, attempt), size, (drawn, drawn), skeleton, crowding=0.0, heights=HEIGHTS
        )
        chosen = np.flatnonzero(_stand_alone(example))[:people]
        if len(chosen) == people:
            return _scene(example, chosen, canvas)
    raise ValueError(
        f"expected room for {people} people on a canvas of {canvas}, received {ATTEMPTS} pictures "
        "in which they hide each other; take a larger canvas or fewer people"
    )


def raw_outputs(
    boxes: np.ndarray,
    keypoints: np.ndarray,
    person_mask: np.ndarray,
    canvas: tuple[int, int],
    sigma: float = 2.0,
) -> dict[str, np.ndarray]:
    """Encodes people as the networks are trained to answer, every one of them found.

    Args:
        boxes: (N, 4) xyxy, canvas pixels, of positive area.
        keypoints: (N, K, 3) x, y in canvas pixels, v as in COCO.
        person_mask: (height, width) bool, canvas pixels.
        canvas: (height, width), multiples of 32.
        sigma: Gaussian radius of the heatmaps, cells.

    Returns:
        heatmaps (1, h, w, K), mask (1, h, w, 1), class_logits (1, A, 1) and box_deltas (1, A, 4),
        float32. All anchors at an IoU of 0.5 and more answer for their person, and at least the
        best anchor of each, the more surely the better it fits; suppression has to thin them out.
    """
    anchors = make_anchors(canvas)
    logits = np.full((len(anchors), 1), BACKGROUND_LOGIT, np.float32)
    deltas = np.zeros((len(anchors), 4), np.float32)
    overlap = iou_matrix(boxes, anchors)
    owner, fit = overlap.argmax(axis=0), overlap.max(axis=0)
    best = overlap.argmax(axis=1)
    owner[best], fit[best] = np.arange(len(boxes)), np.maximum(fit[best], 0.5)
    found = fit >= 0.5
    logits[found, 0] = 4 * fit[found]  # scores of 0.88 to 0.98
    deltas[found] = encode_boxes(anchors[found], boxes[owner[found]])
    maps = {
        "heatmaps": encode_heatmaps(keypoints, canvas, STRIDE, sigma),
        "mask": person_mask[::STRIDE, ::STRIDE, None].astype(np.float32),
        "class_logits": logits,
        "box_deltas": deltas,
    }
    return {name: values[None] for name, values in maps.items()}


def _image_size(canvas: tuple[int, int], shorter_edge: int) -> tuple[int, int]:
    """Height and width of the image file: landscape, 3:2 where the canvas is wide enough."""
    height = min(shorter_edge, canvas[0])
    width = min(3 * height // 2, canvas[1])
    return round(height / SHRINKING), round(width / SHRINKING)


def _stand_alone(example: dict[str, np.ndarray]) -> np.ndarray:
    """Tells which people have keypoints and a box of their own; (N,) bool."""
    boxes = example["boxes"]
    labelled = (example["keypoints"][..., 2] > 0).any(axis=1) & ~example["is_crowd"]
    overlap = iou_matrix(boxes, boxes) * labelled * ~np.eye(len(boxes), dtype=bool)
    return labelled & (overlap.max(axis=1, initial=0) <= MAX_OVERLAP)


def _scene(example: dict[str, np.ndarray], chosen: np.ndarray, canvas: tuple[int, int]) -> Scene:
    half = translation(0.5, 0.5)
    transform = compose(half, scaling(SHRINKING), translation(-0.5, -0.5))
    boxes = transform_boxes(example["boxes"][chosen], transform)
    keypoints = transform_points(example["keypoints"][chosen], transform)
    mask = warp(example["person_mask"], transform, canvas, linear=False)
    bgr = np.ascontiguousarray(example["image"][..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return Scene(data.tobytes(), boxes, keypoints, raw_outputs(boxes, keypoints, mask, canvas))
