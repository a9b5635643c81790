"""Poses of drawn people: what a body does, as angles, and where that puts its joints.

A body has its own axes: l to its left, u up, f forward; lengths are shares of its height.
"""

import dataclasses

import numpy as np

from posekit.skeletons import MDPN_UNION

# Points that carry no keypoint but hold the body's parts together.
_HELPERS = (
    "head left_finger right_finger left_heel right_heel left_toe right_toe left_chest right_chest "
    "left_waist right_waist left_hem right_hem hair_top nape left_pack right_pack pack"
)
JOINTS = MDPN_UNION.names + tuple(_HELPERS.split())
JOINT = {name: index for index, name in enumerate(JOINTS)}

_SIDE = np.array([1.0, -1.0])  # left, right

# Flexion (forward) and abduction (outward) in degrees of upper arm and forearm; 0, 0 hangs down.
_ARMS = {
    "hanging": (0, 9, 12, 5),
    "hip": (-15, 48, 15, -48),
    "pocket": (-12, 18, 22, -12),
    "crossed": (28, 6, 70, -68),
    "phone": (22, 14, 152, -8),
    "wave": (10, 88, 150, 20),
    "overhead": (165, 15, 174, 6),
    "forward": (82, 4, 86, 0),
    "out": (5, 84, 8, 86),
    "lap": (28, 9, 68, -14),
    "run": (-5, 12, 82, -8),
}
# The same of thigh and shin, then the trunk's lean forward.
_LEGS = {
    "stand": (1, 4, -2, 3, 2),
    "wide": (0, 17, -3, 14, 3),
    "walk": (5, 3, -12, 2, 4),
    "run": (18, 3, -42, 2, 13),
    "sit": (86, 9, -4, 4, 5),
    "squat": (108, 16, -38, 9, 34),
    "bend": (6, 7, -8, 6, 82),
    "lunge": (30, 4, -25, 3, 20),
}
_ACTIVITIES = {
    "stand": (0.30, ("hanging", "hanging", "hip", "pocket", "phone", "crossed", "forward")),
    "wide": (0.10, ("overhead", "out", "wave", "hip", "forward", "hanging")),
    "walk": (0.24, ("hanging", "hanging", "hanging", "phone", "run")),
    "run": (0.10, ("run",)),
    "sit": (0.12, ("lap", "lap", "phone", "hanging", "crossed", "wave")),
    "squat": (0.05, ("lap", "hanging", "forward")),
    "bend": (0.06, ("hanging", "hanging", "forward")),
    "lunge": (0.03, ("forward", "out", "wave", "hip")),
}
# Swing of each limb's flexion in degrees, and its phase behind the left thigh; a leg's forward
# swing goes with the other side's arm.
_GAITS = {
    "walk": ((18, 24, 25, 34), (180, 165, 0, -35)),
    "run": ((38, 36, 44, 50), (180, 172, 0, -48)),
}
_STRIDES = {"walk": 0.82, "run": 1.35}  # two steps, in body heights


@dataclasses.dataclass(frozen=True)
class Pose:
    """What a body does.

    Args:
        activity: name of the pose, such as "walk".
        limbs: (4, 2, 2) degrees; upper arm, forearm, thigh, shin; left, right; flexion, abduction.
        swing: (4, 2) degrees by which the flexion swings during a gait.
        lag: (4, 2) degrees of phase of that swing.
        trunk: (3,) degrees; lean forward, lean to the left, twist to the left.
        head: (3,) degrees; down, to the left shoulder, turned to the left.
        roll: degrees by which the whole body lies on its side in the image.
        stride: distance of two steps in body heights.
    """

    activity: str
    limbs: np.ndarray
    swing: np.ndarray
    lag: np.ndarray
    trunk: np.ndarray
    head: np.ndarray
    roll: float
    stride: float


@dataclasses.dataclass(frozen=True)
class Proportions:
    """Lengths of a body as shares of its height, before `build` and `head` change them."""

    build: float = 1.0
    """Width of everything but the head."""
    head: float = 1.0
    """Size of the head: about 1.35 for a child."""
    shoulders: float = 0.112
    hips: float = 0.058
    trunk: float = 0.295
    legs: tuple[float, float] = (0.236, 0.242)
    arms: tuple[float, float, float] = (0.17, 0.145, 0.085)


