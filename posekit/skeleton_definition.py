"""What a skeleton is: names, limbs, mirror pairs, OKS sigmas; unions, and mappings by name."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """A set of named keypoints.

    Args:
        name: what the set is called.
        names: K unique keypoint names, in the order of the arrays' keypoint axis.
        limbs: pairs of keypoint indices to join by a line.
        flip: K indices; `keypoints[:, flip]` is what a mirrored image shows. An involution.
        sigmas: K positive OKS constants (sigma, not the doubled value COCO squares).

    Raises:
        ValueError: naming the first entry that does not fit.
    """

    name: str
    names: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    flip: tuple[int, ...]
    sigmas: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_names(self.name, self.names)
        _check_limbs(self.name, self.limbs, len(self.names))
        _check_flip(self.name, self.flip, self.names)
        _check_sigmas(self.name, self.sigmas, self.names)

    @property
    def num_keypoints(self) -> int:
        """K, the number of keypoints."""
        return len(self.names)


def _check_names(name: str, names: tuple[str, ...]) -> None:
    for text in (name, *names):
        if not isinstance(text, str) or not text:
            raise ValueError(
                f"skeleton {name!r}: expected names as non-empty text, received {text!r}; "
                "in YAML put words such as no, yes and numbers in quotes"
            )
    repeated = sorted({text for text in names if names.count(text) > 1})
    if repeated or not names:
        raise ValueError(
            f"skeleton {name!r}: expected at least one keypoint and no name twice, received "
            f"{len(names)} names, repeated {repeated}; note that aliases count as one name"
        )


def _check_limbs(name: str, limbs: tuple[tuple[int, int], ...], count: int) -> None:
    for number, limb in enumerate(limbs):
        whole = len(limb) == 2 and all(type(end) is int and 0 <= end < count for end in limb)
        if not whole or limb[0] == limb[1]:
            raise ValueError(
                f"skeleton {name!r}: limb {number}: expected two different 0-based keypoint "
                f"indices below {count}, received {limb!r}"
            )


def _check_flip(name: str, flip: tuple[int, ...], names: tuple[str, ...]) -> None:
    if len(flip) != len(names) or any(type(i) is not int for i in flip):
        raise ValueError(
            f"skeleton {name!r}: flip: expected {len(names)} indices, one per keypoint, "
            f"received {flip!r}"
        )
    for index, partner in enumerate(flip):
        if not 0 <= partner < len(names) or flip[partner] != index:
            raise ValueError(
                f"skeleton {name!r}: flip: expected an involution (mirroring twice restores "
                f"every keypoint), received {names[index]!r} -> {partner!r} without the way back"
            )


def _check_sigmas(name: str, sigmas: tuple[float, ...], names: tuple[str, ...]) -> None:
    if len(sigmas) != len(names):
        raise ValueError(
            f"skeleton {name!r}: sigmas: expected {len(names)} numbers, received {len(sigmas)}"
        )
    for keypoint, sigma in zip(names, sigmas, strict=True):
        number = isinstance(sigma, (int, float)) and not isinstance(sigma, bool)
        if not number or not 0 < sigma < math.inf:
            raise ValueError(
                f"skeleton {name!r}: sigmas: expected positive finite numbers, received "
                f"{sigma!r} for {keypoint!r}"
            )


def union(*skeletons: Skeleton, name: str) -> Skeleton:
    """Joins skeletons by keypoint name.

    Args:
        *skeletons: the first to name a keypoint gives its place and its sigma.
        name: of the union.

    Returns:
        Every keypoint once, every limb once.

    Raises:
        ValueError: when two skeletons mirror one keypoint differently.
    """
    names = tuple(dict.fromkeys(keypoint for s in skeletons for keypoint in s.names))
    limbs: dict[frozenset[int], tuple[int, int]] = {}
    partners: dict[str, str] = {}
    sigmas: dict[str, float] = {}
    for s in skeletons:
        for limb in s.limbs:
            a, b = (names.index(s.names[end]) for end in limb)
            limbs.setdefault(frozenset((a, b)), (a, b))
        mirrored = ((n, s.names[i]) for n, i in zip(s.names, s.flip, strict=True))
        partners = {a: b for a, b in mirrored if a != b} | partners
        sigmas = dict(zip(s.names, s.sigmas, strict=True)) | sigmas
    flip = tuple(names.index(partners.get(keypoint, keypoint)) for keypoint in names)
    return Skeleton(name, names, tuple(limbs.values()), flip, tuple(sigmas[n] for n in names))


def index_map(source: Skeleton, target: Skeleton) -> np.ndarray:
    """Says where each keypoint of the target stands in the source.

    Returns:
        (K_target,) int64 indices into the source's keypoints, -1 where the source lacks the name.
    """
    places = {keypoint: index for index, keypoint in enumerate(source.names)}
    return np.array([places.get(keypoint, -1) for keypoint in target.names], np.int64)


def remap_keypoints(keypoints: np.ndarray, source: Skeleton, target: Skeleton) -> np.ndarray:
    """Reorders keypoints from one skeleton to another by name.

    Args:
        keypoints: (N, K_source, 3) x, y and visibility or score.
        source: skeleton of the keypoints.
        target: skeleton wanted.

    Returns:
        (N, K_target, 3) of the same dtype; a keypoint that the source lacks is (0, 0, 0).

    Raises:
        ValueError: when the keypoints do not belong to the source.
    """
    keypoints = np.asarray(keypoints)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (source.num_keypoints, 3):
        raise ValueError(
            f"expected keypoints (N, {source.num_keypoints}, 3) of skeleton {source.name!r}, "
            f"received {keypoints.shape}; pass the skeleton they were made with as source"
        )
    indices = index_map(source, target)
    return np.where((indices >= 0)[:, None], keypoints[:, indices], keypoints.dtype.type(0))
