"""What the Pose Residual Network reads and what it learns: (N, 56, 36, K) maps, one per person box.

Every person of an image, and of a batch of images, is a row of the same arrays. A row's
`candidates` (M, K, 3) are all keypoints found in its image: x, y in image pixels and a score, 0
where there is none. Cells are (row, column) of the person's grid. All functions take arrays as
well as tensors, also inside a tf.function, compute in float32 and return tensors.

Reference: Kocabas et al. 2018 (arXiv:1807.04067), section 3.4, with the blurred impulses that the
authors' published results were made with. Their grid index may turn negative beside a corner and
wrap to the other side; here it is always clamped to the border.
"""

import functools
from typing import Literal

import numpy as np
from keras import ops
from scipy import ndimage

SIZE = (56, 36)
"""Height and width of the grid in cells (section 3.5)."""
MARGIN = 0.21
"""Growth of a box on each side, as a part of its width and height, for what may belong to it."""
INPUT_SIGMA, LABEL_SIGMA = 1.0, 2.0
"""Gaussian radii, cells."""
HEATMAP_SIGMA = 8.0
"""Gaussian radius of heatmaps, image pixels: 2 cells of 4 pixels of a keypoint network that sees
images at their own size, as it about does on COCO (640 x 480)."""
InputKind = Literal["peaks", "heatmaps"]
"""Impulses at the peaks, as in the published results, or crops of heatmaps, as in the text."""


def check_people(candidates: np.ndarray, boxes: np.ndarray) -> None:
    """Refuses what `locate` cannot use; values cannot be checked inside a graph.

    Raises:
        ValueError: shapes that do not belong together, a box without area.
    """
    candidates, boxes = np.asarray(candidates), np.asarray(boxes)
    if candidates.ndim != 4 or len(candidates) not in (1, len(boxes)) or boxes.shape[1:] != (4,):
        raise ValueError(
            "expected candidates (N, M, K, 3) or (1, M, K, 3) and boxes (N, 4), received "
            f"{candidates.shape} and {boxes.shape}; for nobody use np.zeros((0, 4))"
        )
    good = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    if not good.all():
        worst = int(good.argmin())
        raise ValueError(
            f"expected boxes xyxy with x2 > x1 and y2 > y1, received {boxes[worst].tolist()} at "
            f"row {worst}; boxes xywh need posekit.boxes.xywh_to_xyxy, empty ones must be dropped"
        )


def locate(candidates, boxes, size: tuple[int, int] = SIZE, margin: float = MARGIN):
    """Finds the cell of every candidate in every box, and which candidates the box may take.

    Args:
        candidates: (N, M, K, 3) x, y in image pixels, score; or (1, M, K, 3) when all N boxes are
            of one image.
        boxes: (N, 4) xyxy in image pixels, of positive width and height; see `check_people`.
        size: (height, width) of the grid in cells.
        margin: growth of the box on each side that membership allows.

    Returns:
        cells: (N, M, K, 2) int32 row and column; outside the box the nearest border cell.
        member: (N, M, K) bool; score above 0 and strictly inside the enlarged box.
    """
    candidates, boxes = (ops.convert_to_tensor(x, "float32") for x in (candidates, boxes))
    corner, extent = (part[:, None, None] for part in (boxes[:, :2], boxes[:, 2:] - boxes[:, :2]))
    place = (candidates[..., :2] - corner) / extent
    inside = ops.all(ops.logical_and(place > -margin, place < 1 + margin), axis=-1)
    member = ops.logical_and(inside, candidates[..., 2] > 0)
    grid = np.array(size, np.float64)
    # In float32 the product could be rounded up to the next cell.
    cells = ops.nan_to_num(ops.floor(ops.cast(place[..., ::-1], "float64") * grid))
    return ops.cast(ops.clip(cells, 0, grid - 1), "int32"), member


