"""Which files were fetched, in downloads.json beside them: trust on first use, and never again."""

import dataclasses
import re
import sys
import time
from pathlib import Path
from typing import Any

from posekit.archives import unpack
from posekit.commands import UsageError
from posekit.downloads import Download, Report, fetch
from posekit.published_files import PublishedFile
from posekit.strict_json import read_json, write_json

RECORD = "downloads.json"


@dataclasses.dataclass(frozen=True)
class Trust:
    """What to hold a file to whose hash nobody publishes.

    Args:
        sha256: its 64 hex digits, from elsewhere; "" for none.
        first: take what comes, and from then on nothing else.
    """

    sha256: str = ""
    first: bool = False


def fetch_published(
    file: PublishedFile,
    folder: Path,
    trust: Trust,
    report: Report | None = None,
    keep_archive: bool = True,
    **how,
) -> None:
    """Fetches a file, compares and records its sha256, and unpacks it.

    Args:
        file: which.
        folder: for the file, for what is in it, and for downloads.json.
        trust: where nobody publishes a hash.
        report: of the progress, see `downloads.fetch`.
        keep_archive: also after it was unpacked.
        how: fields of `downloads.Download`.

    Raises:
        UsageError: no hash is known and none is given, two differ, or downloads.json is damaged.
        DownloadError, ArchiveError, OSError: see `downloads.fetch` and `archives.unpack`.
    """
    record = read_record(folder)
    known = record.get(file.name, {})
    if known.get("unpacked") and not (folder / file.name).exists():
        print(
            f"{file.name} was unpacked before; to fetch it again, remove it from {folder / RECORD}",
            file=sys.stderr,
        )
        return
    wanted = wanted_hash(file, known.get("sha256", ""), trust)
    download = Download(file.url, file.max_bytes, wanted, **how)
    digest = fetch(download, folder / file.name, report)
    if not wanted:
        print(f"{file.name}: trusting the sha256 {digest}, recorded in {folder / RECORD}")
    size = (folder / file.name).stat().st_size
    entry = {"url": file.url, "bytes": size, "sha256": digest, "date": time.strftime("%Y-%m-%d")}
    _record(folder, file.name, entry)
    if file.unpack:
        entry["unpacked"] = unpack(folder / file.name, folder)
        _record(folder, file.name, entry)
        if not keep_archive:
            (folder / file.name).unlink()


def wanted_hash(file: PublishedFile, recorded: str, trust: Trust) -> str:
    """Returns the longest known part of the sha256 that a file must have; "" to trust the first.

    Raises:
        UsageError: there is none, or two that differ.
    """
    stated = trust.sha256.lower()
    if stated and not re.fullmatch("[0-9a-f]{64}", stated):
        raise UsageError(f"--sha256: expected 64 hex digits, received {trust.sha256!r:.80}")
    hashes = sorted(filter(None, (file.sha256, recorded, stated)), key=len)
    if any(not hashes[-1].startswith(digits) for digits in hashes):
        raise UsageError(
            f"{file.name}: expected one sha256, received {', '.join(hashes)} (published, recorded "
            f"in {RECORD}, --sha256)"
        )
    if not hashes and not trust.first:
        raise UsageError(
            f"{file.name}: nobody publishes its sha256; state the one you know with --sha256, or "
            "say --trust-first: what comes is then taken, its hash printed and recorded in "
            f"{RECORD}, and another file refused from then on"
        )
    return hashes[-1] if hashes else ""


def read_record(folder: Path) -> dict[str, Any]:
    """Returns file name -> {"url", "bytes", "sha256", "date", "unpacked"}; {} where none is."""
    path = folder / RECORD
    try:
        record = read_json(path) if path.exists() else {}
        fits = all(re.fullmatch("[0-9a-f]{64}", entry["sha256"]) for entry in record.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: expected a record of downloads, received: {error}") from error
    if not fits:
        raise UsageError(f"{path}: expected a sha256 of 64 hex digits in every entry")
    return record


def _record(folder: Path, name: str, entry: dict[str, Any]) -> None:
    write_json(folder / RECORD, read_record(folder) | {name: entry})
