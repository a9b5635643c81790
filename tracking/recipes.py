"""Rows of the papers' tables on tracking, as recipes; imports no TensorFlow.

What the papers leave open is decided in `TrackerSettings` and here: Simple Baselines' multi-frame
similarity looks back 8 frames, as MDPN says of its own. Its poses go through MDPN's OKS-NMS (0.4),
because a propagated box is smaller than a detected one of the same person and often passes the NMS
of boxes: with the 0.9 of its code for COCO, propagation lowers mAP from 57.5 to 55.3 and MOTA from
46.5 to 38.5 (b1, b3; our small network on Bonn's test sequence), with 0.4 it raises them from 57.5
to 58.2 and from 49.5 to 49.9. Pruning is MDPN's alone.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from tracking.settings import TrackerSettings


@dataclasses.dataclass(frozen=True)
class TrackRecipe:
    """One row: which network, which boxes, how its maps are read and how people are tracked."""

    tracker: TrackerSettings
    """How people are found again."""
    network: str
    """Recipe of scripts/train_topdown.py that trains the row's network."""
    detector: str
    """Detector of the row's boxes."""
    linked: bool = True
    """False: a row about poses alone; no keypoint is dropped and no track pruned."""
    heads: tuple[str, ...] = ()
    """Heads of the network that are read together, the first that has a keypoint; none: its one."""
    offset: Literal["sign", "second_peak", "none"] | None = None
    """Quarter offset; None: as the network says."""
    blur_sigma: float | None = None
    """Gaussian filter of the maps, cells; 0: none; None: as the network says."""
    flip: bool = True
    """Each crop is averaged with its mirror."""
    rescored: bool = True
    """People's scores are box score times mean keypoint score; False: the box's."""
    published: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """The paper's mAP and MOTA, PoseTrack 2017 validation or 2018 min-val."""


_SIMPLE_BASELINES = TrackerSettings(
    similarity="box",
    queue=1,
    matching="greedy",
    gate=0.0,
    box_threshold=0.5,
    keypoint_threshold=0.4,
    box_nms=0.5,
    oks_nms=0.4,
    propagation=False,
    shortest=1,
)
_SIMILARITIES = {
    1: ("box, no propagation", {}),
    2: ("pose, no propagation", {"similarity": "pose"}),
    3: ("box", {"propagation": True}),
    4: ("pose", {"propagation": True, "similarity": "pose"}),
    5: ("flow", {"propagation": True, "similarity": "flow"}),
    6: ("flow of several frames", {"propagation": True, "similarity": "flow", "queue": 8}),
}
_NETWORKS = {
    "a": ("simple-baselines-r50-posetrack", "R-FCN"),
    "b": ("simple-baselines-r50-posetrack", "FPN-DCN"),
    "c": ("simple-baselines-r152-384x288-posetrack", "FPN-DCN"),
}
_TABLE_5 = {
    "a": ((66.0, 57.6), (66.0, 57.7), (70.3, 61.4), (70.3, 61.8), (70.3, 61.8), (70.3, 62.2)),
    "b": ((69.3, 59.8), (69.3, 59.7), (72.4, 62.1), (72.4, 61.8), (72.4, 62.4), (72.4, 62.9)),
    "c": ((72.9, 62.0), (72.9, 61.9), (76.7, 64.8), (76.7, 64.9), (76.7, 65.1), (76.7, 65.4)),
}

_MDPN = TrackRecipe(
    # Section 2.2, "Tracking"; boxes of several detectors are merged at 0.6.
    dataclasses.replace(
        _SIMPLE_BASELINES,
        similarity="flow",
        queue=8,
        matching="hungarian",
        box_nms=0.6,
        shortest=2,
    ),
    network="mdpn-r50",
    detector="four detectors, merged",
    heads=("coco", "mpii"),
    offset="second_peak",
    blur_sigma=3.5,
)


