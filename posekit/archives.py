"""Unpacks zip and tar archives member by member: plain files inside the folder, and nothing else.

Everything is unpacked beside its place first and moved there when all of it is good, so that of a
damaged or hostile archive nothing appears.
"""

import contextlib
import dataclasses
import errno
import gzip
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from posekit.atomic_files import TEMPORARY_PREFIX

Member = tuple[str, BinaryIO | None]
"""Name, and the bytes of a file or None for a folder."""
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, struct.error)
_DAMAGE += (EOFError, ValueError, RuntimeError, OverflowError, KeyError)
_DAMAGE_NUMBERS = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL}
"""What the system answers to an archive's own names and offsets."""
_END, _END64 = b"PK\x05\x06", b"PK\x06\x06"
_END_BYTES = 1 << 17
_DIRECTORY_BYTES = 128
"""Mean length of a member's entry in the list of a zip; 46 and the name at least."""
_HEADER_BYTES = 1 << 20


class ArchiveError(ValueError):
    """An archive that is damaged, too large, or reaches out of its folder."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class Limits:
    """What an archive may hold."""

    members: int = 200_000
    """Files and folders; COCO's train2017 has 118,288."""
    unpacked_bytes: int = 1 << 36
    ratio: int = 100
    """Unpacked bytes per packed one, beyond `free_bytes`; texts have ten, bombs a thousand."""
    free_bytes: int = 1 << 24


def unpack(archive: Path | str, folder: Path | str, limits: Limits | None = None) -> int:
    """Unpacks a .zip, .tar or .tar.gz into a folder; files there of the same names are replaced.

    Args:
        archive: file whose hash has been compared before.
        folder: made if absent.
        limits: those of `Limits` where None.

    Returns:
        Number of files.

    Raises:
        ArchiveError: naming the archive and its member: absolute or upward name, the same name
            twice, a link or device, more than the limits, damaged. Nothing was unpacked.
        OSError: the disk is full or the folder cannot be written; likewise.
    """
    archive, folder, limits = Path(archive), Path(folder), limits or Limits()
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder, prefix=f"{TEMPORARY_PREFIX}unpack-"))
    try:
        count = _unpack_here(archive, scratch, limits)
        _move(scratch, folder)
    except (*_DAMAGE, OSError) as error:
        if not isinstance(error, _DAMAGE) and error.errno not in _DAMAGE_NUMBERS:
            raise
        raise ArchiveError(f"{archive}: {error}; nothing of it was unpacked") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return count


def _unpack_here(archive: Path, folder: Path, limits: Limits) -> int:
    with archive.open("rb") as file:
        is_zip = file.read(4) in (b"PK\x03\x04", _END)
    seen, files = set(), 0
    left = limits.free_bytes + limits.ratio * archive.stat().st_size
    left = min(limits.unpacked_bytes, left)
    with contextlib.closing((_zip_members if is_zip else _tar_members)(archive, limits)) as members:
        for name, source in members:
            path = _inner(name)
            if path in seen or len(seen) >= limits.members:
                more = f"more than {limits.members} members"
                raise ValueError(f"{name!r:.80} twice" if path in seen else more)
            seen.add(path)
            target = folder / path
            (target.parent if source else target).mkdir(parents=True, exist_ok=True)
            if source:
                left -= _copy(source, target, left)
                files += 1
    return files


def _inner(name: str) -> PurePosixPath:
    """Passes a name that stays inside the folder, on any system."""
    paths = PurePosixPath(name), PureWindowsPath(name)
    if "\0" in name or any(path.drive or path.root or ".." in path.parts for path in paths):
        raise ValueError(f"expected names inside the folder, received {name!r:.80}")
    return paths[0]


def _copy(source: BinaryIO, target: Path, left: int) -> int:
    """Returns the number of bytes, at most `left`."""
    size = 0
    with target.open("xb") as file:
        while block := source.read(1 << 20):
            size += len(block)
            if size > left:
                raise ValueError("it unpacks to more than its size or the limit allows")
            file.write(block)
    return size


def _zip_members(archive: Path, limits: Limits) -> Iterator[Member]:
    _check_directory(archive, limits)
    with zipfile.ZipFile(archive) as whole:
        check_packing(whole.infolist())
        for member in whole.infolist():
            name = member.orig_filename  # .filename is cut at a zero byte
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError(f"expected files, received a link or device {name!r:.80}")
            if member.file_size > max(limits.free_bytes, limits.ratio * member.compress_size):
                sizes = f"{member.compress_size} to {member.file_size} bytes"
                raise ValueError(f"{name!r:.80} unpacks {sizes}")
            with whole.open(member) as source:
                yield name, None if member.is_dir() else source


def check_packing(members: Iterable[zipfile.ZipInfo]) -> None:
    """Refuses what is packed otherwise than by deflate, whose damage has one error of its own.

    Raises:
        ValueError: naming the member.
    """
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"expected {member.filename!r:.80} to be packed by deflate, or not")


def _check_directory(archive: Path, limits: Limits) -> None:
    """Refuses a zip whose list of members is too long, before Python makes objects of it."""
    with archive.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_BYTES))
        tail = file.read()
    length = 0
    for mark, form, place in ((_END, "<L", 12), (_END64, "<Q", 40)):
        at = tail.rfind(mark)
        if at >= 0:
            (found,) = struct.unpack_from(form, tail, at + place)
            length = max(length, found if found < 0xFFFFFFFF or form == "<Q" else 0)
    if length > limits.members * _DIRECTORY_BYTES:
        raise ValueError(f"a list of members of {length} bytes")


def _tar_members(archive: Path, limits: Limits) -> Iterator[Member]:
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(archive.open("rb"))
        if file.read(2) == b"\x1f\x8b":
            file = stack.enter_context(gzip.open(archive))
        file.seek(0)
        reads = _ShortReads(file)
        whole = stack.enter_context(tarfile.open(fileobj=reads, mode="r:"))
        while (member := whole.next()) is not None:
            if not (member.isreg() or member.isdir()) or member.issparse():
                raise ValueError(f"expected files, received a link or device {member.name!r:.80}")
            yield member.name, None if member.isdir() else whole.extractfile(member)
            whole.members.clear()  # it would keep them all
        # To tarfile a damaged header of any member but the first is the archive's end.
        if reads.last != bytes(tarfile.BLOCKSIZE):
            raise ValueError("expected the end of the archive, received a damaged header or none")
        _read_on(file, limits.free_bytes)


def _read_on(file: BinaryIO, limit: int) -> None:
    """Reads the zeros behind the last member, so that gzip compares its checksum."""
    while block := file.read(_HEADER_BYTES):
        if block.strip(b"\0"):
            raise ValueError("expected the end of the archive, received more of it")
        limit -= len(block)
        if limit < 0:
            raise ValueError("more behind its end than padding")


class _ShortReads:
    """A file of which no header of a member may ask for more than a megabyte at once.

    `last` is what was read last.
    """

    def __init__(self, file: BinaryIO):
        self.seek, self.tell, self._file = file.seek, file.tell, file
        self.last = b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _HEADER_BYTES:
            raise ValueError(f"a header of {size} bytes")
        self.last = self._file.read(size)
        return self.last


def _move(scratch: Path, folder: Path) -> None:
    paths = [(path, folder / path.relative_to(scratch)) for path in sorted(scratch.rglob("*"))]
    for path, target in paths:
        if target.exists() and target.is_dir() != path.is_dir():
            raise ValueError(f"expected {target} to be a {'folder' if path.is_dir() else 'file'}")
    for path, target in paths:
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            os.replace(path, target)
