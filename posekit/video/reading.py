"""Opens what frames can come from."""

import os
from pathlib import Path

from posekit.images import MAX_PIXELS
from posekit.video.picture_folder import PictureFolder
from posekit.video.video_file import VideoFile


def open_video(
    source: str | os.PathLike | int,
    rate: float | None = None,
    max_pixels: int = MAX_PIXELS,
    threads: int = 1,
) -> VideoFile | PictureFolder:
    """Opens a video file, a folder of pictures or a camera.

    Args:
        source: path of a file or folder; or a camera: its number, "/dev/videoN", or "webcam" for
            the first. A file or folder of that name comes first. Cameras need Linux.
        rate: frames per second of a folder, from which its frames get their times.
        max_pixels: largest accepted height * width.
        threads: of the decoder, see `VideoFile`.

    Returns:
        The opened video; its `frames(start=0)` yields each `posekit.frames.Frame`.

    Raises:
        VideoError: with the path and the reason.
    """
    if isinstance(source, int):
        return VideoFile(f"/dev/video{source}", max_pixels, "v4l2", threads)
    path = Path(source)
    if path.is_dir():
        return PictureFolder(path, rate, max_pixels)
    word = str(source)
    if not path.exists() and (word == "webcam" or word.isdecimal()):
        return open_video(0 if word == "webcam" else int(word), rate, max_pixels, threads)
    if word.startswith("/dev/video"):
        return VideoFile(path, max_pixels, "v4l2", threads)
    return VideoFile(path, max_pixels, None, threads)