def random_pose(rng: np.random.Generator, activities: tuple[str, ...] | None = None) -> Pose:
    """Draws a pose; one in fifty lies down.

    Args:
        rng: source of chance.
        activities: keys of the activity table to choose from; all when None.
    """
    names = activities or tuple(_ACTIVITIES)
    chance = np.array([_ACTIVITIES[name][0] for name in names])
    activity = names[rng.choice(len(names), p=chance / chance.sum())]
    choices = _ACTIVITIES[activity][1]
    arms = [_ARMS[choices[i]] for i in rng.integers(len(choices), size=2)]
    if rng.random() < 0.5:
        arms[1] = arms[0]
    *leg, lean = _LEGS[activity]
    limbs = np.array(
        [[arm[:2] for arm in arms], [arm[2:] for arm in arms], [leg[:2]] * 2, [leg[2:]] * 2], float
    )
    limbs += rng.normal(0, 5, limbs.shape)
    if activity == "lunge":
        limbs[2:, 1, 0] -= (50, 25)
    trunk = rng.normal((lean, 0, 0), (4 + 0.2 * lean, 4, 7))
    limbs[:2, :, 0] += trunk[0] * (activity in ("bend", "squat"))  # arms hang from a bent trunk
    swing, lag = _GAITS.get(activity, (rng.uniform(0, 7, 4), rng.uniform(0, 360, 4)))
    return Pose(
        activity,
        limbs,
        np.repeat(np.array(swing, float)[:, None], 2, 1) * rng.uniform(0.75, 1.15),
        np.array(lag, float)[:, None] + (0, 180),
        trunk,
        rng.normal((-0.3 * max(lean - 30, 0), 0, 0), (10, 6, 22)),
        rng.choice((-90.0, 90.0)) + rng.normal(0, 6) if rng.random() < 0.02 else 0.0,
        _STRIDES.get(activity, 1.0),
    )


def limb_angles(pose: Pose, phase: float) -> np.ndarray:
    """The limbs' (4, 2, 2) angles at a phase (radians) of the gait; no knee bends forward."""
    angles = pose.limbs.copy()
    angles[..., 0] += pose.swing * np.sin(phase + np.radians(pose.lag))
    angles[3, :, 0] = np.minimum(angles[3, :, 0], angles[2, :, 0] - 2)
    return angles


def _directions(angles: np.ndarray) -> np.ndarray:
    """(..., 2 sides, 2) degrees -> (..., 2 sides, 3) unit vectors l, u, f."""
    flexion, abduction = np.moveaxis(np.radians(angles), -1, 0)
    out, along = np.sin(abduction), np.cos(abduction)
    return np.stack([_SIDE * out, -along * np.cos(flexion), along * np.sin(flexion)], -1)


def turn(forward: float, left: float, about: float) -> np.ndarray:
    """Rotates the body's axes: turned to the left, then leaning forward, then left (degrees).

    Returns:
        (3, 3); its columns are the turned l, u and f.
    """
    (cf, cl, ca), (sf, sl, sa) = (f(np.radians((forward, left, about))) for f in (np.cos, np.sin))
    lean = np.array([[1, 0, 0], [0, cf, -sf], [0, sf, cf]])
    side = np.array([[cl, sl, 0], [-sl, cl, 0], [0, 0, 1]])
    twist = np.array([[ca, 0, sa], [0, 1, 0], [-sa, 0, ca]])
    return side @ lean @ twist


def head_radii(body: Proportions) -> np.ndarray:
    """Half the head's width, height and depth in body heights, (3,)."""
    return np.array([0.052, 0.068, 0.06]) * body.head


