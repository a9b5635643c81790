"""Colours of drawn people and scenes: noise, cloth, skin, heads."""

import dataclasses
import functools

import cv2
import numpy as np

from posekit.datasets.synthetic_body import PARTS, Measures

_SKIN = np.array(
    [
        [(255, 219, 190), (241, 194, 155), (226, 172, 130), (198, 140, 98)],
        [(160, 106, 70), (122, 77, 50), (88, 56, 38), (62, 40, 30)],
    ],
    float,
).reshape(-1, 3)
_HAIR = np.array(
    [
        [(28, 22, 20), (44, 30, 22), (74, 48, 30), (110, 72, 40)],
        [(168, 124, 70), (205, 170, 110), (120, 115, 112), (140, 60, 35)],
    ],
    float,
).reshape(-1, 3)


def noise(rng: np.random.Generator, size: tuple[int, int], cell: float) -> np.ndarray:
    """Draws smooth noise.

    Args:
        rng: source of chance.
        size: (height, width).
        cell: pixels between independent values.

    Returns:
        (H, W) float32 in about -1..1.
    """
    grid = rng.random((int(size[0] / cell) + 2, int(size[1] / cell) + 2), np.float32)
    return cv2.resize(grid * 2 - 1, size[::-1], interpolation=cv2.INTER_LINEAR)


def random_colour(rng: np.random.Generator, saturation: float = 1.0) -> np.ndarray:
    """Draws a colour, (3,) float RGB in 0..255; half of them are muted."""
    hue, strength, value = rng.random(3)
    strength *= saturation * (1.0 if rng.random() < 0.5 else 0.3)
    ramp = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return 255 * (0.1 + 0.85 * value) * (1 - strength + strength * ramp)


