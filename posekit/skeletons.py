"""The built-in skeletons, and skeletons read from YAML or from a COCO file's own category."""

import re
import warnings
from pathlib import Path
from typing import Any

import yaml

from posekit.regular_files import check_regular
from posekit.skeleton_definition import Skeleton, index_map, remap_keypoints, union

__all__ = [
    "COCO",
    "DEFAULT_SIGMA",
    "MDPN_UNION",
    "MPII",
    "POSETRACK",
    "POSETRACK_FILE",
    "Skeleton",
    "common_name",
    "index_map",
    "load_skeleton",
    "remap_keypoints",
    "save_skeleton",
    "skeleton_from_category",
    "union",
]


# Names that files use -> ours. PoseTrack's head_bottom and MPII's upper neck are one point.
_ALIASES = {
    "head_bottom": "neck",
    "upper_neck": "neck",
    "upperneck": "neck",
    "top_head": "head_top",
}
_MAX_BYTES = 100_000
"""Of a YAML file; a thousand keypoints with their limbs fit in."""
_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}
_SIDE = re.compile(r"(?<![a-z])(left|right|l|r)(?![a-z])")


def _mirror_flip(names: tuple[str, ...]) -> tuple[int, ...]:
    """Pairs each left with its right: "left_ear", "L_Ear" and "medial_left_bow" alike."""
    lower = [name.lower() for name in names]
    partners = [_SIDE.sub(lambda side: _SIDES[side[0]], name) for name in lower]
    alone = [name for name, partner in zip(names, partners, strict=True) if partner not in lower]
    if alone:
        raise ValueError(
            f"keypoint {alone[0]!r}: expected a partner on the other side among the names, found "
            "none; write the skeleton as YAML with its flip given"
        )
    return tuple(map(lower.index, partners))


def _skeleton(name: str, names: str, limbs: str, sigmas: tuple[float, ...]) -> Skeleton:
    words = tuple(names.split())
    pairs = (limb.split("-") for limb in limbs.split())
    edges = tuple((words.index(a), words.index(b)) for a, b in pairs)
    return Skeleton(name, words, edges, _mirror_flip(words), sigmas)


_LEGS = (
    "left_ankle-left_knee left_knee-left_hip right_ankle-right_knee right_knee-right_hip "
    "left_hip-right_hip "
)
_ARMS = (
    "left_shoulder-left_elbow right_shoulder-right_elbow left_elbow-left_wrist "
    "right_elbow-right_wrist "
)
_TRUNK = "left_shoulder-left_hip right_shoulder-right_hip left_shoulder-right_shoulder "

