"""What a tracker can be told."""

import dataclasses
from typing import Literal

Similarity = Literal["box", "pose", "flow"]
Matching = Literal["greedy", "hungarian"]
Composition = Literal["composed", "direct"]


@dataclasses.dataclass(frozen=True)
class TrackerSettings:
    """How people are found, and found again in the next frame."""

    similarity: Similarity = "flow"
    """By what a person is found again: overlap of boxes, OKS, or OKS after moving with the flow."""
    queue: int = 8
    """Frames before this one in which a person is looked for; more than 1 with "flow" is the
    papers' multi-frame flow similarity."""
    composition: Composition = "composed"
    """Flow over several frames: that of each pair of neighbours in turn, or computed directly, one
    flow for each frame of the queue. Composed flow carries hidden people along with who hides them.
    """
    matching: Matching = "greedy"
    """Best pair first, or the assignment with the largest sum."""
    gate: float = 0.1
    """Least similarity of a link; 0: none, as in the papers."""
    box_threshold: float = 0.5
    """Least score of a detected box."""
    keypoint_threshold: float = 0.4
    """Least score of a keypoint that is written, compared and propagated."""
    box_nms: float = 0.5
    """Greatest overlap (IoU) of a box with a better one."""
    oks_nms: float | None = 0.4
    """Greatest OKS of a pose with a better one; None: keep all."""
    propagation: bool = True
    """Also look for people in the boxes to which the flow moves those of the frame before."""
    margin: float = 0.15
    """By how much such a box is larger than the extent of the keypoints, both sides together."""
    decay: float = 0.9
    """Score of such a box: that of the pose before times this."""
    propagated_threshold: float = 0.2
    """Least score of such a box."""
    shortest: int = 2
    """Tracks with fewer poses are dropped at the end; 1: none."""
    shot_threshold: float | None = None
    """Mean length of the flow in pixels above which a new shot starts: nobody is followed into it;
    None: shots are not looked for."""

    def __post_init__(self) -> None:
        whole = {"queue": self.queue, "shortest": self.shortest}
        for name, value in whole.items():
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, received {value}")
        shares = ("gate", "box_threshold", "keypoint_threshold", "box_nms", "decay")
        for name in (*shares, "propagated_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, received {getattr(self, name)}")
        if self.oks_nms is not None and not 0 <= self.oks_nms <= 1:
            raise ValueError(f"oks_nms: expected 0 to 1 or None, received {self.oks_nms}")
        shot = 1.0 if self.shot_threshold is None else self.shot_threshold
        if not 0 <= self.margin < float("inf") or not shot > 0:
            raise ValueError(
                f"expected a margin from 0 and a shot_threshold above 0, received {self.margin} "
                f"and {self.shot_threshold}"
            )
