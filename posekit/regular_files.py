"""Files of strangers are regular ones: no pipe is waited for, no device read to its end."""

import errno
import os
import stat
from pathlib import Path


class NoRegularFile(OSError):
    """A pipe, a device or a socket where a file is expected."""

    exit_code = 2


def check_regular(path: str | Path) -> None:
    """Refuses what is no file, before it is opened: opening a pipe waits for its writer.

    Folders pass, because reading them is an error of its own; links are followed.

    Raises:
        NoRegularFile: naming the path.
        OSError: nothing is there, or nobody may look.
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        reason = "expected a regular file, received a pipe or device"
        raise NoRegularFile(errno.EINVAL, reason, str(path))