def paint_by(mask: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 between two (3,) colours where an (H, W) mask goes from 0 to 1."""
    return low.astype(np.float32) + mask[..., None] * (high - low).astype(np.float32)


def pattern(rng: np.random.Generator, side: int, period: float) -> np.ndarray:
    """(side, side) float32 in 0..1: nothing, stripes, checks, dots, blotches or two halves."""
    y, x = np.arange(side, dtype=np.float32)[:, None], np.arange(side, dtype=np.float32)[None]
    phase = 2 * np.pi / max(period, 3.0)
    kind = rng.choice(7, p=(0.34, 0.15, 0.15, 0.12, 0.07, 0.1, 0.07))
    waves = {
        0: lambda: np.zeros((1, 1)),
        1: lambda: np.sin(phase * x),
        2: lambda: np.sin(phase * y),
        3: lambda: np.sin(phase * x) * np.sin(phase * y),
        4: lambda: np.sin(phase * x) + np.sin(phase * y) - 1.1,
        5: lambda: 3 * noise(rng, (side, side), max(period, 2)),
        6: lambda: x - side * rng.uniform(0.25, 0.5),
    }
    flat = np.clip(waves[int(kind)]() * 2 + 0.5, 0, 1) if kind else waves[0]()
    return np.broadcast_to(flat, (side, side)).astype(np.float32)


def _cloth(rng: np.random.Generator, side: int, scale: float) -> np.ndarray:
    """(side, side, 3) float32 RGB of a garment for a body of `scale` texture pixels."""
    first, second = random_colour(rng), random_colour(rng)
    tile = paint_by(pattern(rng, side, scale * rng.uniform(0.025, 0.07)), first, second)
    folds = (
        noise(rng, (side, side), max(0.06 * scale, 2)) * 0.13 + noise(rng, (side, side), 2) * 0.05
    )
    return tile * (1 + folds[..., None])


def _plain(rng: np.random.Generator, side: int, colour: np.ndarray, grain: float) -> np.ndarray:
    """(side, side, 3) float32 RGB of one colour with some grain."""
    return colour.astype(np.float32) * (1 + grain * noise(rng, (side, side), 2.5))[..., None]


@dataclasses.dataclass(frozen=True)
class Looks:
    """What a person wears and looks like.

    Args:
        textures: one (h, w, 3) uint8 per part; the axis runs along x. The head's is empty.
        present: (P,) bool: parts that this person has.
        hair: (3,) RGB of the hair or cap.
        skin: (3,) RGB.
        hairline: how far the hair reaches down and forward, -1 (bald) to 1.
        beard: whether the lower face has the hair's colour.
    """

    textures: tuple[np.ndarray, ...]
    present: np.ndarray
    hair: np.ndarray
    skin: np.ndarray
    hairline: float
    beard: bool


def random_looks(rng: np.random.Generator, measures: Measures, scale: float, light: float) -> Looks:
    """Dresses a person.

    Args:
        rng: source of chance.
        measures: gives the size of the parts' textures.
        scale: texture pixels per body height.
        light: -0.3..0.3; side from which light falls.
    """
    size = max((measures.length + 2 * measures.margin).max(), 2 * measures.half.max())
    side = int(np.ceil(size)) + 5
    skin = _SKIN[rng.integers(len(_SKIN))] * rng.uniform(0.88, 1.05)
    hair = _HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.8, 1.15)
    skirt, pack, cap, suit = rng.random(4) < (0.15, 0.12, 0.15, 0.12)
    tiles = {
        "skin": _plain(rng, side, skin, 0.05),
        "hair": _plain(rng, side, hair, 0.25),
        "top": _cloth(rng, side, scale),
        "bottom": _cloth(rng, side, scale),
        "shoe": _plain(rng, side, random_colour(rng), 0.15),
    }
    if suit:
        tiles["bottom"] = tiles["top"]
    sleeve = rng.choice((0.0, 0.55, 2.0), p=(0.15, 0.4, 0.45))
    leg = rng.choice((0.0, 0.8, 2.0), p=(0.5, 0.0, 0.5) if skirt else (0.05, 0.25, 0.7))
    # Which garment covers a limb, and how much of its length.
    covers = {
        "sleeve": ("top", sleeve),
        "cuff": ("top", sleeve - 1),
        "thigh": ("bottom", leg),
        "shin": ("bottom", leg - 1),
    }
    sizes = np.stack([measures.length, measures.margin, measures.half], 1)
    absent = {"skirt": not skirt, "pack": not pack, "hair": cap or rng.random() < 0.62}
    return Looks(
        tuple(
            _part_texture(rng, tiles, *covers.get(part.material, (part.material, 2.0)), size, light)
            for part, size in zip(PARTS, sizes, strict=True)
        ),
        np.array([not absent.get(part.name, False) for part in PARTS]),
        random_colour(rng) if cap else hair,
        skin,
        _random_hairline(rng, cap),
        bool(rng.random() < 0.15),
    )


def _random_hairline(rng: np.random.Generator, cap: bool) -> float:
    bald = rng.random() < 0.07
    return 0.1 if cap else -1.0 if bald else rng.uniform(0.0, 0.35)


def _part_texture(
    rng: np.random.Generator,
    tiles: dict[str, np.ndarray],
    material: str,
    cover: float,
    size: np.ndarray,
    light: float,
) -> np.ndarray:
    """Cuts a part's texture from its garment and rounds it by shading."""
    if material == "head":
        return np.zeros((0, 0, 3), np.uint8)
    length, margin, half = size
    width, height = int(np.ceil(length + 2 * margin)) + 1, int(np.ceil(2 * half)) + 1
    x, y = rng.integers(0, 4, 2)
    piece = tiles[material][y : y + height, x : x + width].copy()
    edge = max(0, int(margin + cover * length))
    piece[:, edge:] = tiles["skin"][y : y + height, x : x + width][:, edge:]
    across = np.linspace(-1, 1, height, dtype=np.float32)
    shade = 0.62 + 0.42 * np.sqrt(1 - 0.96 * across**2) + light * across
    return np.clip(piece * shade[:, None, None], 0, 255).astype(np.uint8)


@functools.lru_cache(maxsize=64)
def _disc_grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit disc coordinates (side, side, 2) and height of the ball over them (side, side, 1)."""
    line = np.linspace(-1, 1, side, dtype=np.float32)
    disc = np.stack(np.meshgrid(line, line), -1)
    return disc, np.sqrt(np.maximum(1 - (disc**2).sum(-1, keepdims=True), 0))


def head_texture(looks: Looks, disc: np.ndarray, side: int) -> np.ndarray:
    """Paints a head as seen from one side.

    Args:
        looks: gives colours, hairline and beard.
        disc: (3, 3) from `Figure.disc`.
        side: pixels of the picture.

    Returns:
        (side, side, 3) uint8; the inscribed disc is the head.
    """
    flat, height = _disc_grid(side)
    normal = flat @ disc[:, :2].T.astype(np.float32) + height * disc[:, 2].astype(np.float32)
    left, up, forward = np.moveaxis(normal, -1, 0)
    out, front, hair = np.abs(left), forward > 0, looks.hair
    layers = (
        (0.3 - np.hypot(left, (up + 0.52) * 2.2), 0.55 * front, (130, 40, 40)),
        (-0.42 - up + 0.1 * forward, looks.beard, hair),
        (0.17 - np.hypot(out - 0.38, (up - 0.1) * 1.3), front, (235, 235, 230)),
        (0.12 - np.hypot(out - 0.38, up - 0.1), front, (25, 20, 25)),
        (0.2 - np.hypot(out - 0.4, (up - 0.33) * 4), front, 0.7 * hair),
        (0.75 * (up - forward) + looks.hairline - 0.12 * np.sin(9 * left), 1.0, hair),
    )
    colour = np.broadcast_to(looks.skin.astype(np.float32), (side, side, 3))
    for distance, opacity, paint in layers:  # mouth, beard, white of the eyes, pupils, brows, hair
        amount = np.clip(distance * (side / 3) + 0.5, 0, 1) * opacity
        colour = colour + amount[..., None] * (np.asarray(paint, np.float32) - colour)
    shade = 0.68 + 0.36 * height
    return np.clip(colour * shade, 0, 255).astype(np.uint8)
