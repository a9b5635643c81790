"""One moment of a drawn scene: its picture, what the camera sees of whom, and the optical flow."""

import dataclasses

import cv2
import numpy as np

from posekit.datasets.synthetic_body import PART, PARTS, Figure, hull
from posekit.datasets.synthetic_crowd import Ground, Person
from posekit.datasets.synthetic_scene import Lens, Thing, paint
from posekit.datasets.synthetic_textures import head_texture

_HEAD = PART["head"]
_STILL = np.array([[1.0, 0, 0], [0, 1, 0]])


@dataclasses.dataclass(frozen=True)
class Scene:
    """Everything that a drawn picture or video shows.

    Args:
        ground: the place.
        crowd: N people.
        things: what may hide them.
        background: (H + 2 margin, W + 2 margin, 3) uint8.
        margin: pixels of background beyond each side of the image.
        pan: (3, 2) phase and radians per frame of the camera's motion to the side, up, and nearer.
        lens: the camera's faults.
    """

    ground: Ground
    crowd: list[Person]
    things: list[Thing]
    background: np.ndarray
    margin: int
    pan: np.ndarray
    lens: Lens

    def camera(self, time: float) -> np.ndarray:
        """(2, 3) similarity of the image at a time in frames, float64."""
        if not self.margin:
            return _STILL
        side, up, near = np.sin(self.pan[:, 0] + self.pan[:, 1] * time)
        zoom = 1.02 + 0.02 * near
        height, width = self.ground.size
        shift = 0.7 * self.margin * np.array([side, 0.4 * up])
        centre = np.array([width, height]) / 2
        return np.column_stack([zoom * np.eye(2), centre - zoom * centre + shift])

    def figures(self, time: float) -> list[Figure]:
        """The people as the camera sees them."""
        camera = self.camera(time)
        return [person.figure(self.ground, camera, time) for person in self.crowd]


def draw(scene: Scene, figures: list[Figure], time: float) -> tuple[np.ndarray, np.ndarray]:
    """Paints a scene, farthest first.

    Args:
        scene: what there is.
        figures: `scene.figures(time)`.
        time: in frames.

    Returns:
        image: (H, W, 3) uint8, before the camera's faults.
        owner: (H, W) uint16; 0 is background, 1 + n * len(PARTS) + p part p of person n, and the
            things follow.
    """
    size, camera = scene.ground.size, scene.camera(time)
    image = scene.background.copy()
    if scene.margin:
        shifted = compose(camera, _STILL - [[0, 0, scene.margin], [0, 0, scene.margin]])
        image = cv2.warpAffine(scene.background, shifted, size[::-1], borderMode=cv2.BORDER_REFLECT)
    owner = np.zeros(size, np.uint16)
    feet = [person.path.at(time)[0][1] for person in scene.crowd]
    depths = [scene.ground.project(0, depth)[0][1] for depth in feet]
    depths += [thing.ground for thing in scene.things]
    for item in np.argsort(depths, kind="stable"):
        if item < len(figures):
            _paint_person(image, owner, scene.crowd[item], figures[item], 1 + item * len(PARTS))
            continue
        number = 1 + len(figures) * (len(PARTS) - 1) + item
        _paint_thing(image, owner, scene.things[item - len(figures)], camera, number)
    return image, owner


def compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(..., 2, 3) affine transforms: `first`, then `second`."""
    linear = second[..., :2] @ first[..., :2]
    return np.concatenate([linear, second[..., :2] @ first[..., 2:] + second[..., 2:]], -1)


def _inverse(transforms: np.ndarray) -> np.ndarray:
    linear = np.linalg.inv(transforms[..., :2])
    return np.concatenate([linear, -linear @ transforms[..., 2:]], -1)


def _paint_person(
    image: np.ndarray, owner: np.ndarray, person: Person, figure: Figure, base: int
) -> None:
    _paint_shadow(image, figure)
    outlines = figure.outlines
    side = int(np.clip(np.ptp(outlines[_HEAD][:, 1]), 8, 64)) | 1
    head = head_texture(person.looks, figure.disc, side)
    step = (side - 1) / 2
    to_disc = np.array([[1 / step, 0, -1], [0, 1 / step, -1]])
    for part in figure.order[person.looks.present[figure.order]]:
        texture, transform = person.looks.textures[part], figure.transforms[part]
        if part == _HEAD:
            texture, transform = head, compose(transform, to_disc)
        paint(image, owner, hull(outlines[part]), texture, transform, base + part)


def _paint_shadow(image: np.ndarray, figure: Figure) -> None:
    """Darkens the ground under the feet."""
    feet = figure.outlines[[PART["left_foot"], PART["right_foot"]]].reshape(-1, 2)
    (x0, y0), (x1, y1) = feet.min(0), feet.max(0)
    half = np.array([0.75 * (x1 - x0), 0.35 * (y1 - y0) + 0.2 * figure.shoulder]) + 1
    centre = np.array([(x0 + x1) / 2, y1 - 0.3 * half[1]])
    low = np.maximum(np.floor(centre - half), 0).astype(int)
    high = np.minimum(np.ceil(centre + half) + 1, image.shape[1::-1]).astype(int)
    if (low >= high).any():
        return
    x, y = (np.arange(a, b) for a, b in zip(low, high, strict=True))
    distance = ((x - centre[0]) / half[0]) ** 2 + (((y - centre[1]) / half[1]) ** 2)[:, None]
    light = 1 - 0.45 * np.clip(1 - distance, 0, 1).astype(np.float32)
    area = image[low[1] : high[1], low[0] : high[0]]
    area[:] = area * light[..., None]


def _paint_thing(
    image: np.ndarray, owner: np.ndarray, thing: Thing, camera: np.ndarray, number: int
) -> None:
    transform = compose(camera, thing.transform)
    for outline in thing.outlines:
        points = (outline @ camera[:, :2].T + camera[:, 2]).astype(np.float32)
        paint(image, owner, points, thing.texture, transform, number)


def person_map(owner: np.ndarray, count: int) -> np.ndarray:
    """(H, W) int32 index of the person on top of each pixel, -1 where there is none."""
    person = (owner.astype(np.int32) - 1) // len(PARTS)
    return np.where(person < count, person, -1)


def optical_flow(
    owner: np.ndarray,
    figures: list[Figure],
    following: list[Figure],
    cameras: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Where each pixel's surface point is in the next frame, seen there or not.

    Args:
        owner: (H, W) from `draw`.
        figures: the people now.
        following: the same people in the next frame.
        cameras: now and in the next frame.

    Returns:
        (H, W, 2) float32 dx, dy in pixels. Background and things move with the camera, each part
        of a body with its texture, a head as a turning ball.
    """
    height, width = owner.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    motion = compose(cameras[1], _inverse(cameras[0]))
    flow = (grid @ motion[:, :2].T + motion[:, 2] - grid).astype(np.float32)
    people = person_map(owner, len(figures)) >= 0
    if not people.any():
        return flow
    now = np.concatenate([figure.transforms for figure in figures])
    motions = compose(np.concatenate([figure.transforms for figure in following]), _inverse(now))
    part = owner[people].astype(int) - 1
    points, moved = grid[people], motions[part]
    flow[people] = (moved[..., :2] @ points[..., None])[..., 0] + moved[..., 2] - points
    for index, (figure, after) in enumerate(zip(figures, following, strict=True)):
        head = owner == 1 + index * len(PARTS) + _HEAD
        flow[head] = _turn_head(grid[head], figure, after) - grid[head]
    return flow


def _turn_head(points: np.ndarray, figure: Figure, after: Figure) -> np.ndarray:
    """Moves image points (M, 2) on one head to where they are on the same head later."""
    disc = (points - figure.transforms[_HEAD][:, 2]) @ np.linalg.inv(
        figure.transforms[_HEAD][:, :2]
    ).T
    toward = np.sqrt(np.maximum(1 - (disc**2).sum(-1), 0))
    surface = np.column_stack([disc, toward]) @ figure.disc.T
    return surface @ after.head.T + after.transforms[_HEAD][:, 2]
