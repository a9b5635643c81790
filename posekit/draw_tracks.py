"""Pictures of people who are followed: a colour for each identity, and where they came from."""

import cv2
import numpy as np

from posekit.draw import track_colour
from posekit.poses import Poses
from posekit.skeletons import Skeleton

UNTRACKED = (255, 255, 255)
"""Of people without a track id."""
_SUBPIXEL = 4
"""Fraction bits of the coordinates given to OpenCV."""
_TRAIL_STRENGTH = 220
"""Of 255, how much of the picture the newest piece of a trail hides; older ones fade."""


class TrackDrawer:
    """Draws the frames of a video one after the other.

    Limbs, keypoints, the label with the track id and the trail of a person have the colour
    `posekit.draw.track_colour` of the id; people without ids are white and leave no trail. A trail
    follows the middle of the hips, or of the box where a hip is not seen.

    Args:
        skeleton: of the poses.
        trail: frames for which a place is remembered; it fades on the way. 0: no trails.
        threshold: keypoints with a lower score, and the limbs to them, are left out; those with
            score 0 always are.
    """

    def __init__(self, skeleton: Skeleton, trail: int = 30, threshold: float = 0.2):
        if trail < 0:
            raise ValueError(f"expected a trail of 0 or more frames, received {trail}")
        self._trail, self._threshold = trail, threshold
        self._limbs = np.array(skeleton.limbs, np.int64).reshape(-1, 2)
        hips = [place for place, name in enumerate(skeleton.names) if "hip" in name.lower()]
        self._skeleton, self._hips = skeleton, hips if len(hips) == 2 else None
        # Rows of id, frame, x, y in the order of the frames.
        self._places, self._now = np.zeros((0, 4)), 0

    def draw(self, image: np.ndarray, poses: Poses) -> np.ndarray:
        """Draws the people of the next frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            poses: in pixels of this image.

        Returns:
            (H, W, 3) uint8, a copy.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"expected an image (H, W, 3) uint8 RGB, received {image.shape} {image.dtype}"
            )
        if poses.skeleton.num_keypoints != self._skeleton.num_keypoints:
            raise ValueError(
                f"expected poses of skeleton {self._skeleton.name!r}, received "
                f"{poses.skeleton.name!r}"
            )
        canvas = np.ascontiguousarray(image).copy()
        thickness = max(1, round(min(canvas.shape[:2]) / 240))
        seen = (poses.keypoints[..., 2] > 0) & (poses.keypoints[..., 2] >= self._threshold)
        self._remember(poses, seen)
        self._draw_trails(canvas, thickness)
        ids = [None] * len(poses) if poses.track_ids is None else poses.track_ids.tolist()
        for row, track_id in enumerate(ids):
            colour = UNTRACKED if track_id is None else track_colour(track_id)
            self._draw_person(canvas, poses.keypoints[row, :, :2], seen[row], colour, thickness)
        for box, track_id in zip(poses.boxes, ids, strict=True):
            if track_id is not None:
                _draw_label(canvas, box, str(track_id), track_colour(track_id), thickness)
        return canvas

    def state(self) -> dict[str, np.ndarray]:
        """Returns what the next frame's trails depend on."""
        return {"places": self._places.copy(), "now": np.int64(self._now)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a `state`, also of another drawer."""
        self._places, self._now = np.array(state["places"], np.float64), int(state["now"])

    def _remember(self, poses: Poses, seen: np.ndarray) -> None:
        self._now += 1
        rows = self._places[self._places[:, 1] > self._now - self._trail]
        if poses.track_ids is not None and self._trail:
            frames = np.full(len(poses), self._now)
            new = np.column_stack([poses.track_ids, frames, self._middles(poses, seen)])
            rows = np.concatenate([rows, new])
        self._places = rows

    def _middles(self, poses: Poses, seen: np.ndarray) -> np.ndarray:
        """(N, 2) x, y; the edges of boxes count from the outer corner of the first pixel."""
        middles = poses.boxes.reshape(-1, 2, 2).mean(axis=1) - 0.5
        if self._hips is None:
            return middles
        hips = poses.keypoints[:, self._hips, :2].mean(axis=1)
        return np.where(seen[:, self._hips].all(axis=1)[:, None], hips, middles)

    def _draw_trails(self, canvas: np.ndarray, thickness: int) -> None:
        if not len(self._places):
            return
        layer, strength = canvas.copy(), np.zeros(canvas.shape[:2], np.uint8)
        for track_id in np.unique(self._places[:, 0]):
            places = self._places[self._places[:, 0] == track_id]
            pieces = _fixed(np.stack([places[:-1, 2:], places[1:, 2:]], axis=1))
            ages = self._now - places[:-1, 1]
            alphas = _TRAIL_STRENGTH * (1 - ages / (self._trail + 1))
            colour = track_colour(int(track_id))
            for piece, alpha in zip(pieces, alphas, strict=True):
                _draw_lines(layer, [piece], colour, thickness + 1)
                _draw_lines(strength, [piece], int(alpha), thickness + 1)
        there = strength > 0
        share = strength[there, None] / 255
        canvas[there] = np.rint(canvas[there] * (1 - share) + layer[there] * share)

    def _draw_person(
        self,
        canvas: np.ndarray,
        points: np.ndarray,
        seen: np.ndarray,
        colour: tuple[int, int, int],
        thickness: int,
    ) -> None:
        limbs = points[self._limbs][seen[self._limbs].all(axis=1)]
        dots = np.stack([points[seen]] * 2, axis=1)
        # A dark rim keeps people apart from each other and from bright ground.
        for rim, paint in ((2, (0, 0, 0)), (0, colour)):
            _draw_lines(canvas, _fixed(limbs), paint, thickness + rim)
            _draw_lines(canvas, _fixed(dots), paint, 2 * thickness + 1 + rim)


def _fixed(segments: np.ndarray) -> list[np.ndarray]:
    # Far-off coordinates overflow inside OpenCV; 30,000 px is outside every picture.
    return list(np.rint(np.clip(segments, -3e4, 3e4) * 2**_SUBPIXEL).astype(np.int32))


def _draw_lines(
    canvas: np.ndarray, lines: list[np.ndarray], colour: tuple[int, ...] | int, thickness: int
) -> None:
    if lines:
        cv2.polylines(canvas, lines, False, colour, thickness, cv2.LINE_AA, _SUBPIXEL)


def _draw_label(
    canvas: np.ndarray, box: np.ndarray, label: str, colour: tuple[int, int, int], thickness: int
) -> None:
    """Writes above the middle of the upper edge of a box, inside the picture."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.25 + 0.15 * thickness
    (width, height), below = cv2.getTextSize(label, font, scale, 1)
    box = np.clip(box, -3e4, 3e4)
    x = int(np.clip((box[0] + box[2] - width) / 2, 0, max(0, canvas.shape[1] - width)))
    y = int(np.clip(box[1] - below - 2, height, max(height, canvas.shape[0] - below)))
    cv2.rectangle(canvas, (x - 1, y - height - 1), (x + width, y + below), colour, cv2.FILLED)
    cv2.putText(canvas, label, (x, y), font, scale, (0, 0, 0), 1, cv2.LINE_AA)
