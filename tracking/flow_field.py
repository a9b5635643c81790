"""Flow, the motion between two frames, and its values at points."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Flow:
    """Where the pixels of one frame are in another one.

    Args:
        vectors: (H, W, 2) float32 dx, dy in pixels, from the first frame to the second.
        reliable: (H, W) bool, where the flow back agrees; None: not asked.

    Raises:
        ValueError: for other shapes and for numbers that are not finite.
    """

    vectors: np.ndarray
    reliable: np.ndarray | None = None

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors, np.float32)
        if vectors.ndim != 3 or vectors.shape[2] != 2 or not vectors.size:
            raise ValueError(f"expected flow (H, W, 2), received {vectors.shape}")
        # A sum finds NaN and infinity five times faster than isfinite; huge values fail it too.
        if not np.isfinite(vectors.sum(dtype=np.float64)):
            raise ValueError("expected finite flow, received NaN or infinity; recompute it")
        if self.reliable is not None and self.reliable.shape != vectors.shape[:2]:
            raise ValueError(
                f"expected reliable {vectors.shape[:2]} as the flow, received {self.reliable.shape}"
            )
        object.__setattr__(self, "vectors", vectors)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        return self.vectors.shape[:2]

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reads the flow between its pixels, by bilinear interpolation.

        Args:
            points: (..., 2) x, y in pixels of the first frame.

        Returns:
            vectors: (..., 2) float32; beyond the border those of the nearest pixel.
            reliable: (...) bool; False outside the frame, and where the flow is not reliable.
        """
        points = np.asarray(points, np.float32)
        flat = points.reshape(1, -1, 2)
        height, width = self.size
        if not flat.size:
            return np.zeros(points.shape, np.float32), np.zeros(points.shape[:-1], bool)
        x, y = flat[..., 0], flat[..., 1]
        inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
        vectors = _bilinear(self.vectors, x[0], y[0])
        if self.reliable is not None:
            inside &= self.reliable[np.rint(y).astype(int), np.rint(x).astype(int)]
        return vectors.reshape(points.shape), inside.reshape(points.shape[:-1])


def _bilinear(field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(H, W, 2) at (n,) x and y inside -> (n, 2)."""
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, below = np.minimum(left + 1, field.shape[1] - 1), np.minimum(top + 1, len(field) - 1)
    a, b = (x - left)[:, None], (y - top)[:, None]
    upper = field[top, left] * (1 - a) + field[top, right] * a
    lower = field[below, left] * (1 - a) + field[below, right] * a
    return upper * (1 - b) + lower * b
