"""S3: archives are unpacked into their folder, whole, or not at all."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest
from peak_memory import growth

from posekit.archives import ArchiveError, Limits, unpack


def zipped(path, *members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def kind_of_zip(path, kind):
    member = zipfile.ZipInfo("link")
    member.create_system, member.external_attr = 3, (kind | 0o777) << 16
    return zipped(path, ("good.txt", "x"), (member, "/etc/passwd"))


def null_zip(path):
    zipped(path, ("good.txt", "x"), ("badAx.txt", "x"))
    path.write_bytes(path.read_bytes().replace(b"badAx", b"bad\0x"))
    return path


def tarred(path, name="bad", mode="w", **fields):
    with tarfile.open(path, mode) as archive:
        for member in (tarfile.TarInfo("good.txt"), tarfile.TarInfo(name)):
            member.size = 1
            for field, value in fields.items() if member.name == name else ():
                setattr(member, field, value)
            regular = member.type in (tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE)
            archive.addfile(member, io.BytesIO(bytes(member.size)) if regular else None)
    return path


def long_header(path):
    """A header of 300 MB of zeros, 300 kB on disk."""
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 300 << 20
    with gzip.open(path, "wb", 1) as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(300):
            file.write(bytes(1 << 20))
    return path


def cut(path):
    zipped(path, ("a.txt", "x" * 1000), ("b.txt", "y" * 1000))
    path.write_bytes(path.read_bytes()[:1500])
    return path


def damaged(path):
    zipped(path, ("good.txt", "x" * 1000), ("b.txt", "y" * 1000))
    data = bytearray(path.read_bytes())
    data[data.index(b"yyyy")] ^= 1
    path.write_bytes(data)
    return path


DEFLATED = dict(compression=zipfile.ZIP_DEFLATED)


def damaged_header(path):
    """The second of two headers; to Python's tarfile the archive ends there."""
    tarred(path)
    data = bytearray(path.read_bytes())
    data[1024:1034] = b"\xff" * 10
    path.write_bytes(data)
    return path


def empty_header(path):
    """The second of two headers is zeros, as those behind the last; its content follows."""
    tarred(path)
    data = bytearray(path.read_bytes())
    data[1024:1537] = bytes(512) + b"x"
    path.write_bytes(data)
    return path


def wrong_checksum(path):
    """A .tar.gz whose content is not what its checksum, at the very end, says."""
    tarred(path, mode="w:gz")
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    return path


def long_tail(path):
    """A bomb behind the end of the archive."""
    content = tarred(path).read_bytes()
    with gzip.open(path, "wb", 1) as file:
        file.write(content)
        for _ in range(64):
            file.write(bytes(1 << 20))
    return path


def spoilt(path, packing):
    """Packed otherwise than by deflate, and damaged: errors of other types."""
    zipped(path, ("a.txt", "x" * 1000), compression=packing)
    data = bytearray(path.read_bytes())
    data[50:60] = bytes(10)
    path.write_bytes(data)
    return path


