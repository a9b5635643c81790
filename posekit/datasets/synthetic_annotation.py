"""What is known of the people in a drawn picture: keypoints, boxes, areas, masks."""

import numpy as np

from posekit.datasets.synthetic_body import PART, PARTS, Figure
from posekit.datasets.synthetic_frame import Scene, person_map
from posekit.datasets.synthetic_pose import JOINT
from posekit.skeletons import MDPN_UNION, Skeleton, remap_keypoints

_NUM_KEYPOINTS = MDPN_UNION.num_keypoints
# The parts that hold a keypoint; {s} stands for left_ and right_.
_HOLDERS = {
    "nose": "nose head",
    "neck": "neck head torso",
    "head_top": "head hair",
    "pelvis": "pelvis torso skirt",
    "thorax": "torso neck",
    "eye": "head",
    "ear": "{s}ear head",
    "shoulder": "torso {s}upper_arm skirt",
    "elbow": "{s}upper_arm {s}forearm",
    "wrist": "{s}forearm {s}hand",
    "hip": "pelvis torso skirt {s}thigh",
    "knee": "{s}thigh {s}shin",
    "ankle": "{s}shin {s}foot",
}


def annotate(
    scene: Scene, figures: list[Figure], owner: np.ndarray, skeleton: Skeleton, joined: bool
) -> dict[str, np.ndarray]:
    """Describes the people in a picture.

    Args:
        scene: what was drawn.
        figures: its N people.
        owner: (H, W) from `draw`.
        skeleton: keypoints wanted.
        joined: whether the people far away make one crowd if there are several.

    Returns:
        The example of `render_image` without the image, with masks, and people: (N,) int64
        indices into the scene's crowd of those seen (of a crowd: its first).
    """
    far = np.array([person.far for person in scene.crowd], bool)
    member = far & (joined and far.sum() > 1)
    row_of = np.where(member, far.argmax() if len(far) else 0, np.arange(len(far)))
    shown = np.append(row_of, -1)[person_map(owner, len(far))]
    area = np.bincount(shown[shown >= 0], minlength=len(far))
    rows = np.flatnonzero(area)
    masks = shown == rows[:, None, None]
    all_keypoints = [keypoints_in_image(figures[i], owner, 1 + i * len(PARTS)) for i in rows]
    keypoints = np.array(all_keypoints, np.float32).reshape(-1, MDPN_UNION.num_keypoints, 3)
    keypoints = remap_keypoints(keypoints, MDPN_UNION, skeleton)
    little = area[rows] < max(0.0015 * owner.size, 30)
    little |= (keypoints[..., 2] == 2).sum(-1) < min(3, skeleton.num_keypoints)
    unlabelled = far[rows] | little
    keypoints[unlabelled] = 0
    return {
        "keypoints": keypoints,
        "boxes": boxes_of_masks(masks),
        "areas": area[rows].astype(np.float32),
        "is_crowd": member[rows],
        "person_mask": shown >= 0,
        "ignore_mask": masks[unlabelled].any(0),
        "unknown_mask": np.zeros(owner.shape, bool),
        "masks": masks,
        "people": rows.astype(np.int64),
    }


def keypoints_in_image(figure: Figure, owner: np.ndarray, base: int) -> np.ndarray:
    """(21, 3) x, y, v of the union skeleton; 0, 0, 0 outside the image."""
    points = figure.joints[:_NUM_KEYPOINTS, :2]
    cells = np.rint(points).astype(int)
    height, width = owner.shape
    inside = ((cells >= 0) & (cells < (width, height))).all(-1)
    x, y = np.where(inside[:, None], cells, 0).T
    top = owner[y, x].astype(int) - base
    top = np.where(inside & (top >= 0) & (top < len(PARTS)), top, -1)
    visible = np.where(inside, 1 + seen_keypoints(figure, top), 0)
    return np.column_stack([points * inside[:, None], visible])


def boxes_of_masks(masks: np.ndarray) -> np.ndarray:
    """(N, 4) float32 xyxy of (N, H, W) masks, none empty; ends are one after the last pixel."""
    ends = []
    for axis in (1, 2):
        line = masks.any(axis)
        ends.append((line.argmax(1), line.shape[1] - line[:, ::-1].argmax(1)))
    (x0, x1), (y0, y1) = ends
    return np.stack([x0, y0, x1, y1], -1).astype(np.float32)


def _shown_by() -> np.ndarray:
    """(K, P) bool: a keypoint is seen where one of these parts is on top."""
    table = np.zeros((_NUM_KEYPOINTS, len(PARTS)), bool)
    for index, name in enumerate(MDPN_UNION.names):
        side, _, rest = name.partition("_")
        parts = _HOLDERS[name if name in _HOLDERS else rest].format(s=f"{side}_").split()
        table[index, [PART[part] for part in parts]] = True
    return table


_SHOWN_BY = _shown_by()
_OWN_LIMB = _SHOWN_BY & np.array([part.name.startswith(("left", "right")) for part in PARTS])


def _indices(names: str) -> list[int]:
    return [JOINT[name] for name in names.split()]


# Keypoints that the body hides when they lie behind another joint by more than a share of the
# shoulders' half width, unless their own limb is on top.
_SIDED = _indices(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_hip right_hip"
)
_BEFORE = _indices("head " * 5 + "thorax thorax pelvis pelvis")
_SLACK = np.array([0.01] * 3 + [0.15] * 2 + [0.7] * 2 + [0.36] * 2)


def seen_keypoints(figure: Figure, top: np.ndarray) -> np.ndarray:
    """Says which keypoints the camera sees.

    Args:
        figure: the person.
        top: (K,) index of the person's part that is on top at each keypoint, -1 where none is.

    Returns:
        (K,) bool. A keypoint is inside the body, so it counts as seen where a part that holds it
        is on top and it is not on the body's far side.
    """
    keypoints = np.arange(_NUM_KEYPOINTS)
    seen = (top >= 0) & _SHOWN_BY[keypoints, top]
    behind = np.zeros(_NUM_KEYPOINTS, bool)
    depth = figure.joints[:, 2]
    behind[_SIDED] = depth[_SIDED] > depth[_BEFORE] + _SLACK * figure.shoulder
    return seen & ~(behind & ~_OWN_LIMB[keypoints, top])
