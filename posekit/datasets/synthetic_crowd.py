"""Who stands where: the people and things of a drawn scene, at any time."""

import dataclasses

import numpy as np

from posekit.datasets.synthetic_body import (
    Figure,
    Measures,
    View,
    measure,
    see_body,
)
from posekit.datasets.synthetic_pose import Pose, Proportions, body_joints, random_pose
from posekit.datasets.synthetic_scene import Thing, random_thing
from posekit.datasets.synthetic_textures import Looks, random_looks

# Finer textures than this many pixels per body height cost time and show no more.
_TEXTURE_SCALE = 170


@dataclasses.dataclass(frozen=True)
class Ground:
    """A plane and a camera that looks along it.

    Args:
        size: image (height, width).
        horizon: y of the horizon.
        eye: height of the camera in body heights.
        pitch: degrees by which people are seen from above.
        light: as in `random_looks`.
    """

    size: tuple[int, int]
    horizon: float
    eye: float
    pitch: float
    light: float

    def project(self, x: float, depth: float) -> tuple[np.ndarray, float]:
        """Foot (2,) in pixels and pixels per body height of a place on the ground.

        Args:
            x: body heights to the right of the camera.
            depth: body heights before the camera.
        """
        scale = self.size[0] / depth
        return np.array([self.size[1] / 2 + scale * x, self.horizon + scale * self.eye]), scale


@dataclasses.dataclass(frozen=True)
class Path:
    """An ellipse on the ground, walked along at constant angular speed.

    Args:
        centre: (2,) x and depth in body heights.
        radii: (2,) of the ellipse; zeros for somebody who stays.
        rate: radians per frame.
        start: radians at frame 0.
        yaw: degrees, of somebody who stays.
    """

    centre: np.ndarray
    radii: np.ndarray
    rate: float
    start: float
    yaw: float

    def at(self, time: float) -> tuple[np.ndarray, float, float]:
        """(2,) place, yaw in degrees and walked distance at a time in frames."""
        angle = self.start + self.rate * time
        around = np.array([np.cos(angle), np.sin(angle)])
        place = self.centre + self.radii * around
        if not self.radii.any():
            return place, self.yaw + 5 * np.sin(0.04 * time + self.start), 0.02 * time
        ahead = np.sign(self.rate) * self.radii * (-around[1], around[0])
        distance = abs(self.rate) * time * np.sqrt((self.radii**2).mean())
        return place, float(np.degrees(np.arctan2(ahead[0], -ahead[1]))), distance


@dataclasses.dataclass(frozen=True)
class Person:
    """Somebody in a scene.

    Args:
        body: lengths of the parts.
        height: in body heights (of an adult).
        pose: what the person does.
        phase: radians of the gait at frame 0.
        path: where the person is.
        measures: how thick the body's parts are.
        looks: clothes and face.
        far: whether the person is one of the small ones that nobody annotates.
    """

    body: Proportions
    height: float
    pose: Pose
    phase: float
    path: Path
    measures: Measures
    looks: Looks
    far: bool

    def figure(self, ground: Ground, camera: np.ndarray, time: float) -> Figure:
        """How the person looks at a time in frames through a (2, 3) camera."""
        (x, depth), yaw, distance = self.path.at(time)
        foot, scale = ground.project(x, depth)
        phase = self.phase + 2 * np.pi * distance / (self.pose.stride * self.height)
        joints, head = body_joints(self.pose, self.body, phase)
        view = View(foot, scale * self.height, yaw, ground.pitch, self.pose.roll)
        return see_body(joints, head, self.measures, view, camera)


def random_ground(rng: np.random.Generator, size: tuple[int, int]) -> Ground:
    """Draws a camera."""
    horizon = rng.uniform(0.08, 0.42) * size[0]
    return Ground(
        size, horizon, rng.uniform(0.75, 1.25), rng.uniform(0, 14), rng.uniform(-0.18, 0.18)
    )


