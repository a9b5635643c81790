"""What is written about one predicted photo: its JSON, its COCO annotations, its picture.

All JSON is in pixels of the file as stored. A photo that its EXIF tag turns is predicted and drawn
upright, and what was found is turned back; left and right stay those of the person.
"""

import dataclasses
from typing import Any

import cv2
import numpy as np
import pycocotools.mask

from posekit import draw
from posekit.affine import transform_boxes, transform_points
from posekit.boxes import clip_boxes, xyxy_to_xywh
from posekit.orientation import turn_back, upright_to_stored
from posekit.photos.photo_names import Photo
from posekit.poses import Poses

PICTURE_LIMIT = 2560
"""Longest edge of a picture in pixels; larger photos are drawn smaller."""
_JPEG_QUALITY = 92


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """What was found in one photo; whatever has these fields will do.

    Args:
        poses: N people, in pixels of the image.
        box_scores: (N,) of their boxes.
        mask: (H, W) bool, on people; None where the model gives none.
    """

    poses: Poses
    box_scores: np.ndarray
    mask: np.ndarray | None = None


def as_stored(prediction: Found, orientation: int, size: tuple[int, int]) -> Found:
    """Turns what was found in an upright photo back to the pixels of the file.

    Args:
        prediction: of the upright image.
        orientation: EXIF number of the file.
        size: (height, width) of the upright image.

    Returns:
        The same of the image as stored.
    """
    poses, mask = prediction.poses, prediction.mask
    transform = upright_to_stored(orientation, size)
    keypoints = transform_points(poses.keypoints, transform)
    keypoints *= (poses.keypoints != 0).any(axis=-1, keepdims=True)  # 0, 0, 0 is no place
    turned = dataclasses.replace(
        poses, keypoints=keypoints, boxes=transform_boxes(poses.boxes, transform)
    )
    mask = None if mask is None else turn_back(mask, orientation)
    return Found(turned, prediction.box_scores, mask)


def photo_json(
    photo: Photo,
    prediction: Found,
    size: tuple[int, int],
    orientation: int,
    models: tuple[str, ...],
) -> dict[str, Any]:
    """Describes all that was found in one photo.

    Args:
        photo: the file.
        prediction: in its stored pixels.
        size: its (height, width), as stored.
        orientation: its EXIF number.
        models: names of the model files.

    Returns:
        `image`, `image_id`, `width`, `height`, `orientation`, `model`, `skeleton`,
        `keypoint_names`, `people` (each with `box` xyxy, `box_score`, `score`, `keypoints` K x
        [x, y, score], score 0 for one that was not found) and, where there is one, `mask`, COCO's
        compressed run lengths {"size": [height, width], "counts": text}.
    """
    poses = prediction.poses
    places, scores = poses.keypoints[..., :2], poses.keypoints[..., 2:]
    columns = {
        "box": _round(poses.boxes, 2),
        "box_score": _round(prediction.box_scores, 5),
        "score": _round(poses.scores, 5),
        "keypoints": np.concatenate([_round(places, 2), _round(scores, 5)], axis=-1),
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    described = {
        "image": photo.file_name,
        "image_id": photo.image_id,
        "width": size[1],
        "height": size[0],
        "orientation": orientation,
        "model": list(models),
        "skeleton": poses.skeleton.name,
        "keypoint_names": list(poses.skeleton.names),
        "people": [dict(zip(columns, row, strict=True)) for row in rows],
    }
    if prediction.mask is not None:
        runs = pycocotools.mask.encode(np.asfortranarray(prediction.mask, np.uint8))
        described["mask"] = {"size": list(size), "counts": runs["counts"].decode("ascii")}
    return described


def coco_people(
    poses: Poses, image_id: int, size: tuple[int, int], first_id: int
) -> list[dict[str, Any]]:
    """Converts poses to annotations that a person can correct.

    Args:
        poses: in pixels of the file.
        image_id: of the file.
        size: its (height, width).
        first_id: id of the first annotation; the others follow.

    Returns:
        One entry for each person whose box has an area inside the image: keypoints that were found
        have v = 2, others are 0, 0, 0; `area` is that of the box, `segmentation` empty.
    """
    boxes = _round(xyxy_to_xywh(clip_boxes(poses.boxes, size)), 2)
    found = poses.keypoints[..., 2:] > 0
    places = np.clip(poses.keypoints[..., :2], 0, np.array(size[::-1]) - 1)
    keypoints = np.concatenate([_round(places, 2) * found, 2.0 * found], axis=-1)
    scores = _round(poses.scores, 5).tolist()
    entries = [
        {
            "image_id": image_id,
            "category_id": 1,
            "bbox": box.tolist(),
            "area": round(float(box[2] * box[3]), 2),
            "keypoints": points.ravel().tolist(),
            "num_keypoints": int((points[:, 2] > 0).sum()),
            "iscrowd": 0,
            "segmentation": [],
            "score": score,
        }
        for box, points, score in zip(boxes, keypoints, scores, strict=True)
    ]
    entries = [entry for entry in entries if entry["area"] > 0]
    return [{"id": first_id + i, **entry} for i, entry in enumerate(entries)]


def draw_prediction(image: np.ndarray, prediction: Found, score: float) -> np.ndarray:
    """Draws the person mask, if there is one, and people of at least `score` with their boxes.

    Args:
        image: (H, W, 3) uint8 RGB.
        prediction: in its pixels.
        score: least score of a person.

    Returns:
        (h, w, 3) uint8; at most `PICTURE_LIMIT` high and wide.
    """
    poses, mask = prediction.poses.select(prediction.poses.scores >= score), prediction.mask
    factor = PICTURE_LIMIT / max(image.shape[:2])
    if factor < 1:
        size = [max(1, round(edge * factor)) for edge in image.shape[1::-1]]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        if mask is not None:
            mask = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        poses = _scaled(poses, factor)
    image = image if mask is None else draw.overlay_mask(image, mask, alpha=0.4)
    return draw.draw_poses(image, poses, threshold=0.0)


def encode_picture(picture: np.ndarray) -> bytes:
    """Encodes (H, W, 3) uint8 RGB as JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)[1].tobytes()


def _scaled(poses: Poses, factor: float) -> Poses:
    # Points count from the centre of the first pixel, boxes from its outer corner.
    places = (poses.keypoints[..., :2] + 0.5) * factor - 0.5
    keypoints = np.concatenate([places, poses.keypoints[..., 2:]], axis=-1)
    return dataclasses.replace(poses, keypoints=keypoints, boxes=poses.boxes * factor)


def _round(values: np.ndarray, digits: int) -> np.ndarray:
    return np.round(np.asarray(values, np.float64), digits) + 0.0  # no -0.0
