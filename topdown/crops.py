"""From images and person boxes to crops, and from keypoints in crops back to the images."""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from posekit import affine
from posekit.crops import person_crop_transform
from topdown.settings import Settings


def crop_transforms(boxes: np.ndarray, settings: Settings) -> np.ndarray:
    """Returns the transforms (N, 2, 3), image pixels -> crop pixels, of boxes (N, 4) xyxy.

    Raises:
        ValueError: a box that is empty or not finite.
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    return person_crop_transform(boxes, settings.size, **dataclasses.asdict(settings.crop))


def crop_people(
    images: Sequence[np.ndarray], transforms: Sequence[np.ndarray], settings: Settings
) -> np.ndarray:
    """Cuts all people out of several images.

    Args:
        images: (H, W, 3) uint8 RGB each.
        transforms: (N_i, 2, 3) of each image's people.
        settings: the size of a crop.

    Returns:
        (sum of N_i, height, width, 3) uint8; black where a crop shows no image.
    """
    height, width = settings.size
    crops = np.empty((sum(map(len, transforms)), height, width, 3), np.uint8)
    first = np.cumsum([0, *map(len, transforms)])

    def cut(number):
        if not len(transforms[number]):
            return
        # OpenCV warps four bytes a pixel faster than three.
        image = cv2.cvtColor(images[number], cv2.COLOR_RGB2RGBA)
        for row, transform in enumerate(transforms[number], first[number]):
            crop = affine.warp(image, transform, settings.size)
            cv2.cvtColor(crop, cv2.COLOR_RGBA2RGB, dst=crops[row])

    if len(images) == 1:
        cut(0)
        return crops
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(cut, range(len(images))))
    return crops


def to_image(keypoints: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Moves keypoints from crops to their images.

    Args:
        keypoints: (N, K, 3) x, y in crop pixels, score.
        transforms: (N, 2, 3) image pixels -> crop pixels.

    Returns:
        (N, K, 3) float32 x, y in image pixels, score.
    """
    matrix = np.asarray(transforms, np.float64)
    back = np.linalg.inv(matrix[:, :, :2])
    places = (keypoints[..., :2] - matrix[:, None, :, 2]) @ back.transpose(0, 2, 1)
    return np.concatenate([places, keypoints[..., 2:]], axis=-1).astype(np.float32)
