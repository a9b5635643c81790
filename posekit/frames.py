"""A frame, what videos are made of."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video.

    Args:
        image: (H, W, 3) uint8 RGB.
        index: of the frame among those that were read, from 0.
        time: seconds from the start of the video, as the file says; None where it does not.
        name: file name, of a picture in a folder.
    """

    image: np.ndarray
    index: int
    time: float | None = None
    name: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[:2]
