"""Pictures of poses, heatmaps and masks over images, and of curves. RGB uint8 in and out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from posekit.atomic_files import replaced_file
from posekit.poses import Poses
from posekit.skeletons import Skeleton

# Told apart by colour-blind eyes too (Okabe and Ito). Left and right are the person's own.
LEFT = (230, 159, 0)
RIGHT = (0, 114, 255)
MIDDLE = (0, 200, 120)
_UNTRACKED = (255, 255, 255)
_SUBPIXEL = 4
"""Fraction bits of the coordinates given to OpenCV."""


def draw_poses(image: np.ndarray, poses: Poses, threshold: float = 0.2) -> np.ndarray:
    """Draws limbs and keypoints, boxes, scores and track ids.

    Args:
        image: (H, W, 3) uint8 RGB.
        poses: in pixels of this image.
        threshold: keypoints with a lower score, and the limbs to them, are left out.

    Returns:
        (H, W, 3) uint8, a copy. Left limbs orange, right ones blue, the others green; a tracked
        person's box has a colour of its own for each id.
    """
    canvas = _canvas(image)
    thickness = _thickness(canvas)
    ids = np.full(len(poses), -1) if poses.track_ids is None else poses.track_ids
    for box, score, track_id in zip(poses.boxes, poses.scores, ids, strict=True):
        colour = _UNTRACKED if track_id < 0 else track_colour(int(track_id))
        label = f"{score:.2f}" if track_id < 0 else f"{track_id}: {score:.2f}"
        _draw_box(canvas, box, label, colour, thickness)
    _draw_skeleton(canvas, poses.keypoints, poses.skeleton, threshold, thickness)
    return canvas


def draw_keypoints(
    image: np.ndarray, keypoints: np.ndarray, skeleton: Skeleton, limbs: bool = False
) -> np.ndarray:
    """Draws keypoints with a third column above 0, as targets and peaks have it.

    Args:
        image: (H, W, 3) uint8 RGB.
        keypoints: (N, K, 3) x, y in pixels of this image, visibility or score.
        skeleton: what the K keypoints are.
        limbs: True joins the keypoints of a row, for people; peaks are not grouped yet.

    Returns:
        (H, W, 3) uint8, a copy; colours as in `draw_poses`.
    """
    canvas = _canvas(image)
    _draw_skeleton(canvas, keypoints, skeleton, 0.0, _thickness(canvas), limbs)
    return canvas


def track_colour(track_id: int) -> tuple[int, int, int]:
    """Returns the bright RGB colour of a track id; neighbouring ids differ clearly."""
    hue = int(track_id * 180 * 0.618034) % 180
    pixel = cv2.cvtColor(np.uint8([[[hue, 200, 255]]]), cv2.COLOR_HSV2RGB)
    return tuple(int(value) for value in pixel[0, 0])


def overlay_heatmaps(image: np.ndarray, heatmaps: np.ndarray, alpha: float = 0.7) -> np.ndarray:
    """Lays heatmaps over an image, a hue for every keypoint.

    Args:
        image: (H, W, 3) uint8 RGB.
        heatmaps: (h, w, K); cell i lies at image pixel i * stride, stride = W / w. Values outside
            [0, 1] are cut.
        alpha: how much of the image a value of 1 hides.

    Returns:
        (H, W, 3) uint8.
    """
    canvas = _canvas(image)
    heatmaps = np.clip(np.nan_to_num(np.asarray(heatmaps, np.float32)), 0, 1)
    if heatmaps.ndim != 3 or heatmaps.size == 0:
        raise ValueError(f"expected heatmaps (h, w, K), received {heatmaps.shape}")
    hues = np.arange(heatmaps.shape[-1]) * 180 // heatmaps.shape[-1]
    palette = np.stack([hues, np.full_like(hues, 255), np.full_like(hues, 255)], -1)
    colours = cv2.cvtColor(palette[None].astype(np.uint8), cv2.COLOR_HSV2RGB)[0]
    strength = heatmaps.max(axis=-1, keepdims=True)
    layers = np.concatenate([colours[heatmaps.argmax(axis=-1)] * strength, strength], axis=-1)
    layers = _grow(layers, canvas.shape[:2])
    return _blend(canvas, layers[..., :3], layers[..., 3:], alpha)


def overlay_mask(
    image: np.ndarray,
    mask: np.ndarray,
    colour: tuple[int, int, int] = MIDDLE,
    alpha: float = 0.5,
) -> np.ndarray:
    """Tints an image where a mask holds.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, or (h, w) float in [0, 1] whose cell i lies at pixel i * W / w.
        colour: RGB.
        alpha: how much of the image a value of 1 hides.

    Returns:
        (H, W, 3) uint8.
    """
    canvas = _canvas(image)
    strength = np.clip(np.nan_to_num(np.asarray(mask, np.float32)), 0, 1)
    if strength.ndim != 2 or strength.size == 0:
        raise ValueError(f"expected a mask (h, w), received {strength.shape}")
    strength = _grow(strength, canvas.shape[:2])[..., None]
    return _blend(canvas, strength * np.float32(colour), strength, alpha)


def tile(images: Sequence[np.ndarray], columns: int, gap: int = 4) -> np.ndarray:
    """Puts images side by side, row by row.

    Args:
        images: at least one (h, w, 3) or (h, w) uint8; sizes may differ.
        columns: images per row.
        gap: white pixels between neighbours.

    Returns:
        (H, W, 3) uint8; every cell as large as the largest image, which stand top left in theirs.
    """
    if not images or columns < 1:
        raise ValueError(f"expected images and columns >= 1, received {len(images)}, {columns}")
    canvases = [_canvas(image) for image in images]
    columns = min(columns, len(canvases))
    rows = -(-len(canvases) // columns)
    height, width = (max(canvas.shape[axis] for canvas in canvases) + gap for axis in (0, 1))
    sheet = np.full((rows * height - gap, columns * width - gap, 3), 255, np.uint8)
    for place, canvas in enumerate(canvases):
        top, left = place // columns * height, place % columns * width
        sheet[top : top + canvas.shape[0], left : left + canvas.shape[1]] = canvas
    return sheet


def plot_curves(
    path: str | Path,
    history: Mapping[str, Sequence[float]],
    title: str = "",
    x_label: str = "epoch",
) -> None:
    """Writes curves as a PNG; "loss" and "val_loss" share a panel, other names get their own.

    Args:
        path: of the picture; its folder is made where it is missing.
        history: the columns of a log: name -> numbers, one per epoch; NaN is passed over. A column
            named as `x_label` gives the places on the horizontal axis, else they are 1, 2, ...
        title: above the panels.
        x_label: under the panels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[str, list[str]] = {}
    for name in history:
        if name != x_label:
            panels.setdefault(name.removeprefix("val_"), []).append(name)
    if not panels:
        raise ValueError(f"expected columns of numbers to plot, received {list(history)}")
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.5 * columns, 3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for place, (stem, names) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, place + 1, title=stem, xlabel=x_label)
        for name in names:
            values = np.asarray(history[name], np.float64)
            places = np.asarray(history.get(x_label, np.arange(len(values)) + 1))[: len(values)]
            there = np.isfinite(values)
            marker = "." if there.sum() < 30 else None
            axes.plot(places[there], values[there], marker=marker, label=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def _canvas(image: np.ndarray) -> np.ndarray:
    """A writable RGB copy; grey becomes RGB."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise ValueError(
            f"expected an image (H, W, 3) uint8 RGB, received {image.shape} {image.dtype}"
        )
    return np.ascontiguousarray(np.stack([image] * 3, -1) if image.ndim == 2 else image).copy()


def _thickness(canvas: np.ndarray) -> int:
    return max(1, round(min(canvas.shape[:2]) / 240))


def _draw_skeleton(
    canvas: np.ndarray,
    keypoints: np.ndarray,
    skeleton: Skeleton,
    threshold: float,
    thickness: int,
    limbs: bool = True,
) -> None:
    """Draws into the canvas: for each side all limbs of all people at once, then all points."""
    keypoints = np.asarray(keypoints, np.float64)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (skeleton.num_keypoints, 3):
        raise ValueError(
            f"expected keypoints (N, {skeleton.num_keypoints}, 3) of skeleton "
            f"{skeleton.name!r}, received {keypoints.shape}"
        )
    seen = (keypoints[..., 2] > 0) & (keypoints[..., 2] >= threshold)
    sides = np.array([_side(name) for name in skeleton.names])
    ends = np.array(skeleton.limbs if limbs else (), np.int64).reshape(-1, 2)
    # A limb takes a side when an end has it and the other end has not the opposite one.
    limb_sides = np.sign(sides[ends].sum(axis=-1))
    for side, colour in ((0, MIDDLE), (1, LEFT), (-1, RIGHT)):
        chosen = ends[limb_sides == side]
        segments = keypoints[:, chosen, :2][seen[:, chosen].all(axis=-1)]
        _draw_segments(canvas, segments, colour, thickness)
    for side, colour in ((0, MIDDLE), (1, LEFT), (-1, RIGHT)):
        points = keypoints[..., :2][seen & (sides == side)]
        dots = np.stack([points, points], axis=-2)
        _draw_segments(canvas, dots, (0, 0, 0), 3 * thickness + 2)
        _draw_segments(canvas, dots, colour, 3 * thickness)


def _side(name: str) -> int:
    parts = name.lower().replace("-", "_").split("_")
    return ("left" in parts or "l" in parts) - ("right" in parts or "r" in parts)


def _draw_segments(
    canvas: np.ndarray, segments: np.ndarray, colour: tuple[int, int, int], thickness: int
) -> None:
    """Draws (n, 2, 2) x, y ends; a segment without length is a round dot."""
    # Far-off coordinates overflow inside OpenCV; 30,000 px is outside every picture.
    fixed = np.rint(np.clip(segments, -3e4, 3e4) * 2**_SUBPIXEL).astype(np.int32)
    if len(fixed):
        cv2.polylines(canvas, list(fixed), False, colour, thickness, cv2.LINE_AA, _SUBPIXEL)


def _draw_box(
    canvas: np.ndarray, box: np.ndarray, label: str, colour: tuple[int, int, int], thickness: int
) -> None:
    x1, y1, x2, y2 = (int(v) for v in np.rint(np.clip(box, -3e4, 3e4)))
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, thickness)
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.25 + 0.15 * thickness
    (width, height), below = cv2.getTextSize(label, font, scale, 1)
    x = max(min(x1, canvas.shape[1] - width), 0)
    y = min(max(y1 - below, height), canvas.shape[0] - below)
    cv2.rectangle(canvas, (x, y - height), (x + width, y + below), colour, cv2.FILLED)
    cv2.putText(canvas, label, (x, y), font, scale, (0, 0, 0), 1, cv2.LINE_AA)


def _grow(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w[, up to 4]) -> (H, W[, up to 4]) by lines between cells; cell i at pixel i * stride."""
    scale = np.diag([size[1] / maps.shape[1], size[0] / maps.shape[0]])
    transform = np.hstack([scale, np.zeros((2, 1))])
    maps = np.ascontiguousarray(maps, np.float32)
    border = cv2.BORDER_REPLICATE
    return cv2.warpAffine(maps, transform, size[::-1], flags=cv2.INTER_LINEAR, borderMode=border)


def _blend(
    canvas: np.ndarray, colours: np.ndarray, strength: np.ndarray, alpha: float
) -> np.ndarray:
    """Colours are already multiplied by their strength."""
    return np.rint(canvas * (1 - alpha * strength) + alpha * colours).clip(0, 255).astype(np.uint8)
