"""Downloads that are whole and right, or not there: https, sha256, size limit, resumable."""

import dataclasses
import errno
import hashlib
import http.client
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from posekit.atomic_files import flush_to_disk, write_file
from posekit.datasets.synthetic_folder import alone
from posekit.https_requests import DownloadError, NetworkFault, check_address, open_address

BLOCK = 1 << 16
ENOUGH = 1 << 20
"""Bytes of progress after which earlier failures are forgotten."""
LONGEST_WAIT = 60.0


@dataclasses.dataclass(frozen=True)
class Download:
    """What to fetch, and how.

    Args:
        url: https.
        max_bytes: of the file; more is refused, if possible before it is sent.
        sha256: all of its hex digits, or as many of the first ones as are known; "" for none.
        timeout: seconds without an answer.
        attempts: failures in a row after which to give up.
        wait: seconds before the second attempt; doubled for each further one.
        local_http: also takes http from this machine, as tests do.
    """

    url: str
    max_bytes: int
    sha256: str = ""
    timeout: float = 20.0
    attempts: int = 6
    wait: float = 1.0
    local_http: bool = False


Report = Callable[[int, int | None], None]
"""Is told (bytes so far, bytes in all or None)."""


def fetch(download: Download, path: Path | str, report: Report | None = None) -> str:
    """Brings a file, unless the right one is there; continues where an earlier call was cut.

    It appears under its name whole, on disk and with the right hash, or not at all. Until then it
    is NAME.part; NAME.part.json says which version of which address that is, and it is continued
    only with what the server calls the same version. Several processes may ask for one file.

    Args:
        download: what.
        path: of the file; its folder is made if absent.
        report: of the progress.

    Returns:
        sha256 of the file, hex.

    Raises:
        DownloadError: out of reach, refused, cut too often, too large, or of another hash.
        OSError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    check_address(download.url, download.local_http)
    with alone(path.with_name(f".{path.name}.lock")):
        if path.is_file() and download.sha256:
            digest = sha256_of(path)
            if digest.startswith(download.sha256):
                return digest
        part = _Part(path)
        _complete(download, part, report or (lambda size, total: None))
        digest = sha256_of(part.path)
        if not digest.startswith(download.sha256):
            part.remove()
            raise DownloadError(
                f"{download.url}: expected the sha256 {download.sha256}, received {digest}; "
                "nothing of it was kept"
            )
        flush_to_disk(part.path)
        os.replace(part.path, path)
        part.remove()
        flush_to_disk(path.parent)
    return digest


def sha256_of(path: Path) -> str:
    """Returns the sha256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Part:
    """The unfinished file, and what is known of the whole."""

    def __init__(self, path: Path):
        self.path = path.with_name(f"{path.name}.part")
        self.about = path.with_name(f"{path.name}.part.json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def remove(self) -> None:
        for path in (self.path, self.about):
            path.unlink(missing_ok=True)

    def known(self, url: str) -> dict:
        """What `begin` noted, where it is of this address and of a named version; else {}."""
        try:
            about = json.loads(self.about.read_bytes())
            whole = about["url"] == url and about["version"] and about["total"]
            return about if whole else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def begin(self, url: str, version: str, total: int | None) -> None:
        self.path.write_bytes(b"")
        write_file(self.about, json.dumps({"url": url, "version": version, "total": total}))


def _complete(download: Download, part: _Part, report: Report) -> None:
    """Fetches until the part is whole."""
    failures, furthest = 0, part.size()
    while True:
        try:
            return _attempt(download, part, report)
        except NetworkFault as error:
            size = part.size()
            failures = 1 if size >= furthest + ENOUGH else failures + 1
            furthest = max(furthest, size)
            if failures >= download.attempts:
                raise DownloadError(
                    f"{download.url}: {error.args[0]}; {size} bytes of it are kept in "
                    f"{part.path.name}, ask again to continue"
                ) from error
            time.sleep(min(download.wait * 2 ** (failures - 1), LONGEST_WAIT))


def _attempt(download: Download, part: _Part, report: Report) -> None:
    about, start = part.known(download.url), part.size()
    headers = {}
    if about and start == about["total"]:
        return  # an earlier call was ended between the last byte and the new name
    if about and start:
        headers = {"Range": f"bytes={start}-", "If-Range": about["version"]}
    try:
        answer = open_address(download.url, headers, download.timeout, download.local_http)
    except NetworkFault as error:
        if error.args[1] == 416:  # what is kept does not fit what is there now
            part.remove()
        raise
    with answer:
        total = _continued(answer, part, start, about) if answer.status == 206 else answer.length
        if total is None and not (answer.chunked or download.sha256):
            raise DownloadError(f"{download.url}: no length and no sha256 to know a whole file by")
        if answer.status == 200:
            part.begin(download.url, _version(answer), total)
        _check_size(download, part, total or 0)
        _check_room(part, (total or 0) - part.size())
        _copy(download, answer, part, total, report)


def _version(answer: http.client.HTTPResponse) -> str:
    """What If-Range may name: an ETag that is not weak, or a date."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _continued(answer: http.client.HTTPResponse, part: _Part, start: int, about: dict) -> int:
    """Returns the length of the whole file, of which the answer must be all from `start` on."""
    total = about.get("total", 0)
    given = answer.headers.get("Content-Range", "")
    if given != f"bytes {start}-{total - 1}/{total}":
        part.remove()
        reason = f"expected bytes {start}-{total - 1} of {total}, received {given!r:.60}"
        raise NetworkFault(reason, 206)
    return total


def _copy(
    download: Download,
    answer: http.client.HTTPResponse,
    part: _Part,
    total: int | None,
    report: Report,
) -> None:
    size = part.size()
    with part.path.open("ab") as file:
        while block := _read(answer):
            size += len(block)
            _check_size(download, part, size)
            file.write(block)
            report(size, total)
    if total is not None and size < total:
        raise NetworkFault(f"the transfer was cut after {size} of {total} bytes", None)


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read1(BLOCK)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NetworkFault(f"{type(error).__name__}: {error}", None) from error


def _check_size(download: Download, part: _Part, size: int) -> None:
    if size > download.max_bytes:
        part.remove()
        raise DownloadError(
            f"{download.url} is larger than {download.max_bytes} bytes; not what is expected"
        )


def _check_room(part: _Part, wanted: int) -> None:
    free = shutil.disk_usage(part.path.parent).free
    if wanted > free:
        reason = f"{part.path.name} needs {wanted} bytes more, {free} are free"
        raise OSError(errno.ENOSPC, reason)
