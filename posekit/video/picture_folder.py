"""Folders of pictures, read as videos."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from posekit.frames import Frame
from posekit.images import MAX_PIXELS, ImageError, image_size, read_image
from posekit.video.faults import FaultList, VideoError

_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".webp")


class PictureFolder:
    """The pictures of a folder in the order of their numbers: "2.jpg" comes before "10.jpg".

    Hidden files, sub-folders and files that are not called like pictures are left out. Pixels come
    as they are stored, because annotations refer to those: the EXIF orientation is ignored.

    Args:
        path: the folder.
        rate: frames per second; None when unknown, then frames have no time.
        max_pixels: largest accepted height * width.

    Attributes:
        size: (height, width) of the first picture that says one.
        rate: as given.
        declared_frames: how many pictures the folder has.
        decoded_frames: how many have been decoded, those before `start` included.
        faults: what was wrong with the pictures so far; those before `start` included.

    Raises:
        VideoError: no such folder, or none of its files is a picture.
    """

    def __init__(
        self, path: str | os.PathLike, rate: float | None = None, max_pixels: int = MAX_PIXELS
    ):
        self.path = Path(path)
        self.rate = rate
        self._max_pixels = max_pixels
        self._names = _picture_names(self.path)
        self.declared_frames = len(self._names)
        self.size = self._first_size()
        self._restart()

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Yields the pictures; each call begins anew.

        Args:
            start: pictures at a lower place are checked but not yielded.

        Yields:
            Frames whose index is the place in the folder, from 0, also after a picture that was
            skipped because it is damaged; time is index / rate.
        """
        self._restart()
        for index, name in enumerate(self._names):
            try:
                image = read_image(self.path / name, max_pixels=self._max_pixels)
            except ImageError as error:
                self.faults.add("picture", index, f"{name}: {error.reason}", name)
                continue
            self.decoded_frames += 1
            if index >= start:
                yield Frame(image, index, index / self.rate if self.rate else None, name)
        self.faults.add_count(self.declared_frames, self.decoded_frames)

    def _restart(self) -> None:
        self.decoded_frames, self.faults = 0, FaultList()

    def _first_size(self) -> tuple[int, int]:
        for name in self._names:
            try:
                return image_size(self.path / name, self._max_pixels)
            except ImageError as error:
                reason = error.reason
        raise VideoError(f"none of its pictures can be read; {name}: {reason}", self.path)


def _picture_names(path: Path) -> list[str]:
    try:
        names = os.listdir(path)
    except (OSError, ValueError) as error:
        raise VideoError(getattr(error, "strerror", None) or str(error), path) from None
    names = [n for n in names if n.lower().endswith(_SUFFIXES) and not n.startswith(".")]
    if not names:
        raise VideoError(f"expected pictures ({', '.join(_SUFFIXES)}), received none", path)
    return sorted(names, key=_natural_order)


def _natural_order(name: str) -> tuple[list[str | int], str]:
    parts = re.split("([0-9]+)", name.lower())
    # Words and numbers alternate, so that each is only compared with its like.
    return [int(part) if part.isdecimal() else part for part in parts], name
