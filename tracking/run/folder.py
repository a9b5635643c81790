"""The output folder of a tracking run: its files, and a lock against a second run."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from posekit.atomic_files import remove_unfinished

TRACKS, CHECKPOINT, REPORT, VIDEO = "tracks.jsonl", "checkpoint.npz", "report.json", "video.mp4"
LOCK = ".lock"


class OutputError(ValueError):
    """An output folder that cannot be used."""

    exit_code = 2


@contextlib.contextmanager
def opened_output(folder: Path | str) -> Iterator[Path]:
    """Makes or reopens the folder and keeps other runs out of it, until the end of the context.

    Raises:
        OutputError: it cannot be written, or another process is tracking into it.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / LOCK, "a+")
    except OSError as error:
        raise OutputError(
            f"expected a folder that can be written, received {folder} ({error.strerror}); choose "
            "another --output"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise OutputError(
                f"expected a folder of our own, but process {lock.read().strip()} is tracking "
                f"into {folder}; wait for it, stop it, or choose another --output"
            ) from None
        except OSError as error:
            raise OutputError(
                f"expected a disk that can lock files, received {folder} ({error.strerror}); "
                "choose an --output on another one"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        remove_unfinished(folder)
        yield folder