def body_joints(pose: Pose, body: Proportions, phase: float) -> tuple[np.ndarray, np.ndarray]:
    """Places the joints of a body.

    Args:
        pose: what it does.
        body: how long its parts are.
        phase: of the gait, in radians.

    Returns:
        joints: (J, 3) float64 l, u, f in body heights, order `JOINTS`; the pelvis is the origin.
        head: (3, 3) rotation whose columns are the head's left, up and forward.
    """
    points = np.zeros((len(JOINTS), 3))
    trunk, pelvis = turn(*pose.trunk), turn(0, 0, -0.5 * pose.trunk[2])
    limbs = _directions(limb_angles(pose, phase))
    head = trunk @ turn(*pose.head)
    _place_trunk(points, body, trunk, pelvis)
    _place_head(points, body, trunk, head)
    _place_arms(points, body, limbs[:2] @ trunk.T)
    _place_legs(points, body, limbs[2:], pelvis)
    return points, head


def _both(name: str) -> list[int]:
    return [JOINT[f"left_{name}"], JOINT[f"right_{name}"]]


def _sides(out: float, up: float, forward: float) -> np.ndarray:
    """(2, 3) l, u, f of the left and the right copy of a point."""
    return np.stack([_SIDE * out, [up] * 2, [forward] * 2], -1)


def _place_trunk(
    points: np.ndarray, body: Proportions, trunk: np.ndarray, pelvis: np.ndarray
) -> None:
    width, length = body.build, body.trunk
    points[JOINT["thorax"]] = trunk @ (0, length, 0)
    points[_both("shoulder")] = _sides(body.shoulders, length, 0) @ trunk.T
    points[_both("chest")] = _sides(body.shoulders - 0.03, 0.93 * length, 0) @ trunk.T
    points[_both("waist")] = _sides(0.034 * width, 0.3 * length, 0) @ trunk.T
    points[_both("pack")] = _sides(0.05, 0.9 * length, -0.09) @ trunk.T
    points[JOINT["pack"]] = trunk @ (0, 0.4 * length, -0.1)
    points[_both("hip")] = _sides(body.hips, 0, 0) @ pelvis.T


def _place_head(points: np.ndarray, body: Proportions, trunk: np.ndarray, head: np.ndarray) -> None:
    points[JOINT["neck"]] = neck = points[JOINT["thorax"]] + trunk @ (0, 0.043, 0.008)
    points[JOINT["head"]] = centre = neck + head @ (0, 0.066 * body.head, 0.012)
    surface = head_radii(body)
    marks = {
        "nose": (0, -0.22, 1.08),
        "head_top": (0, 1, 0),
        "hair_top": (0, 0.35, -0.5),
        "nape": (0, -1.15, -0.75),
    }
    for name, mark in marks.items():
        points[JOINT[name]] = centre + head @ (mark * surface)
    for name, mark in {"eye": (0.38, 0.1, 0.92), "ear": (1.08, -0.1, -0.05)}.items():
        points[_both(name)] = centre + _sides(*mark) * surface @ head.T


def _place_arms(points: np.ndarray, body: Proportions, arms: np.ndarray) -> None:
    upper, lower, hand = body.arms
    points[_both("elbow")] = elbows = points[_both("shoulder")] + upper * arms[0]
    points[_both("wrist")] = wrists = elbows + lower * arms[1]
    points[_both("finger")] = wrists + hand * arms[1]


def _place_legs(
    points: np.ndarray, body: Proportions, legs: np.ndarray, pelvis: np.ndarray
) -> None:
    hips = points[_both("hip")]
    points[_both("knee")] = knees = hips + body.legs[0] * legs[0]
    points[_both("ankle")] = ankles = knees + body.legs[1] * legs[1]
    points[_both("hem")] = hips + (0.85 * body.legs[0]) * legs[0] + _sides(0.045, 0, 0)
    # The foot stands at a right angle to the shin and turns outward a little.
    shin = legs[1]
    forward = np.stack([shin[:, 0] * 0 + _SIDE * 0.12, shin[:, 2], -shin[:, 1]], -1) @ pelvis.T
    points[_both("toe")] = ankles + 0.115 * forward + 0.02 * shin
    points[_both("heel")] = ankles - 0.025 * forward + 0.02 * shin
