"""Bodies of drawn people seen by a camera: every part is the hull of a few balls."""

import dataclasses

import cv2
import numpy as np

from posekit.datasets.synthetic_pose import JOINT, Proportions, head_radii

_CIRCLE = np.stack([f(np.arange(16) * (np.pi / 8)) for f in (np.cos, np.sin)], -1)
# cv2's anti-aliased polygons are measured to reach this much farther than asked.
_OUTLINE = 0.6


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the body: the hull of balls, with a texture along an axis.

    Args:
        name: such as "left_forearm".
        balls: joints at the balls' centres.
        radii: of the balls in body heights.
        axis: joints where the texture starts and ends.
        material: what it is made of, a key of the person's looks.
        nearer: body heights by which it is drawn nearer than its balls' mean depth.
    """

    name: str
    balls: tuple[str, ...]
    radii: tuple[float, ...]
    axis: tuple[str, str]
    material: str
    nearer: float = 0.0


_WAIST = "left_waist right_waist "
# Name, balls, radii, axis, material, nearer; {s} stands for left and for right.
_TABLE = (
    ("torso", "left_chest right_chest " + _WAIST, "50 50 58 58", "thorax pelvis", "top", 0.03),
    ("pelvis", _WAIST + "left_hip right_hip", "50 50 61 61", "thorax pelvis", "bottom", -0.02),
    ("skirt", _WAIST + "left_hem right_hem", "52 52 62 62", "thorax pelvis", "bottom", 0.045),
    ("pack", "left_pack right_pack pack", "50 50 75", "thorax pelvis", "shoe", 0),
    ("neck", "neck thorax", "34 36", "neck thorax", "skin", 0),
    ("head", "head", "60", "head_top neck", "head", 0.03),
    ("hair", "hair_top nape", "50 52", "hair_top nape", "hair", 0),
    ("nose", "nose", "13", "head_top nose", "skin", 0.02),
    ("{s}_ear", "{s}_ear", "15", "head_top {s}_ear", "skin", 0.037),
    ("{s}_upper_arm", "{s}_shoulder {s}_elbow", "42 32", "{s}_shoulder {s}_elbow", "sleeve", 0.06),
    ("{s}_forearm", "{s}_elbow {s}_wrist", "31 21", "{s}_elbow {s}_wrist", "cuff", 0.065),
    ("{s}_hand", "{s}_wrist {s}_finger", "21 19", "{s}_wrist {s}_finger", "skin", 0.06),
    ("{s}_thigh", "{s}_hip {s}_knee", "63 44", "{s}_hip {s}_knee", "thigh", 0.01),
    ("{s}_shin", "{s}_knee {s}_ankle", "43 27", "{s}_knee {s}_ankle", "shin", 0.005),
    ("{s}_foot", "{s}_heel {s}_toe", "27 20", "{s}_ankle {s}_toe", "shoe", 0.005),
)


def _part(side: str, row: tuple[str, str, str, str, str, float]) -> Part:
    name, balls, thousandths, axis = (text.format(s=side) for text in row[:4])
    radii = tuple(int(number) / 1000 for number in thousandths.split())
    return Part(name, tuple(balls.split()), radii, tuple(axis.split()), *row[4:])


PARTS = tuple(_part("", row) for row in _TABLE if "{s}" not in row[0]) + tuple(
    _part(side, row) for side in ("left", "right") for row in _TABLE if "{s}" in row[0]
)
PART = {part.name: index for index, part in enumerate(PARTS)}
_BALLS = np.array([[JOINT[part.balls[i % len(part.balls)]] for i in range(4)] for part in PARTS])
_AXES = np.array([[JOINT[end] for end in part.axis] for part in PARTS])
_NEARER = np.array([part.nearer for part in PARTS])
_HEAD = PART["head"]
_HEAD_PARTS = [PART[name] for name in ("head", "hair", "nose", "left_ear", "right_ear")]


@dataclasses.dataclass(frozen=True)
class Measures:
    """How thick a body's parts are, and where their axes lie in their textures.

    Args:
        radii: (P, 4) of the parts' balls in body heights; parts of fewer balls repeat them.
        head: (3,) half the head's width, height and depth in body heights.
        shoulder: half the distance of the shoulders in body heights.
        length: (P,) texture pixels from axis start to axis end.
        margin: (P,) texture pixels before and behind the axis.
        half: (P,) half the texture's width in texture pixels.
    """

    radii: np.ndarray
    head: np.ndarray
    shoulder: float
    length: np.ndarray
    margin: np.ndarray
    half: np.ndarray


def measure(joints: np.ndarray, body: Proportions, scale: float) -> Measures:
    """Measures a body.

    Args:
        joints: (J, 3) in body heights, in any pose.
        body: its proportions.
        scale: texture pixels per body height.
    """
    radii = np.array([[p.radii[i % len(p.radii)] for i in range(4)] for p in PARTS])
    factor = np.full((len(PARTS), 1), body.build)
    factor[_HEAD_PARTS] = body.head
    radii *= factor
    start, end = np.moveaxis(joints[_AXES], 1, 0)
    length = np.linalg.norm(end - start, axis=-1)
    along = (end - start) / np.maximum(length, 1e-9)[:, None]
    offset = joints[_BALLS] - start[:, None]
    across = offset - (offset @ along[..., None]) * along[:, None]
    half = (np.linalg.norm(across, axis=-1) + radii).max(1)
    pixels = (np.maximum(scale * value, 2) for value in (length, radii.max(1), half))
    return Measures(radii, head_radii(body), body.shoulders, *pixels)


@dataclasses.dataclass(frozen=True)
class View:
    """How a person stands before the camera.

    Args:
        foot: (2,) image x, y of the lowest point.
        scale: image pixels per body height.
        yaw: degrees; 0 faces the camera, 90 faces the image's right side.
        pitch: degrees by which the camera looks down.
        roll: degrees of rotation in the image, clockwise.
    """

    foot: np.ndarray
    scale: float
    yaw: float
    pitch: float = 0.0
    roll: float = 0.0


def view_matrix(view: View) -> np.ndarray:
    """(3, 3) from body axes l, u, f to x right, y down, z away from the camera; no scale."""
    degrees = np.radians((view.yaw, view.pitch, view.roll))
    (cy, cp, cr), (sy, sp, sr) = np.cos(degrees), np.sin(degrees)
    yaw = np.array([[cy, 0, sy], [0, -1, 0], [sy, 0, -cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]) @ pitch @ yaw


@dataclasses.dataclass(frozen=True)
class Figure:
    """A body as the camera sees it.

    Args:
        joints: (J, 3) image x, y and depth (pixels, growing away from the camera).
        outlines: (P, 64, 2) image points whose hull is the part's outline.
        transforms: (P, 2, 3) texture pixels -> image pixels; the head's: unit disc -> image.
        order: (P,) part indices, farthest first.
        head: (2, 3) from the head's unit ball (its left, up, forward) to image pixels.
        disc: (3, 3) from the unit disc, and the height over it towards the camera, to the head's
            unit ball.
        shoulder: half the distance of the shoulders in pixels, seen from the front.
    """

    joints: np.ndarray
    outlines: np.ndarray
    transforms: np.ndarray
    order: np.ndarray
    head: np.ndarray
    disc: np.ndarray
    shoulder: float


def see_body(
    joints: np.ndarray, head: np.ndarray, measures: Measures, view: View, camera: np.ndarray
) -> Figure:
    """Projects a body.

    Args:
        joints: (J, 3) in body heights, from `body_joints`.
        head: (3, 3) the head's axes, from `body_joints`.
        measures: how thick its parts are.
        view: how the person stands.
        camera: (2, 3) similarity applied to the image at last.
    """
    matrix = view_matrix(view) * view.scale
    seen = joints @ matrix.T
    lowest = (seen[_BALLS, 1] + measures.radii * view.scale).max()
    seen[:, :2] += view.foot - (0, lowest)
    seen[:, :2] = seen[:, :2] @ camera[:, :2].T + camera[:, 2]
    radii = measures.radii * (view.scale * np.sqrt(np.linalg.det(camera[:, :2])))
    reach = np.maximum(radii - _OUTLINE, 0.3)[..., None, None]
    outlines = (seen[_BALLS][:, :, None, :2] + reach * _CIRCLE).reshape(len(PARTS), -1, 2)
    transforms = _texture_transforms(seen[:, :2], radii, measures)
    ball = matrix @ head * measures.head
    ball[:2] = camera[:, :2] @ ball[:2]
    disc, triangle = _ball_to_disc(ball)
    centre = seen[JOINT["head"], :2]
    transforms[_HEAD] = np.column_stack([triangle, centre])
    outlines[_HEAD] = np.tile(_CIRCLE, (4, 1)) @ triangle.T + centre
    depth = seen[_BALLS, 2].mean(1) - _NEARER * view.scale
    order = np.argsort(-depth, kind="stable")
    shoulder = measures.shoulder * view.scale
    return Figure(seen, outlines, transforms, order, ball[:2], disc, shoulder)


def _ball_to_disc(ball: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the outline of an ellipsoid.

    Args:
        ball: (3, 3) from the unit ball to x, y and depth.

    Returns:
        disc: (3, 3) rotation or reflection; columns 0 and 1 span the unit disc that the outline
            bounds, column 2 points at the camera.
        image: (2, 2) from the disc to the image.
    """
    disc, triangle = np.linalg.qr(ball[:2].T)
    toward = np.cross(disc[:, 0], disc[:, 1])
    toward *= -np.sign(ball[2] @ toward)
    return np.column_stack([disc, toward]), triangle.T