def draw_people(
    candidates, boxes, size: tuple[int, int] = SIZE, kind: InputKind = "peaks", axis: int = -1
):
    """Draws inputs of a kind, as `draw_inputs` or `draw_heatmaps`, from what `locate` takes."""
    if kind == "heatmaps":
        return draw_heatmaps(candidates, boxes, size, axis=axis)
    return draw_inputs(*locate(candidates, boxes, size), size, axis=axis)


def draw_inputs(
    cells, member, size: tuple[int, int] = SIZE, sigma: float = INPUT_SIGMA, axis: int = -1
):
    """Draws a blurred impulse of height 1 at every cell that holds a member.

    Args:
        cells: (N, M, K, 2) int32 from `locate`.
        member: (N, M, K) bool.
        size: as there.
        sigma: Gaussian radius in cells. The border cells are continued outwards, so an impulse
            on the border keeps its mass.
        axis: of K in the result; 1 saves a transposition.

    Returns:
        (N, height, width, K) float32; at sigma 1 a lone impulse peaks at 0.159.
    """
    cells = ops.transpose(cells, (0, 2, 1, 3))
    by_keypoint = ops.transpose(ops.cast(member, "int32"), (0, 2, 1)) > 0
    # Members in one cell are one impulse. Sorted, they stand beside each other: comparing all of
    # them in pairs takes 100 GB for 1,200 people.
    place = ops.sort(ops.where(by_keypoint, cells[..., 0] * size[1] + cells[..., 1], -1), axis=-1)
    before = ops.pad(place[..., :-1], ((0, 0), (0, 0), (1, 0)), constant_values=-1)
    drawn = ops.cast(ops.logical_and(place >= 0, place != before), "float32")
    place = ops.maximum(place, 0)
    cells = ops.stack([place // size[1], place % size[1]], axis=-1)
    tall, wide = profiles_at(cells, tuple(_impulses(side, sigma) for side in size))
    maps = ops.matmul(ops.swapaxes(tall * drawn[..., None], -1, -2), wide)
    return ops.moveaxis(maps, 1, axis)


def draw_heatmaps(
    candidates, boxes, size: tuple[int, int] = SIZE, sigma: float = HEATMAP_SIGMA, axis: int = -1
):
    """Draws what `crop_heatmaps` would cut from perfect heatmaps of the candidates.

    Args:
        candidates: as in `locate`; those of score 0 are left out.
        boxes: as in `locate`.
        size: (height, width) of the grid.
        sigma: Gaussian radius, image pixels.
        axis: of K in the result; 1 saves a transposition.

    Returns:
        (N, height, width, K) float32 in [0, 1]: Gaussians of height 1 of everybody's keypoints,
        taken in the middle of each cell. People are added up, cut at 1; heatmaps take the maximum,
        which differs where two keypoints of a type lie within 2 sigma.
    """
    candidates, boxes = (ops.convert_to_tensor(x, "float32") for x in (candidates, boxes))
    candidates = ops.transpose(candidates, (0, 2, 1, 3))
    tall, wide = (
        ops.exp(-ops.square((_middles(boxes, a, side) - candidates[..., a, None]) / sigma) / 2)
        for a, side in ((1, size[0]), (0, size[1]))
    )
    tall = tall * ops.cast(candidates[..., 2:] > 0, "float32")
    maps = ops.minimum(ops.matmul(ops.swapaxes(tall, -1, -2), wide), 1.0)
    return ops.moveaxis(maps, 1, axis)


def draw_labels(
    cells, labelled, size: tuple[int, int] = SIZE, sigma: float = LABEL_SIGMA, axis: int = -1
):
    """Draws one Gaussian per labelled keypoint, cut at the border, each map summing to 1.

    Args:
        cells: (N, K, 2) int32 row and column.
        labelled: (N, K) bool; the other maps are 0.
        size: (height, width) of the grid.
        sigma: Gaussian radius in cells.
        axis: of K in the result; 1 saves a transposition.

    Returns:
        (N, height, width, K) float32.
    """
    tall, wide = profiles_at(cells, tuple(label_profiles(side, sigma) for side in size))
    tall = tall * ops.cast(labelled, "float32")[..., None]
    return ops.moveaxis(tall[..., :, None] * wide[..., None, :], 1, axis)


def profiles_at(cells, profiles: tuple[np.ndarray, np.ndarray]):
    """Takes for each cell (..., 2) its row of two matrices; (..., height) and (..., width)."""
    return tuple(
        ops.take(ops.convert_to_tensor(matrix), cells[..., number], axis=0)
        for number, matrix in enumerate(profiles)
    )


@functools.cache
def label_profiles(side: int, sigma: float = LABEL_SIGMA) -> np.ndarray:
    """One row per cell: a Gaussian round it along an axis of `side` cells; (side, side), sums 1."""
    profiles = ndimage.gaussian_filter1d(np.eye(side), sigma, axis=1, mode="constant")
    return (profiles / profiles.sum(axis=1, keepdims=True)).astype(np.float32)


@functools.cache
def _impulses(side: int, sigma: float) -> np.ndarray:
    """One row per cell: what the blur makes of an impulse there; (side, side)."""
    response = ndimage.gaussian_filter1d(np.eye(side), sigma, axis=0, mode="nearest")
    return np.ascontiguousarray(response.T, np.float32)


def own_cells(keypoints, boxes, size: tuple[int, int] = SIZE):
    """Returns the cells (N, K, 2) of people's own keypoints (N, K, 3) and which are labelled."""
    cells, _ = locate(keypoints[:, None], boxes, size)
    return cells[:, 0], keypoints[..., 2] > 0


def crop_heatmaps(heatmaps, images, boxes, stride: float = 1, size: tuple[int, int] = SIZE):
    """Cuts raw heatmaps at person boxes, the input that the paper's text describes.

    Args:
        heatmaps: (B, h, w, K) of a batch of images.
        images: (N,) integers; number of each box's image in the batch.
        boxes: (N, 4) xyxy in network pixels.
        stride: network pixels per heatmap cell.
        size: (height, width) of the grid.

    Returns:
        (N, height, width, K) float32, bilinear at the middle of each cell of the grid, so at the
        same place where `locate` puts a peak; outside the heatmaps their border continues. The mask
        channel is left to the caller to drop. A network trained on impulses does not expect these:
        train it on the same kind.
    """
    heatmaps, boxes = (ops.convert_to_tensor(x, "float32") for x in (heatmaps, boxes))
    images = ops.cast(images, "int32")[:, None, None]
    _, height, width, num_keypoints = ops.shape(heatmaps)
    rows = _bilinear(_middles(boxes, 1, size[0])[:, 0, 0] / stride, height)
    columns = _bilinear(_middles(boxes, 0, size[1])[:, 0, 0] / stride, width)
    flat = ops.reshape(heatmaps, (-1, num_keypoints))
    crops = 0.0
    for row, tall in rows:
        for column, wide in columns:
            places = (images * height + row[:, :, None]) * width + column[:, None]
            weight = tall[:, :, None] * wide[:, None]
            crops += weight[..., None] * ops.take(flat, places, axis=0)
    return crops


def _bilinear(places, side):
    """The two of `side` samples round each place, with their weights, all (N, cells)."""
    places = ops.clip(places, 0.0, ops.cast(side - 1, "float32"))
    low = ops.clip(ops.cast(ops.floor(places), "int32"), 0, ops.maximum(side - 2, 0))
    part = places - ops.cast(low, "float32")
    return [(low, 1 - part), (ops.minimum(low + 1, side - 1), part)]


def _middles(boxes, axis: int, cells: int):
    """Where the middles of the grid's cells lie along an axis, 0 for x; (N, 1, 1, cells) pixels."""
    share = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    start, stop = boxes[:, axis, None], boxes[:, axis + 2, None]
    return (start + share * (stop - start))[:, None, None]
