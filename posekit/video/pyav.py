"""The package PyAV (FFmpeg), which only those who read or write videos need."""

import os
from types import ModuleType

from posekit.video.faults import VideoError


def import_av() -> ModuleType:
    """Returns PyAV.

    Raises:
        VideoError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise VideoError(
            f"videos need the package PyAV ({error}); install it with: pip install av, or with the "
            "project: pip install 'posekit[video]'"
        ) from None
    return av


def file_address(path: str | os.PathLike) -> str:
    """Returns how FFmpeg takes a path for a file, also where it looks like "http:..."."""
    return f"file:{os.path.abspath(path)}"
