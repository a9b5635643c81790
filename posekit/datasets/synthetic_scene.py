"""Surroundings of drawn people: backgrounds, things in the way, painting, the camera's faults."""

import dataclasses

import cv2
import numpy as np

from posekit.datasets.synthetic_textures import noise, paint_by, pattern, random_colour

_SHIFT = 4
# Least and largest (half width, height) in body heights of a table, box, post, bush and fence.
_THINGS = (
    ((0.25, 0.4), (0.5, 0.45)),
    ((0.15, 0.2), (0.4, 0.5)),
    ((0.015, 0.6), (0.05, 1.6)),
    ((0.1, 0.15), (0.4, 0.5)),
    ((0.5, 0.3), (1.0, 0.5)),
)


def paint(
    image: np.ndarray,
    owner: np.ndarray,
    outline: np.ndarray,
    texture: np.ndarray,
    transform: np.ndarray,
    number: int,
) -> None:
    """Paints a textured shape with soft edges, in place.

    Args:
        image: (H, W, 3) uint8.
        owner: (H, W) uint16; becomes `number` where the shape covers more than half of a pixel.
        outline: (n, 2) convex polygon in image pixels.
        texture: (h, w, 3) uint8, mirrored beyond its border.
        transform: (2, 3) from texture pixels to image pixels.
        number: of the shape.
    """
    height, width = owner.shape
    low = np.floor(outline.min(0)).astype(int) - 1
    high = np.ceil(outline.max(0)).astype(int) + 2
    x0, y0, x1, y1 = max(low[0], 0), max(low[1], 0), min(high[0], width), min(high[1], height)
    if x0 >= x1 or y0 >= y1:
        return
    alpha = np.zeros((y1 - y0, x1 - x0), np.uint8)
    points = np.rint((outline - (x0, y0)) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillConvexPoly(alpha, points, 255, cv2.LINE_AA, _SHIFT)
    shifted = transform.copy()
    shifted[:, 2] -= (x0, y0)
    patch = cv2.warpAffine(texture, shifted, (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REFLECT)
    area = image[y0:y1, x0:x1]
    amount = alpha[..., None].astype(np.uint16)
    # 255 stays 255 and 0 stays 0: (255 v + 255) >> 8 = v for each byte v.
    area[:] = (patch * amount + area * (255 - amount) + 255) >> 8
    owner[y0:y1, x0:x1][alpha > 127] = number


def random_background(
    rng: np.random.Generator, size: tuple[int, int], horizon: float
) -> np.ndarray:
    """Draws a cluttered place without people.

    Args:
        rng: source of chance.
        size: (height, width).
        horizon: y where the ground begins.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = size
    wall = _surface(rng, size)
    ground = _surface(rng, size)
    edge = int(np.clip(horizon + 0.02 * height, 1, height - 1))
    wall[edge:] = ground[edge:]
    image = np.clip(wall, 0, 255).astype(np.uint8)
    _draw_ground_lines(rng, image, edge)
    for _ in range(rng.integers(2, 8)):
        _draw_block(rng, image, edge)
    for _ in range(rng.integers(6, 30)):
        _draw_clutter(rng, image)
    rough = noise(rng, size, 3) * rng.uniform(2, 14) + noise(rng, size, 1.5) * rng.uniform(0, 10)
    return cv2.add(image, cv2.merge([rough] * 3), dtype=cv2.CV_8U)


def _surface(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) float32: a gradient of muted colours with noise of several sizes."""
    corners = np.stack([random_colour(rng, 0.6) for _ in range(4)]).reshape(2, 2, 3)
    corners = corners[:1, :1] * 0.65 + corners * 0.35
    surface = cv2.resize(corners.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    strength = rng.uniform(0.02, 0.22)
    grain = sum(noise(rng, size, size[0] / n) * (strength * n**-0.3) for n in (4, 12, 36))
    return surface * (1 + grain[..., None])


def _draw_ground_lines(rng: np.random.Generator, image: np.ndarray, horizon: int) -> None:
    if rng.random() < 0.5:
        return
    height, width = image.shape[:2]
    centre, colour = rng.uniform(-0.2, 1.2) * width, random_colour(rng, 0.4).tolist()
    for x in np.linspace(-3, 4, rng.integers(6, 20)) * width:
        cv2.line(image, (int(centre), horizon), (int(x), height), colour, 1, cv2.LINE_AA)
    for step in np.linspace(0.05, 1, rng.integers(3, 9)) ** 1.8:
        y = int(horizon + step * (height - horizon))
        cv2.line(image, (0, y), (width, y), colour, 1, cv2.LINE_AA)


def _draw_block(rng: np.random.Generator, image: np.ndarray, horizon: int) -> None:
    """A building, cupboard, tree or post that stands on the ground."""
    height, width = image.shape[:2]
    x, y = int(rng.uniform(-0.1, 1) * width), int(horizon + rng.uniform(0, 0.2) * height)
    w, h = int(rng.uniform(0.05, 0.4) * width), int(rng.uniform(0.1, 0.6) * height)
    colour, other = random_colour(rng, 0.8), random_colour(rng, 0.8).tolist()
    if rng.random() < 0.3:
        trunk = max(w // 8, 1)
        cv2.line(image, (x, y), (x, y - h), colour.tolist(), trunk, cv2.LINE_AA)
        for dx, dy, r in rng.random((5, 3)):
            centre = (int(x + (dx - 0.5) * w), int(y - h * (0.7 + 0.5 * dy)))
            cv2.circle(image, centre, int(w * (0.15 + 0.25 * r)), other, -1, cv2.LINE_AA)
        return
    cv2.rectangle(image, (x, y - h), (x + w, y), colour.tolist(), -1)
    columns, rows = rng.integers(1, 6, 2)
    for i, j in np.ndindex(columns, rows):
        px, py = x + (i + 0.2) * w / columns, y - h + (j + 0.2) * h / rows
        corner = (int(px + 0.6 * w / columns), int(py + 0.55 * h / rows))
        cv2.rectangle(image, (int(px), int(py)), corner, other, -1)


def _draw_clutter(rng: np.random.Generator, image: np.ndarray) -> None:
    """A box, disc, bar or line of any colour; bars look a little like limbs."""
    height, width = image.shape[:2]
    x, y, dx, dy = (rng.random(4) * (width, height, width, height)).astype(int)
    dx, dy = (dx - width // 2) // 3, (dy - height // 2) // 3
    colour = random_colour(rng).tolist()
    kind = rng.integers(4)
    if kind == 0:
        cv2.rectangle(image, (x, y), (x + dx // 2, y + dy // 2), colour, -1)
    elif kind == 1:
        cv2.ellipse(
            image, (x, y), (abs(dx) // 3, abs(dy) // 3), float(dx), 0, 360, colour, -1, cv2.LINE_AA
        )
    else:
        thickness = 1 if kind == 2 else int(1 + height * 0.03 * rng.random())
        cv2.line(image, (x, y), (x + dx, y + dy), colour, thickness, cv2.LINE_AA)


@dataclasses.dataclass(frozen=True)
class Thing:
    """A flat thing that may stand before people: (n, 2) outlines with one texture.

    Args:
        outlines: convex polygons in image pixels.
        texture: (h, w, 3) uint8.
        transform: (2, 3) from texture pixels to image pixels.
        ground: y of its foot; people whose feet are higher in the image are behind it.
    """

    outlines: tuple[np.ndarray, ...]
    texture: np.ndarray
    transform: np.ndarray
    ground: float


def random_thing(
    rng: np.random.Generator, x: float, ground: float, scale: float, kind: int | None = None
) -> Thing:
    """Draws a table, box, post, bush or fence.

    Args:
        rng: source of chance.
        x: of its centre in pixels.
        ground: y of its foot.
        scale: pixels per body height at that place.
        kind: 0 to 4 in the order above; random when None.
    """
    kind = int(rng.integers(len(_THINGS))) if kind is None else kind
    w, h = rng.uniform(*_THINGS[kind]) * scale
    box = np.array([(-w, 0), (w, 0), (w, -h), (-w, -h)])
    outlines = [box]
    if kind == 0:
        legs = [box * (0.08, 1) + (side * 0.8 * w, 0) for side in (-1, 1)]
        outlines = [box * (1, 0.15) - (0, 0.85 * h), *legs]
    elif kind == 3:
        outlines = [_blob(rng, w, h) for _ in range(5)]
    elif kind == 4:
        rails = [box * (1, 0.15) - (0, height * h) for height in (0.2, 0.7)]
        outlines = rails + [box * (0.05, 1) + (place * w, 0) for place in (-0.7, 0, 0.7)]
    side = int(np.clip(2 * max(w, h), 8, 160))
    stripes = pattern(rng, side, side * rng.uniform(0.05, 0.3))
    texture = paint_by(stripes, random_colour(rng), random_colour(rng))
    texture *= 1 + 0.2 * noise(rng, (side, side), side / 12)[..., None]
    step = 2 * max(w, h) / side
    return Thing(
        tuple((outline + (x, ground)).astype(np.float32) for outline in outlines),
        np.clip(texture, 0, 255).astype(np.uint8),
        np.array([[step, 0, x - w], [0, step, ground - 2 * h]]),
        ground,
    )


def _blob(rng: np.random.Generator, w: float, h: float) -> np.ndarray:
    angle = np.arange(14) * (2 * np.pi / 14)
    centre = rng.uniform((-0.6 * w, -0.8 * h), (0.6 * w, -0.3 * h))
    return centre + np.stack([np.cos(angle) * w * 0.6, np.sin(angle) * h * 0.45], -1)


@dataclasses.dataclass(frozen=True)
class Lens:
    """The camera's faults, the same for all frames of a video.

    Args:
        curve: (256, 1, 3) uint8 that each RGB value becomes.
        blur: Gaussian sigma in pixels, 0 for none.
        grain: standard deviation of the noise in grey levels.
    """

    curve: np.ndarray
    blur: float
    grain: float


def random_lens(rng: np.random.Generator) -> Lens:
    """Draws contrast, brightness, colour cast, blur and noise."""
    level = np.linspace(0, 1, 256)[:, None, None] ** rng.uniform(0.75, 1.35)
    cast = rng.uniform(0.86, 1.12, 3)
    contrast, brightness = rng.uniform(0.7, 1.1), rng.uniform(-0.04, 0.1)
    curve = ((level - 0.5) * contrast + 0.5 + brightness) * cast * 255
    blur = rng.uniform(0.3, 0.9) if rng.random() < 0.5 else 0.0
    return Lens(np.clip(curve, 0, 255).astype(np.uint8), blur, rng.uniform(0, 9))


def take_picture(rng: np.random.Generator, image: np.ndarray, lens: Lens) -> np.ndarray:
    """Applies the camera's faults to an (H, W, 3) uint8 image and returns another."""
    image = cv2.LUT(image, lens.curve)
    if lens.blur:
        image = cv2.GaussianBlur(image, (0, 0), lens.blur)
    if lens.grain < 0.5:
        return image
    # The sum of two bytes is near enough to a Gaussian (its deviation is 104.5) and quick.
    bits = rng.integers(0, 256, (2, *image.shape), np.uint8)
    noise = cv2.add(bits[0], bits[1], dtype=cv2.CV_16S)
    scale = lens.grain / 104.5
    return np.clip(image + (noise - 255) * np.float32(scale), 0, 255).astype(np.uint8)
