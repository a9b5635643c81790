"""Drawn people in three data sets that differ as COCO, MPII and PoseTrack do.

They differ in their keypoints, in where their annotators put a keypoint of one name, in the size
and number of the people, in what people do, and in the look of the pictures. PoseTrack is video:
many pictures of few scenes. For the study of training on several data sets without any download.
"""

import dataclasses

import cv2
import numpy as np

from posekit.skeletons import COCO, MDPN_UNION, MPII, POSETRACK, Skeleton, remap_keypoints


@dataclasses.dataclass(frozen=True)
class Domain:
    """One data set: who is in its pictures, how they look, and its annotators' rules."""

    skeleton: Skeleton
    """Keypoints that it annotates."""
    pictures: dict[str, int]
    """Split -> number of pictures."""
    people: tuple[int, int]
    """Least and largest number in a picture."""
    heights: tuple[float, float]
    """Body height as a share of the picture's, least and largest."""
    crowding: float
    """How close together people stand, 0 to 1."""
    rules: tuple[tuple[str, str, str, float], ...] = ()
    """(keypoint, a, b, share): annotated at its true place plus SHARE of the way from a to b."""
    frames: dict[str, int] = dataclasses.field(default_factory=dict)
    """Split -> pictures of one video; none: every picture is a scene of its own."""
    contrast: float = 1.0
    """Factor about the middle grey."""
    warmth: float = 0.0
    """Added to red and taken off blue."""
    blur: float = 0.0
    """Gaussian radius, pixels."""
    quality: int = 92
    """Of the JPEG files."""


def _sided(*rules: tuple[str, str, str, float]) -> tuple[tuple[str, str, str, float], ...]:
    """Spells out rules for both sides: {s} is the own side, {o} the other."""
    sides = ("left", "right"), ("right", "left")
    return tuple(
        (*(word.format(s=s, o=o) for word in words), share)
        for *words, share in rules
        for s, o in (sides if "{s}" in words[0] else sides[:1])
    )


DOMAINS: dict[str, Domain] = {
    "coco": Domain(COCO, {"train": 600, "val": 100}, (1, 4), (0.45, 1.1), 0.3),
    # Hips lie higher and farther out, shoulders on the arms, ankles above the joint, and the top
    # of the head includes the hair. Few, large people in contrasty, warm pictures.
    "mpii": Domain(
        MPII,
        {"train": 700, "val": 120},
        (1, 2),
        (0.7, 1.3),
        0.1,
        rules=_sided(
            ("{s}_hip", "{o}_hip", "{s}_hip", 0.35),
            ("{s}_hip", "{s}_hip", "{s}_shoulder", 0.12),
            ("{s}_shoulder", "{s}_shoulder", "{s}_elbow", 0.12),
            ("{s}_ankle", "{s}_ankle", "{s}_knee", 0.1),
            ("head_top", "neck", "head_top", 0.3),
        ),
        contrast=1.3,
        warmth=14.0,
    ),
    # Wrists are marked on the hand, ankles on the foot, the neck on the chest. Video of people who
    # walk, run and stand in groups: soft, compressed, 16 scenes to train on and 40 others held out.
    "posetrack": Domain(
        POSETRACK,
        {"train": 320, "val": 160},
        (2, 5),
        (0.5, 0.95),
        0.4,
        rules=_sided(
            ("{s}_wrist", "{s}_elbow", "{s}_wrist", 0.3),
            ("{s}_ankle", "{s}_knee", "{s}_ankle", 0.12),
            ("neck", "neck", "thorax", 0.4),
        ),
        frames={"train": 20, "val": 4},
        contrast=0.85,
        blur=0.7,
        quality=45,
    ),
}


def annotated_keypoints(keypoints: np.ndarray, domain: Domain) -> np.ndarray:
    """Moves true keypoints to where a domain's annotators put them.

    Args:
        keypoints: (N, 21, 3) x, y, v of `MDPN_UNION`.
        domain: whose rules.

    Returns:
        (N, K, 3) of the domain's skeleton. A keypoint whose rule needs one outside the picture is
        not annotated: (0, 0, 0).
    """
    place = MDPN_UNION.names.index
    moved = keypoints.copy()
    known = keypoints[..., 2] > 0
    labelled = known.copy()
    for keypoint, start, end, share in domain.rules:
        way = keypoints[:, place(end), :2] - keypoints[:, place(start), :2]
        moved[:, place(keypoint), :2] += share * way
        labelled[:, place(keypoint)] &= known[:, place(start)] & known[:, place(end)]
    moved = np.where(labelled[..., None], moved, 0).astype(np.float32)
    return remap_keypoints(moved, MDPN_UNION, domain.skeleton)


def developed(image: np.ndarray, domain: Domain) -> np.ndarray:
    """Gives a picture (H, W, 3) uint8 RGB the domain's contrast, colours and sharpness."""
    warm = np.array([domain.warmth, 0, -domain.warmth], np.float32)
    values = (image.astype(np.float32) - 128) * domain.contrast + 128 + warm
    if domain.blur:
        values = cv2.GaussianBlur(values, (0, 0), domain.blur)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
