"""What evaluations leave behind: entries of results files, and pictures of truth and prediction."""

from pathlib import Path

import cv2
import numpy as np

from posekit import draw
from posekit.atomic_files import write_file
from posekit.boxes import xyxy_to_xywh
from posekit.poses import Poses, to_coco_results

PICTURES = 4
"""Images in the picture."""
SHOWN = 0.2
"""Least score of a predicted person in the picture."""
_LONG_ENOUGH = 320
"""Smaller images are drawn enlarged, pixels of the shorter edge."""


def keypoint_results(poses: Poses, image_id: int, category_id: int) -> list[dict]:
    """COCO results of the people that have a keypoint."""
    entries = to_coco_results(poses.select(poses.scores > 0), image_id)
    return [entry | {"category_id": category_id} for entry in entries]


def box_results(
    boxes: np.ndarray, scores: np.ndarray, image_id: int, category_id: int
) -> list[dict]:
    """COCO results of boxes (N, 4) xyxy with their scores (N,)."""
    # As text a float32 has at most nine digits, and the same number is read back.
    columns = np.column_stack([xyxy_to_xywh(boxes), scores]).astype(np.float32)
    rows = columns.astype(str).astype(np.float64).tolist()
    ids = {"image_id": int(image_id), "category_id": category_id}
    return [ids | {"bbox": row[:4], "score": row[4]} for row in rows]


def true_poses(keypoints: np.ndarray, boxes: np.ndarray, skeleton) -> Poses:
    """Annotated people as poses: labelled keypoints of (N, K, 3) x, y, v get the score 1."""
    labelled = np.where(keypoints[..., 2:] > 0, 1.0, 0.0)
    columns = np.concatenate([keypoints[..., :2], labelled], axis=-1)
    return Poses(columns, np.ones(len(columns)), boxes, skeleton)


def draw_people(image: np.ndarray, poses: Poses, mask: np.ndarray | None = None) -> np.ndarray:
    """Draws people and, if given, a mask (H, W) over an image; a small image is enlarged.

    Args:
        image: (H, W, 3) uint8 RGB.
        poses: in its pixels.
        mask: (H, W) bool.

    Returns:
        (h, w, 3) uint8, in whole multiples of the image.
    """
    zoom = -(-_LONG_ENOUGH // min(image.shape[:2]))
    size = [zoom * edge for edge in image.shape[1::-1]]
    image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    if mask is not None:
        mask = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        image = draw.overlay_mask(image, mask.astype(bool))
    # Points count from the centre of the first pixel, boxes from its outer corner.
    places = (poses.keypoints[..., :2] + 0.5) * zoom - 0.5
    keypoints = np.concatenate([places, poses.keypoints[..., 2:]], axis=-1)
    poses = Poses(keypoints, poses.scores, poses.boxes * zoom, poses.skeleton)
    return draw.draw_poses(image, poses, threshold=0.0)


def write_sheet(path: Path, pictures: list[np.ndarray]) -> None:
    """Writes a PNG of pictures (H, W, 3) uint8 RGB, two in a row.

    Raises:
        OSError: it cannot be written.
    """
    sheet = draw.tile(pictures, columns=2)
    write_file(path, cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