# Order and limbs of person_keypoints_*.json; sigmas of COCOeval (which writes them times 10).
COCO = _skeleton(
    "coco",
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle",
    _LEGS + _TRUNK + _ARMS + "left_eye-right_eye nose-left_eye nose-right_eye left_eye-left_ear "
    "right_eye-right_ear left_ear-left_shoulder right_ear-right_shoulder",
    (0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062)
    + (0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)

# No official sigmas exist; these are the field's (MMPose, configs of the MPII data set).
MPII = _skeleton(
    "mpii",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax neck head_top "
    "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist",
    "right_ankle-right_knee right_knee-right_hip right_hip-pelvis left_hip-pelvis "
    "left_hip-left_knee left_knee-left_ankle pelvis-thorax thorax-neck neck-head_top "
    "right_wrist-right_elbow right_elbow-right_shoulder right_shoulder-thorax "
    "left_shoulder-thorax left_shoulder-left_elbow left_elbow-left_wrist",
    (0.089, 0.083, 0.107, 0.107, 0.083, 0.089, 0.026, 0.026, 0.026, 0.026)
    + (0.062, 0.072, 0.179, 0.179, 0.072, 0.062),
)

_HEAD = "left_shoulder-neck right_shoulder-neck neck-nose nose-head_top "

# The order of PoseTrack17 and of the evaluation; sigmas as in the file form below.
POSETRACK = _skeleton(
    "posetrack",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow "
    "right_shoulder left_shoulder left_elbow left_wrist neck nose head_top",
    _LEGS + _TRUNK + _ARMS + _HEAD,
    (0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.062, 0.072, 0.079, 0.079, 0.072, 0.062)
    + (0.025, 0.026, 0.025),
)

# PoseTrack18 files list two ears that nobody annotated, and call the neck head_bottom.
# No official sigmas exist; these are the field's (MMPose, configs of the PoseTrack18 data set).
POSETRACK_FILE = _skeleton(
    "posetrack_file",
    "nose neck head_top left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
    _LEGS + _TRUNK + _ARMS + _HEAD + "nose-left_ear nose-right_ear",
    (0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062)
    + (0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)


# The "21 keypoints" of MDPN's mixed set: the paper lists no names, the union gives the number.
MDPN_UNION = union(COCO, POSETRACK, MPII, name="mdpn_union")

# For a keypoint whose sigma nobody states: the mean of COCO's seventeen.
DEFAULT_SIGMA = 0.067
_KNOWN_SIGMAS = dict(zip(MDPN_UNION.names, MDPN_UNION.sigmas, strict=True))


def common_name(name: str) -> str:
    """Translates a file's name of a keypoint into ours; unknown names stay as they are.

    "head_bottom", "upper neck" -> "neck"; "r_ankle", "Right Ankle" -> "right_ankle".
    """
    plain = re.sub(r"[\s-]+", "_", name.strip().lower())
    plain = re.sub(r"^l_", "left_", re.sub(r"^r_", "right_", plain))
    plain = _ALIASES.get(plain, plain)
    return plain if plain in MDPN_UNION.names else name


def _default_sigmas(names: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(_KNOWN_SIGMAS.get(name, DEFAULT_SIGMA) for name in names)


def _common_names(names: Any, where: str) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"{where}: keypoints: expected a list of names, received {names!r:.200}; "
            "in YAML put words such as no, yes and numbers in quotes"
        )
    return tuple(map(common_name, names))


def skeleton_from_category(category: dict[str, Any]) -> Skeleton:
    """Makes a skeleton from an entry of a COCO annotation file's `categories`.

    Args:
        category: with `name`, `keypoints` (names) and, where present, `skeleton` (1-based pairs).

    Returns:
        Names as `common_name` gives them; mirror pairs from left and right in the names; sigmas of
        `MDPN_UNION` by name (COCO's where COCO has the keypoint), else `DEFAULT_SIGMA`. Without
        usable limbs (files of CrowdPose carry those of COCO), the limbs of `MDPN_UNION`.

    Raises:
        ValueError: naming the category and the field.
    """
    name = category.get("name", "category")
    where = f"category {name!r}"
    names = _common_names(category.get("keypoints"), where)
    limbs = _one_based_limbs(category.get("skeleton", []), len(names), where)
    try:
        return Skeleton(
            name, names, limbs or _known_limbs(names), _mirror_flip(names), _default_sigmas(names)
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _one_based_limbs(limbs: Any, count: int, where: str) -> tuple[tuple[int, int], ...]:
    """Returns 0-based limbs, none where they cannot belong to this category."""
    try:
        pairs = tuple((int(a) - 1, int(b) - 1) for a, b in limbs)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: skeleton: expected pairs of numbers, received {limbs!r}"
        ) from error
    if any(not (0 <= end < count) for limb in pairs for end in limb):
        warnings.warn(
            f"{where}: skeleton: expected 1-based indices up to {count}, received {limbs!r}; "
            "drawing limbs by keypoint names instead",
            stacklevel=3,
        )
        return ()
    return pairs


def _known_limbs(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    ends = ((MDPN_UNION.names[a], MDPN_UNION.names[b]) for a, b in MDPN_UNION.limbs)
    return tuple((names.index(a), names.index(b)) for a, b in ends if a in names and b in names)


def load_skeleton(path: str | Path) -> Skeleton:
    """Reads a skeleton from YAML.

    ```yaml
    name: hand
    keypoints: [wrist, left_tip, right_tip]
    limbs: [[wrist, left_tip], [wrist, right_tip]]  # optional; names, or 0-based indices
    flip: [wrist, right_tip, left_tip]              # optional: else left and right in the names
    sigmas: [0.05, 0.06, 0.06]                      # optional: else as skeleton_from_category
    ```

    Raises:
        ValueError: naming the file and the field.
        OSError: when the file cannot be read.
    """
    path = Path(path)
    try:
        return _skeleton_from_fields(_read_yaml(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error


def _read_yaml(path: Path) -> Any:
    """Reads a short file in which nothing refers to another part: a few such lines are millions."""
    check_regular(path)
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise ValueError(f"expected at most {_MAX_BYTES} bytes, received {size}")
    data = path.read_bytes()
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data)):
        raise ValueError("expected YAML without aliases (*name)")
    return yaml.safe_load(data)


def _skeleton_from_fields(fields: Any) -> Skeleton:
    known = {"name", "keypoints", "limbs", "flip", "sigmas"}
    if not isinstance(fields, dict) or not {"name", "keypoints"} <= fields.keys() <= known:
        raise ValueError(
            f"expected the fields name, keypoints and no others than {sorted(known)}, "
            f"received {sorted(map(str, fields)) if isinstance(fields, dict) else fields!r}"
        )
    names = _common_names(fields["keypoints"], "skeleton")
    limbs = tuple(_indices(limb, names, "limbs") for limb in _as_list(fields, "limbs"))
    flip = _indices(_as_list(fields, "flip"), names, "flip") or _mirror_flip(names)
    sigmas = tuple(_as_list(fields, "sigmas")) or _default_sigmas(names)
    return Skeleton(fields["name"], names, limbs, flip, sigmas)


def _as_list(fields: dict[str, Any], key: str) -> list[Any]:
    value = fields.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key}: expected a list, received {value!r}")
    return value


def _indices(items: Any, names: tuple[str, ...], key: str) -> tuple[int, ...]:
    """Turns names into indices; indices pass."""
    if not isinstance(items, list):
        raise ValueError(f"{key}: expected a list of keypoints, received {items!r}")
    words = [common_name(item) if isinstance(item, str) else item for item in items]
    unknown = [word for word in words if isinstance(word, str) and word not in names]
    if unknown:
        raise ValueError(f"{key}: expected names out of {list(names)}, received {unknown[0]!r}")
    return tuple(names.index(word) if isinstance(word, str) else word for word in words)


def save_skeleton(path: str | Path, skeleton: Skeleton) -> None:
    """Writes a skeleton as YAML that `load_skeleton` reads back equal."""
    names = skeleton.names
    fields = {
        "name": skeleton.name,
        "keypoints": list(names),
        "limbs": [[names[a], names[b]] for a, b in skeleton.limbs],
        "flip": [names[index] for index in skeleton.flip],
        "sigmas": list(map(float, skeleton.sigmas)),
    }
    Path(path).write_text(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True), "utf-8")
