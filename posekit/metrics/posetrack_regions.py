"""Which points lie in the ignore regions of PoseTrack."""

from collections.abc import Sequence

import numpy as np


def inside_any(points: np.ndarray, polygons: Sequence[np.ndarray]) -> np.ndarray:
    """Says which points lie strictly inside of at least one polygon; on an edge is outside.

    Args:
        points: (..., 2) x, y.
        polygons: of (P, 2) corners each, at least 3, in either direction; where one crosses itself,
            what is encircled twice is outside.

    Returns:
        (...) bool.
    """
    points = np.asarray(points, np.float64)
    flat = points.reshape(-1, 2)
    inside = np.zeros(len(flat), bool)
    for polygon in polygons:
        inside |= _strictly_inside(flat, np.asarray(polygon, np.float64))
    return inside.reshape(points.shape[:-1])


def _strictly_inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Counts the edges that a ray to the right crosses; all points against all edges at once."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    side = (end[:, 0] - start[:, 0]) * (y - start[:, 1]) - (end[:, 1] - start[:, 1]) * (
        x - start[:, 0]
    )
    low, high = np.minimum(start, end), np.maximum(start, end)
    within = (x >= low[:, 0]) & (x <= high[:, 0]) & (y >= low[:, 1]) & (y <= high[:, 1])
    on_edge = ((side == 0) & within).any(axis=1)
    upwards = end[:, 1] > start[:, 1]
    crosses = ((start[:, 1] > y) != (end[:, 1] > y)) & ((side > 0) == upwards)
    return (crosses.sum(axis=1) % 2 == 1) & ~on_edge