def _row_of_table_5(letter: str, number: int) -> tuple[str, TrackRecipe]:
    words, changes = _SIMILARITIES[number]
    network, detector = _NETWORKS[letter]
    published = dict(zip(("mAP", "MOTA"), _TABLE_5[letter][number - 1], strict=True))
    tracker = dataclasses.replace(_SIMPLE_BASELINES, **changes)
    about = f"Simple Baselines, Table 5 {letter}{number}: {detector}, {words}"
    return about, TrackRecipe(tracker, network, detector, published=published)


def _mdpn(
    words: str, published: dict[str, float], linked: bool = False, **changes
) -> tuple[str, TrackRecipe]:
    """A row of MDPN's Table 2; changes of the tracker or of the recipe."""
    names = {field.name for field in dataclasses.fields(TrackerSettings)}
    mine = {name: value for name, value in changes.items() if name in names}
    if not linked:
        mine = {"keypoint_threshold": 0.0, "shortest": 1} | mine
    rest = {name: value for name, value in changes.items() if name not in names}
    tracker = dataclasses.replace(_MDPN.tracker, **mine)
    values = {"tracker": tracker, "linked": linked, "published": published}
    side = "right" if linked else "left"
    return f"MDPN, Table 2 {side}: {words}", dataclasses.replace(_MDPN, **values, **rest)


def _tracks(words: str, precision: float, accuracy: float, **changes) -> tuple[str, TrackRecipe]:
    return _mdpn(words, {"mAP": precision, "MOTA": accuracy}, linked=True, **changes)


def _poses(network: str, detector: str, about: str, flip: bool, box_threshold: float):
    """Poses alone, of papers that do not track."""
    changes = {"box_threshold": box_threshold, "keypoint_threshold": 0.0}
    tracker = dataclasses.replace(_SIMPLE_BASELINES, **changes)
    return about, TrackRecipe(tracker, network, detector, linked=False, flip=flip)


RECIPES: dict[str, tuple[str, TrackRecipe]] = {
    f"simple-baselines-{letter}{number}": _row_of_table_5(letter, number)
    for letter in _NETWORKS
    for number in _SIMILARITIES
} | {
    "mdpn-a": _mdpn("MDPN-A", {"mAP": 70.7}),
    "mdpn-a-no-gaussian": _mdpn("without Gaussian filter", {"mAP": 70.3}, blur_sigma=0.0),
    "mdpn-a-no-offset": _mdpn("without quarter offset", {"mAP": 70.5}, offset="none"),
    "mdpn-a-no-box-threshold": _mdpn("without box threshold", {"mAP": 70.0}, box_threshold=0.0),
    "mdpn-a-no-oks-nms": _mdpn("without OKS-NMS", {"mAP": 51.2}, oks_nms=None),
    "mdpn-a-no-rescoring": _mdpn("without box re-score", {"mAP": 70.2}, rescored=False),
    "mdpn-tracks": _tracks("MDPN-A*", 61.5, 52.6),
    "mdpn-tracks-no-box-threshold": _tracks("w/o box threshold", 61.5, 46.0, box_threshold=0.0),
    "mdpn-tracks-no-keypoint-threshold": _tracks(
        "w/o keypoint threshold", 67.6, 28.3, keypoint_threshold=0.0
    ),
    "mdpn-tracks-no-pruning": _tracks("w/o track-let pruning", 61.7, 52.3, shortest=1),
    "mdpn-tracks-no-flow": _tracks("w/o flow track", 61.4, 52.2, similarity="pose"),
}
"""Name -> (one line about it, the recipe); the rows of the tables on tracking and post-processing.
"""

POSE_RECIPES: dict[str, tuple[str, TrackRecipe]] = {
    "enhanced-poses": _poses(
        *("enhanced-r152-posetrack-1k", "Keypoint R-CNN"),
        *("Enhanced two-stage, Table 1: poses, for any of its networks", True, 0.0),
    ),
    "scut-samsung-poses": _poses(
        *("hourglass2-mpii-posetrack", "SSD"),
        *("SCUT-Samsung, Tables 8 to 15: poses, for any of its networks", False, 0.15),
    ),
}
"""Likewise, of papers that do not track; their tables differ in what the networks learned."""
