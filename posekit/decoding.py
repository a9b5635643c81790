"""One keypoint per heatmap: the highest cell of each channel, refined; for single-person crops."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np


def decode_heatmaps(
    heatmaps: np.ndarray,
    stride: int,
    offset: Literal["none", "sign", "second_peak"] = "none",
    blur_sigma: float | None = None,
) -> np.ndarray:
    """Reads one keypoint per map: its highest cell, refined.

    Args:
        heatmaps: (B, h, w, K) float.
        stride: network pixels per heatmap cell.
        offset: "sign" moves a quarter cell towards the higher neighbour on each axis, where the
            cell (x, y) satisfies 1 < x < w - 1 and 1 < y < h - 1 (Simple Baselines); "second_peak"
            moves a quarter cell on the straight line to the second highest cell, if that is above
            0 (MDPN); "none" keeps the cell.
        blur_sigma: Gaussian filter in cells before the search, cut at 2.86 sigma, the map being 0
            outside; 3.5 gives the 21x21 filter of MDPN. None: no filter.

    Returns:
        (B, K, 3) float32; x, y in network pixels and the score: the unfiltered value of the highest
        cell, at least 0. A map whose maximum is not above 0 gives (0, 0, 0). Of equal cells the
        first in reading order wins.

    Raises:
        ValueError: wrong shape, NaN or infinite maxima, unknown offset.
    """
    heatmaps = np.asarray(heatmaps, np.float32)
    if heatmaps.ndim != 4 or 0 in heatmaps.shape[1:3]:
        raise ValueError(
            f"expected heatmaps (B, h, w, K), received {heatmaps.shape}; "
            "add the batch axis to a single image"
        )
    if offset not in ("none", "sign", "second_peak"):
        raise ValueError(
            f"expected offset 'none', 'sign' or 'second_peak', received {offset!r}; use one of them"
        )
    batch, height, width, num_keypoints = heatmaps.shape
    searched = heatmaps if blur_sigma is None else _blurred(heatmaps, blur_sigma)
    flat = searched.reshape(batch, height * width, num_keypoints)
    places = _highest_places(flat, 2 if offset == "second_peak" else 1)
    best = places[0]
    highest = np.take_along_axis(flat, best[:, None], axis=1)[:, 0]
    if not np.isfinite(highest).all():
        raise ValueError(
            "expected finite heatmaps, received NaN or infinity; "
            "the network has diverged or its weights are damaged"
        )
    cells = np.stack([places % width, places // width], axis=-1)
    moved = cells[0] + _cell_offsets(searched, cells, offset)
    raw = heatmaps.reshape(flat.shape)
    score = np.maximum(np.take_along_axis(raw, best[:, None], axis=1)[:, 0], 0)
    result = np.concatenate([moved * stride, score[..., None]], axis=-1)
    return np.where(highest[..., None] > 0, result, 0).astype(np.float32)


def _blurred(heatmaps: np.ndarray, sigma: float) -> np.ndarray:
    side = 2 * round(sigma * 20 / 7) + 1
    maps = np.ascontiguousarray(heatmaps)
    blurred = np.empty_like(maps)
    for source, result in zip(maps, blurred, strict=True):
        filtered = cv2.GaussianBlur(source, (side, side), sigma, borderType=cv2.BORDER_CONSTANT)
        result[:] = filtered.reshape(source.shape)  # OpenCV drops an axis of length 1
    return blurred


def _highest_places(flat: np.ndarray, count: int) -> np.ndarray:
    """Returns the flat indices (count, B, K) of the highest cells of (B, h * w, K), best first."""
    batch, num_cells, num_keypoints = flat.shape
    places = np.empty((count, batch, num_keypoints), np.intp)
    # A few people at a time, turned to one row a map: they stay in the cache, and the second
    # search costs little. Half the time of argmax over the middle axis.
    rows = np.empty((min(4, batch), num_keypoints, num_cells), np.float32)
    for start in range(0, batch, 4):
        part = flat[start : start + 4]
        maps = rows[: len(part)]
        maps[:] = part.swapaxes(1, 2)
        for found in places[:, start : start + 4]:
            found[:] = maps.argmax(axis=-1)
            if count > 1:
                np.put_along_axis(maps, found[..., None], -np.inf, axis=-1)
    return places


def _cell_offsets(maps: np.ndarray, cells: np.ndarray, offset: str) -> np.ndarray:
    """Returns how far to move from the highest cell.

    Args:
        maps: (B, h, w, K).
        cells: (1, B, K, 2) x, y of the highest cell; for "second_peak" (2, B, K, 2), of two.
        offset: as in `decode_heatmaps`.

    Returns:
        (B, K, 2) float32 dx, dy in cells.
    """
    if offset == "none":
        return np.zeros(cells[0].shape, np.float32)
    batch, height, width, num_keypoints = maps.shape
    b, k = np.ogrid[:batch, :num_keypoints]
    if offset == "sign":
        last = np.array([width - 1, height - 1])
        inner = ((cells[0] > 1) & (cells[0] < last)).all(axis=-1)
        # Cells that must not move are read at the corner (-1 wraps), and the result is dropped.
        x, y = np.moveaxis(np.where(inner[..., None], cells[0], 0), -1, 0)
        right, below = np.minimum(x + 1, last[0]), np.minimum(y + 1, last[1])
        dx = np.sign(maps[b, y, right, k] - maps[b, y, x - 1, k])
        dy = np.sign(maps[b, below, x, k] - maps[b, y - 1, x, k])
        return np.float32(0.25) * np.stack([dx, dy], axis=-1) * inner[..., None]
    best, second = cells
    value = maps[b, second[..., 1], second[..., 0], k]
    direction = second - best
    length = np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1)
    return np.where(value[..., None] > 0, 0.25 * direction / length, 0)