def _texture_transforms(points: np.ndarray, radii: np.ndarray, measures: Measures) -> np.ndarray:
    """(P, 2, 3) from texture pixels to image pixels for points (J, 2) and radii in pixels."""
    start, end = np.moveaxis(points[_AXES], 1, 0)
    length = np.linalg.norm(end - start, axis=-1)
    along = np.where(
        length[:, None] > 1e-6, (end - start) / np.maximum(length, 1e-6)[:, None], (0, 1)
    )
    across = np.stack([-along[:, 1], along[:, 0]], -1)
    offset = points[_BALLS] - start[:, None]
    half = (np.abs((offset * across[:, None]).sum(-1)) + radii).max(1)
    # A limb that points at the camera keeps a little length, or its texture would tear.
    step = along * (np.maximum(length, 0.35 * half) / measures.length)[:, None]
    side = across * (half / measures.half)[:, None]
    origin = start - step * measures.margin[:, None] - side * measures.half[:, None]
    return np.stack([step, side, origin], -1)


def hull(points: np.ndarray) -> np.ndarray:
    """(n, 2) float32 convex hull of (m, 2) points."""
    return cv2.convexHull(np.ascontiguousarray(points, np.float32))[:, 0]


def head_box(figure: Figure) -> np.ndarray:
    """(4,) xyxy of the whole head, hidden or not, reaching outside the image where it does."""
    outline = figure.outlines[PART["head"]]
    return np.concatenate([outline.min(0), outline.max(0)]).astype(np.float32)
