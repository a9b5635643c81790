"""What the Pose Residual Network reads and what it learns: (N, 56, 36, K) maps, one per person box.

Every person of an image, and of a batch of images, is a row of the same arrays. A row's
`candidates` (M, K, 3) are all keypoints found in its image: x, y in image pixels and a score, 0
where there is none. Cells are (row, column) of the person's grid.

Reference: Kocabas et al. 2018 (arXiv:1807.04067), section 3.4, with the blurred impulses that the
authors' published results were made with. Their grid index may turn negative beside a corner and
wrap to the other side; here it is always clamped to the border.
"""

import functools

import numpy as np
from scipy import ndimage

SIZE = (56, 36)
"""Height and width of the grid in cells (section 3.5)."""
MARGIN = 0.21
"""Growth of a box on each side, as a part of its width and height, for what may belong to it."""
INPUT_SIGMA, LABEL_SIGMA = 1.0, 2.0
"""Gaussian radii, cells."""


def locate(
    candidates: np.ndarray,
    boxes: np.ndarray,
    size: tuple[int, int] = SIZE,
    margin: float = MARGIN,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the cell of every candidate in every box, and which candidates the box may take.

    Args:
        candidates: (N, M, K, 3) x, y in image pixels, score; or (1, M, K, 3) when all N boxes are
            of one image.
        boxes: (N, 4) xyxy in image pixels, of positive width and height.
        size: (height, width) of the grid in cells.
        margin: growth of the box on each side that membership allows.

    Returns:
        cells: (N, M, K, 2) int64 row and column; outside the box the nearest border cell.
        member: (N, M, K) bool; score above 0 and strictly inside the enlarged box.

    Raises:
        ValueError: shapes that do not belong together, a box without area.
    """
    candidates, boxes = np.asarray(candidates), np.asarray(boxes)
    if candidates.ndim != 4 or len(candidates) not in (1, len(boxes)) or boxes.shape[1:] != (4,):
        raise ValueError(
            "expected candidates (N, M, K, 3) or (1, M, K, 3) and boxes (N, 4), received "
            f"{candidates.shape} and {boxes.shape}; for nobody use np.zeros((0, 4))"
        )
    corner, extent = (part[:, None, None] for part in (boxes[:, :2], boxes[:, 2:] - boxes[:, :2]))
    if not (extent > 0).all():
        worst = int((extent <= 0).any(axis=(1, 2, 3)).argmax())
        raise ValueError(
            f"expected boxes xyxy with x2 > x1 and y2 > y1, received {boxes[worst].tolist()} at "
            f"row {worst}; boxes xywh need posekit.boxes.xywh_to_xyxy, empty ones must be dropped"
        )
    place = (candidates[..., :2] - corner) / extent
    member = ((place > -margin) & (place < 1 + margin)).all(axis=-1) & (candidates[..., 2] > 0)
    grid = np.array(size[::-1])
    cells = np.clip(np.nan_to_num(np.floor(place * grid)), 0, grid - 1).astype(np.int64)
    return cells[..., ::-1], member


def draw_inputs(
    cells: np.ndarray,
    member: np.ndarray,
    size: tuple[int, int] = SIZE,
    sigma: float = INPUT_SIGMA,
) -> np.ndarray:
    """Draws a blurred impulse of height 1 at every cell that holds a member.

    Args:
        cells: (N, M, K, 2) int64 from `locate`.
        member: (N, M, K) bool.
        size: (height, width) of the grid.
        sigma: Gaussian radius in cells. The border cells are continued outwards, so an impulse
            on the border keeps its mass.

    Returns:
        (N, height, width, K) float32; at sigma 1 a lone impulse peaks at 0.159.
    """
    (height, width), (count, _, num_keypoints) = size, member.shape
    person, candidate, kind = np.nonzero(member)
    row, column = cells[person, candidate, kind].T
    places = (person, row, column, kind)
    shape = (count, height, width, num_keypoints)
    person, row, column, kind = np.unravel_index(
        np.unique(np.ravel_multi_index(places, shape)), shape
    )
    rows, tall = _profiles(height, sigma)
    columns, wide = _profiles(width, sigma)
    rows = ((person * height)[:, None] + rows[row]) * width
    flat = (rows[:, :, None] + columns[column][:, None]) * num_keypoints + kind[:, None, None]
    values = tall[row][:, :, None] * wide[column][:, None]
    maps = np.zeros(shape, np.float32)
    np.add.at(maps.reshape(-1), flat.reshape(-1), values.reshape(-1))
    return maps


def draw_labels(
    cells: np.ndarray,
    labelled: np.ndarray,
    size: tuple[int, int] = SIZE,
    sigma: float = LABEL_SIGMA,
) -> np.ndarray:
    """Draws one Gaussian per labelled keypoint, cut at the border, each map summing to 1.

    Args:
        cells: (N, K, 2) int64 row and column.
        labelled: (N, K) bool; the other maps are 0.
        size: (height, width) of the grid.
        sigma: Gaussian radius in cells.

    Returns:
        (N, height, width, K) float32.
    """
    rows, columns = (label_profiles(side, sigma) for side in size)
    tall = rows[cells[..., 0]] * labelled[..., None].astype(np.float32)
    wide = columns[cells[..., 1]]
    return tall.transpose(0, 2, 1)[:, :, None] * wide.transpose(0, 2, 1)[:, None]


def label_profiles(side: int, sigma: float = LABEL_SIGMA) -> np.ndarray:
    """One row per cell: a Gaussian round it along an axis of `side` cells; (side, side), sums 1."""
    profiles = ndimage.gaussian_filter1d(np.eye(side), sigma, axis=1, mode="constant")
    return (profiles / profiles.sum(axis=1, keepdims=True)).astype(np.float32)


def own_cells(
    keypoints: np.ndarray, boxes: np.ndarray, size: tuple[int, int] = SIZE
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the cells (N, K, 2) of people's own keypoints (N, K, 3) and which are labelled."""
    cells, _ = locate(keypoints[:, None], boxes, size)
    return cells[:, 0], keypoints[..., 2] > 0


def crop_heatmaps(
    heatmaps: np.ndarray, boxes: np.ndarray, stride: float = 1, size: tuple[int, int] = SIZE
) -> np.ndarray:
    """Cuts raw heatmaps at person boxes, the input that the paper's text describes.

    Args:
        heatmaps: (h, w, K) of one image.
        boxes: (N, 4) xyxy in network pixels.
        stride: network pixels per heatmap cell.
        size: (height, width) of the grid.

    Returns:
        (N, height, width, K) float32, bilinear at the middle of each cell of the grid, so at the
        same place where `locate` puts a peak; outside the heatmaps their border continues. The mask
        channel is left to the caller to drop. A network trained on impulses does not expect these:
        train it on the same kind.
    """
    (top, bottom), (left, right) = (
        (boxes[:, axis, None], boxes[:, axis + 2, None]) for axis in (1, 0)
    )
    rows, columns = ((np.arange(side) + 0.5) / side for side in size)
    y = np.clip((top + rows * (bottom - top)) / stride, 0, heatmaps.shape[0] - 1)
    x = np.clip((left + columns * (right - left)) / stride, 0, heatmaps.shape[1] - 1)
    rows, columns = (_bilinear(*pair) for pair in zip((y, x), heatmaps.shape, strict=False))
    crops = np.zeros((len(boxes), *size, heatmaps.shape[2]), np.float32)
    for row, tall in rows:
        for column, wide in columns:
            weight = tall[:, :, None] * wide[:, None]
            crops += weight[..., None] * heatmaps[row[:, :, None], column[:, None]]
    return crops


def _bilinear(places: np.ndarray, side: int) -> list[tuple[np.ndarray, np.ndarray]]:
    low = np.minimum(np.floor(places).astype(np.int64), max(side - 2, 0))
    part = (places - low).astype(np.float32)
    return [(low, 1 - part), (np.minimum(low + 1, side - 1), part)]


@functools.cache
def _profiles(side: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Per cell: which cells an impulse there reaches, (side, 2r + 1), and with what weight."""
    response = ndimage.gaussian_filter1d(np.eye(side), sigma, axis=0, mode="nearest").T
    radius = int(4 * sigma + 0.5)
    reached = np.arange(side)[:, None] + np.arange(-radius, radius + 1)
    inside = (reached >= 0) & (reached < side)
    reached = np.clip(reached, 0, side - 1)
    weights = np.take_along_axis(response, reached, axis=1) * inside
    return reached, weights.astype(np.float32)
