"""Files that are either whole or not there: written beside their final name, then renamed."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

TEMPORARY_PREFIX = ".tmp-"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a disk answers that takes no more."""


class WriteError(OSError):
    """A disk or a folder takes no more; what was there before is still there."""

    exit_code = 1

    @classmethod
    def of(cls, error: Exception, name: str) -> "WriteError":
        """Says what could not be written, and what to do; `error` has errno and strerror."""
        return cls(
            error.errno,
            f"could not write {name}: {error.strerror or error}; what was there before is intact. "
            "Make room, or make its folder writable, then run the same command again",
        )


@contextlib.contextmanager
def replaced_file(path: Path | str) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what was written there replaces `path` at the end.

    The file is flushed to disk before it is renamed, so that a crash or a full disk leaves either
    the old file or the new one. On any error the temporary file is removed and `path` is untouched.

    Args:
        path: the final name; the temporary name keeps its suffix.

    Raises:
        WriteError: the disk is full, or the folder cannot be written, or is gone.
    """
    path = Path(path)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}")
    try:
        yield temporary
        flush_to_disk(temporary)
        os.replace(temporary, path)
        flush_to_disk(path.parent)
    except WriteError:
        raise
    except OSError as error:
        # Others are about other files, which the body reads.
        if error.errno in FULL or error.filename in (temporary, str(temporary)):
            raise WriteError.of(error, path.name) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_file(path: Path | str, content: bytes | str) -> None:
    """Writes a small file at once and whole; text is UTF-8.

    Raises:
        OSError: as `replaced_file`.
    """
    with replaced_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def whole_files(folder: Path | str, ending: str | tuple[str, ...]) -> list[Path]:
    """Lists the files of a folder by the ending of their names, without those being written.

    Args:
        folder: looked at without its sub-folders.
        ending: such as ".json"; or several.

    Returns:
        Sorted paths, without hidden files: a temporary file of `replaced_file` is one, and so is
        the "._name" that macOS puts beside each file of an archive. None for a missing folder.
    """
    paths = (path for path in Path(folder).glob("*") if path.name.endswith(ending))
    return sorted(path for path in paths if not path.name.startswith(".") and path.is_file())


def remove_unfinished(folder: Path | str) -> None:
    """Removes what a killed process left half written in a folder."""
    for path in Path(folder).glob(f"{TEMPORARY_PREFIX}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def flush_to_disk(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
