"""Poses of one skeleton from the heads of several: each head knows some of the keypoints.

Keypoints are matched by their names, so any heads give any skeleton.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

from posekit.skeletons import POSETRACK, Skeleton

HEAD_TOP = 1.0
"""Distance from nose to head_top as a multiple of that from neck to nose.

Measured on people who stand upright, as shares of the distance from hips to shoulders above the
middle of the shoulders, medians: nose 0.32 (60,583 people of COCO train2017); head_top 0.64 (4,787
of Bonn Multi-Person PoseTrack) and 0.67 (17,550 of MPII's training split), which makes 0.97 and
1.08. No data set at hand has all three points but for 13 people of PoseTrack18: 0.47. A neck in the
middle of the shoulders lies 0.12 below the annotated one."""


class CombinationError(ValueError):
    """Heads that cannot be combined."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class Combination:
    """Which heads give which keypoints of a skeleton.

    Args:
        kind: "first": each keypoint from the first of the heads that has it; "vote": the mean of
            the maps of all heads that have it, equal weights.
        domains: the heads, in order; none: all, in the model's order.
        skeleton: of the poses; of its keypoints that no head has, the score is 0.
        head: "interpolate" makes neck and head_top where no head has them.
        head_top: see `HEAD_TOP`.

    Raises:
        CombinationError: another kind, a head twice.

    Reference: Guo et al. 2018 (MDPN), section 3.2, where the skeleton is PoseTrack's; see `PAPER`.
        The paper leaves open how the head is interpolated and how heads are weighed.
    """

    kind: Literal["first", "vote"] = "first"
    domains: tuple[str, ...] = ()
    skeleton: Skeleton = POSETRACK
    head: Literal["none", "interpolate"] = "none"
    head_top: float = HEAD_TOP

    def __post_init__(self) -> None:
        for name, words in (("kind", ("first", "vote")), ("head", ("none", "interpolate"))):
            if getattr(self, name) not in words:
                raise CombinationError(
                    f"{name}: expected one of {', '.join(words)}, received {getattr(self, name)!r}"
                )
        if len(set(self.domains)) < len(self.domains):
            raise CombinationError(f"expected each head once, received {', '.join(self.domains)}")


PAPER = {
    "coco": Combination("first", ("coco",), head="interpolate"),
    "posetrack": Combination("first", ("posetrack",)),
    "coco+posetrack": Combination("first", ("coco", "posetrack")),
    "A": Combination("first", ("coco", "mpii")),
    "B": Combination("vote", ("coco", "mpii", "posetrack")),
}
"""The rows of MDPN's Table 1, right. Of (A), nose is COCO's, neck and head_top are MPII's."""


class HeadCombiner:
    """Applies a combination to the heads of a network.

    Args:
        combination: what is wanted.
        skeletons: domain -> keypoints of its head.

    `present` (K',) says which keypoints of the combination's skeleton a head gives.

    Raises:
        CombinationError: a head that is not there, or heads without any keypoint of the skeleton.
    """

    def __init__(self, combination: Combination, skeletons: Mapping[str, Skeleton]):
        domains = combination.domains or tuple(skeletons)
        unknown = [name for name in domains if name not in skeletons]
        if unknown:
            raise CombinationError(
                f"expected heads out of {', '.join(skeletons)}, received {', '.join(unknown)}"
            )
        self.combination = combination
        self.skeleton = combination.skeleton
        sources = [_sources(name, domains, skeletons) for name in self.skeleton.names]
        self.present = np.flatnonzero([bool(found) for found in sources])
        if not len(self.present):
            raise CombinationError(
                f"expected heads with keypoints of {self.skeleton.name!r} "
                f"({', '.join(self.skeleton.names)}), received {', '.join(domains)}"
            )
        limit = 1 if combination.kind == "first" else len(domains)
        self._domains = domains
        self._weights = _weights([found[:limit] for found in sources if found], domains, skeletons)

    def maps(self, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Combines heatmaps.

        Args:
            maps: domain -> (N, h, w, K of the domain).

        Returns:
            (N, h, w, K') of the keypoints `present`.
        """
        channels = [np.asarray(maps[domain], np.float32) for domain in self._domains]
        channels = channels[0] if len(channels) == 1 else np.concatenate(channels, axis=-1)
        weights = self._weights
        same = weights.shape == (len(weights), len(weights)) and (weights == np.eye(len(weights)))
        return channels if np.all(same) else channels @ weights

    def keypoints(self, found: np.ndarray) -> np.ndarray:
        """Puts keypoints into the skeleton's places, and makes what is to be interpolated.

        Args:
            found: (N, K', 3) x, y, score of the keypoints `present`.

        Returns:
            (N, K, 3) of the combination's skeleton; 0, 0, 0 where no head has a keypoint.
        """
        keypoints = np.zeros((len(found), self.skeleton.num_keypoints, 3), np.float32)
        keypoints[:, self.present] = found
        if self.combination.head == "none":
            return keypoints
        missing = set(self.skeleton.names) - {self.skeleton.names[i] for i in self.present}
        return interpolate_head(keypoints, self.skeleton, missing, self.combination.head_top)


def interpolate_head(
    keypoints: np.ndarray,
    skeleton: Skeleton,
    wanted: set[str] | tuple[str, ...] = ("neck", "head_top"),
    head_top: float = HEAD_TOP,
) -> np.ndarray:
    """Places the neck between the shoulders, and the top of the head beyond the nose.

    Args:
        keypoints: (N, K, 3) x, y, score.
        skeleton: of them.
        wanted: which of neck and head_top to make; others of its names do not matter.
        head_top: distance from nose to head_top over that from neck to nose.

    Returns:
        (N, K, 3). A made keypoint has the least score of those it is made of; with 0 it is 0, 0, 0.
        One that the skeleton lacks, or lacks the parts of, is not made.
    """
    keypoints = np.array(keypoints, np.float32)
    places = {name: index for index, name in enumerate(skeleton.names)}
    rules = {
        "neck": ("left_shoulder", "right_shoulder", 0.5, 0.5),
        "head_top": ("nose", "neck", 1 + head_top, -head_top),
    }
    for name, (first, second, one, other) in rules.items():
        if name in wanted and {name, first, second} <= places.keys():
            a, b = keypoints[:, places[first]], keypoints[:, places[second]]
            scores = np.minimum(a[:, 2:], b[:, 2:])
            made = np.concatenate([one * a[:, :2] + other * b[:, :2], scores], axis=-1)
            keypoints[:, places[name]] = np.where(scores > 0, made, 0)
    return keypoints


def _sources(keypoint: str, domains, skeletons) -> list[tuple[str, int]]:
    return [
        (domain, skeletons[domain].names.index(keypoint))
        for domain in domains
        if keypoint in skeletons[domain].names
    ]


def _weights(sources: list[list[tuple[str, int]]], domains, skeletons) -> np.ndarray:
    """Matrix (channels of all domains, K') float32; its product with maps is the combination."""
    counts = [skeletons[domain].num_keypoints for domain in domains]
    first = dict(zip(domains, np.cumsum([0, *counts]), strict=False))
    weights = np.zeros((sum(counts), len(sources)), np.float32)
    for column, found in enumerate(sources):
        for domain, channel in found:
            weights[first[domain] + channel, column] = 1 / len(found)
    return weights
