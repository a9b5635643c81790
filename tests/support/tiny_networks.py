"""Tiny networks of random weights, joined, for tests of what stands around them."""

import functools

import keras
import numpy as np

from multiposenet.detection_subnet import detection_model
from multiposenet.keypoint_subnet import keypoint_model
from multiposenet.model import join
from multiposenet.prn import prn
from posekit.resnet import resnet
from posekit.skeletons import COCO


@functools.cache
def parts(seed: int = 0) -> tuple[keras.Model, keras.Model, keras.Model]:
    """Keypoint model, detector on its backbone, PRN."""
    keras.utils.set_random_seed(seed)
    backbone = resnet(18, width=8)
    keypoints = keypoint_model(backbone, COCO.num_keypoints, fpn_depth=8, depth=4)[1]
    detector = detection_model(backbone, fpn_depth=8, depth=8)
    return keypoints, detector, prn(COCO.num_keypoints, nodes=4, rank=2)


@functools.cache
def joined(seed: int = 0, **settings) -> keras.Model:
    """A joined model that finds people and keypoints everywhere."""
    keypoints, detector, grouper = parts(seed)
    settings = {"shorter_edge": 64, "canvas": (96, 96), "box_threshold": 0.0} | settings
    settings = {"max_people": 7, "peak_threshold": 0.0, "max_peaks": 5} | settings
    return join(keypoints, detector, grouper, COCO, **settings)


def photo(seed: int = 0, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """Noise as an image."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