def random_crowd(
    rng: np.random.Generator,
    ground: Ground,
    people: tuple[int, int],
    crowding: float,
    heights: tuple[float, float],
    moving: bool,
) -> tuple[list[Person], list[Thing]]:
    """Draws people, nearest last, and things between them.

    Args:
        rng: source of chance.
        ground: where they stand.
        people: least and largest number of people worth annotating.
        crowding: 0 spreads them over the image, 1 puts them on a heap.
        heights: least and largest size as a share of the image height.
        moving: whether they walk about, for videos.
    """
    count = int(rng.integers(people[0], people[1] + 1))
    scale, x = _places(rng, ground.size, count, crowding, heights)
    num_far = int(rng.integers(1, 6)) if rng.random() < 0.15 else 0
    far_scale = rng.uniform(0.06, 0.13, num_far) * ground.size[0]
    scale = np.concatenate([scale, far_scale])
    x = np.concatenate([x, rng.uniform(0, ground.size[1], num_far)])
    order = np.argsort(scale, kind="stable")
    crowd = [_random_person(rng, ground, x[i], scale[i], bool(i >= count), moving) for i in order]
    num_things = rng.binomial(3, 0.22)
    things = [_place_thing(rng, ground, s) for s in rng.choice(scale, num_things)] if count else []
    seats = [] if moving else [_seat(rng, ground, p) for p in crowd if p.pose.activity == "sit"]
    return crowd, things + seats


def _places(
    rng: np.random.Generator,
    size: tuple[int, int],
    count: int,
    crowding: float,
    heights: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) pixels per body height and (N,) x of the feet."""
    low, high = np.log(heights)
    middle = rng.uniform(low, high)
    log_scale = (1 - crowding) * rng.uniform(low, high, count) + crowding * middle
    scale = size[0] * np.exp(log_scale + rng.normal(0, 0.1, count)) / (1 + 0.04 * max(count - 1, 0))
    spread = rng.permutation(count) + rng.uniform(0.1, 0.9, count)
    spread = spread / max(count, 1) * size[1]
    centre = rng.uniform(0.3, 0.7) * size[1]
    heap = centre + rng.normal(0, 0.2 * np.sqrt(count), count) * scale
    x = (1 - crowding) * spread + crowding * heap
    return scale, np.clip(x, 0.02 * size[1], 0.98 * size[1])


def _random_person(
    rng: np.random.Generator, ground: Ground, x: float, scale: float, far: bool, moving: bool
) -> Person:
    child = rng.random() < 0.12
    height = rng.uniform(0.55, 0.75) if child else rng.normal(0.98, 0.05)
    body = Proportions(
        build=rng.uniform(0.85, 1.22),
        head=(1.3 if child else 1.0) * rng.uniform(0.94, 1.1),
        shoulders=rng.uniform(0.1, 0.122),
        hips=rng.uniform(0.052, 0.064),
    )
    pose = random_pose(rng, ("walk", "walk", "stand", "run", "wide") if moving else None)
    path = _random_path(rng, ground, x, scale, pose, moving)
    phase = rng.uniform(0, 2 * np.pi)
    joints, _ = body_joints(pose, body, phase)
    texture_scale = float(np.clip(scale * height, 20, _TEXTURE_SCALE))
    measures = measure(joints, body, texture_scale)
    looks = random_looks(rng, measures, texture_scale, ground.light)
    return Person(body, height, pose, phase, path, measures, looks, far)


def _random_path(
    rng: np.random.Generator, ground: Ground, x: float, scale: float, pose: Pose, moving: bool
) -> Path:
    place = np.array([(x - ground.size[1] / 2) / scale, ground.size[0] / scale])
    kind = rng.choice(3, p=(0.5, 0.15, 0.35))
    yaw = (rng.normal(0, 40), rng.normal(180, 30), rng.uniform(0, 360))[kind]
    start = rng.uniform(0, 2 * np.pi)
    if not moving or pose.activity not in ("walk", "run"):
        return Path(place, np.zeros(2), 0.0, start, yaw)
    wide = max(rng.uniform(0.2, 0.5) * ground.size[1] / scale, 1.0)
    radii = np.array([wide, min(wide * rng.uniform(0.4, 0.9), 0.35 * place[1])])
    speed = rng.uniform(0.016, 0.03) * (1.6 if pose.activity == "run" else 1.0)
    # Nobody turns faster than 0.04 radians per frame.
    rate = min(speed / np.sqrt((radii**2).mean()), 0.04 * radii[1] / radii[0])
    rate *= rng.choice((-1, 1))
    return Path(place - radii * (np.cos(start), np.sin(start)), radii, rate, start, yaw)


def _place_thing(rng: np.random.Generator, ground: Ground, scale: float) -> Thing:
    scale = scale * rng.uniform(0.95, 1.4)
    x = rng.uniform(0, 1) * ground.size[1]
    return random_thing(rng, x, ground.horizon + scale * ground.eye, scale)


def _seat(rng: np.random.Generator, ground: Ground, person: Person) -> Thing:
    (x, depth), _, _ = person.path.at(0)
    foot, scale = ground.project(x, depth)
    return random_thing(rng, foot[0], foot[1] - 0.02 * scale, scale * person.height, kind=1)