HOSTILE = {
    "zip LZMA": lambda path: spoilt(path, zipfile.ZIP_LZMA),
    "zip bzip2": lambda path: spoilt(path, zipfile.ZIP_BZIP2),
    "zip long name": lambda path: zipped(path, ("good.txt", "x"), ("n" * 300, "x")),
    "zip place": lambda path: misplaced(path),
    "tar damaged header": damaged_header,
    "tar empty header": empty_header,
    "tar checksum": wrong_checksum,
    "tar long tail": long_tail,
    "zip up": lambda path: zipped(path, ("good.txt", "x"), ("../outside", "x")),
    "zip up inside": lambda path: zipped(path, ("a/../../outside", "x")),
    "zip absolute": lambda path: zipped(path, ("good.txt", "x"), (f"{path}-outside", "x")),
    "zip drive": lambda path: zipped(path, ("C:\\outside", "x")),
    "zip up, Windows": lambda path: zipped(path, ("..\\outside", "x")),
    "zip zero byte": null_zip,
    "zip symlink": lambda path: kind_of_zip(path, stat.S_IFLNK),
    "zip device": lambda path: kind_of_zip(path, stat.S_IFCHR),
    "zip file as folder": lambda path: zipped(path, ("a", "x"), ("a/b", "x")),
    "zip bomb": lambda path: zipped(path, ("zeros", bytes(64 << 20)), **DEFLATED),
    "zip bombs": lambda path: zipped(
        path, *((f"zeros{n}", bytes(8 << 20)) for n in range(5)), **DEFLATED
    ),
    "zip members": lambda path: zipped(path, *((f"{n}", "") for n in range(1001))),
    "zip cut": cut,
    "zip damaged": damaged,
    "zip encrypted": lambda path: encrypted(path),
    "tar up": lambda path: tarred(path, "../outside"),
    "tar absolute": lambda path: tarred(path, f"{path}-outside"),
    "tar symlink": lambda path: tarred(path, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "tar hard link": lambda path: tarred(path, type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "tar device": lambda path: tarred(path, type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "tar fifo": lambda path: tarred(path, type=tarfile.FIFOTYPE),
    "tar sparse": lambda path: tarred(path, type=tarfile.GNUTYPE_SPARSE, size=512),
    "tar twice": lambda path: tarred(path, "./good.txt"),
    "tar bomb": lambda path: tarred(path, mode="w:gz", size=64 << 20),
    "tar long header": long_header,
    "neither": lambda path: path.write_bytes(b"neither") and path,
}


def misplaced(path):
    """A zip whose list of members stands nowhere."""
    zipped(path, ("good.txt", "x"))
    data = path.read_bytes()
    path.write_bytes(data[:-6] + b"\xf0\xff\xff\xff" + data[-2:])
    return path


def encrypted(path):
    zipped(path, ("good.txt", "x"), ("b.txt", "x"))
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("case", HOSTILE)
def test_s3_hostile_archives_leave_nothing(case, tmp_path):
    path, folder = HOSTILE[case](tmp_path / "archive"), tmp_path / "room" / "data"
    folder.mkdir(parents=True)
    (folder / "good.txt").write_text("mine")
    words = "archive: .*nothing of it was unpacked"
    with growth() as grown, pytest.raises(ArchiveError, match=words):
        unpack(path, folder, Limits(members=1000))
    assert grown.kilobytes < 30_000
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["archive", "good.txt"]
    assert (folder / "good.txt").read_text() == "mine"


def test_s3_good_archives_are_unpacked_over_what_is_there(tmp_path):
    folder = tmp_path / "data"
    members = ("a/1.txt", "one"), ("a/b/2.txt", "two" * 10_000), ("empty/", "")
    assert unpack(zipped(tmp_path / "a.zip", *members, **DEFLATED), folder) == 2
    assert unpack(zipped(tmp_path / "b.zip", ("a/1.txt", "new"), ("a/3.txt", "3")), folder) == 2
    assert unpack(tarred(tmp_path / "c.tar", "a/4.txt"), folder) == 2
    assert unpack(tarred(tmp_path / "c.tar.gz", "a/5.txt", "w:gz"), folder) == 2
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in files(folder)}
    assert found.pop("a/b/2.txt") == "two" * 10_000
    assert found == {"a/1.txt": "new", "a/3.txt": "3", "good.txt": "\0"} | {
        name: "\0" for name in ("a/4.txt", "a/5.txt")
    }
    assert (folder / "empty").is_dir()
    assert {path.name for path in folder.iterdir()} == {"a", "empty", "good.txt"}


def files(folder):
    return (path for path in folder.rglob("*") if path.is_file())


def test_s3_a_million_members_are_refused_unread(tmp_path):
    # As zipfile writes them: a million entries of 46 bytes and a name, and the two ends.
    entry = zipfile.ZipInfo("000000")
    zipped(tmp_path / "one.zip", (entry, ""))
    data = (tmp_path / "one.zip").read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    many = 1_000_000
    size = (many * (end - start)).to_bytes(4, "little")
    with (tmp_path / "many.zip").open("wb") as file:
        file.write(data[:start] + data[start:end] * many)
        file.write(data[end : end + 8] + b"\xff\xff\xff\xff" + size + data[end + 16 :])
    words = "a list of members of 52000000 bytes"
    with growth() as grown, pytest.raises(ArchiveError, match=words):
        unpack(tmp_path / "many.zip", tmp_path / "data")
    assert grown.kilobytes < 20_000
