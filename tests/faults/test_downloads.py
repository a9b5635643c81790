"""S4: downloads are whole and right, or not there; from a server that misbehaves."""

import hashlib
import io
import itertools
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from faulty_server import Answer, faulty_server

from posekit import downloads
from posekit.commands import UsageError
from posekit.downloads import Download, fetch
from posekit.https_requests import DownloadError, open_address
from posekit.published_files import COLLECTIONS, PublishedFile
from posekit.recorded_downloads import Trust, fetch_published

ROOT = Path(__file__).parents[2]
CONTENT = bytes(range(256)) * 2000  # 512,000 bytes
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OTHER = CONTENT[:-1] + b"?"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def get(server, folder, **changes):
    fields = dict(max_bytes=1 << 20, sha256=DIGEST, timeout=60, attempts=3, wait=0.01)
    fields |= dict(local_http=True) | changes
    return fetch(Download(server.url, **fields), folder / "file.bin")


def visible(folder):
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def patient(first, then):
    """`open_address` with one timeout for the first request, and one for the others."""
    timeouts = itertools.chain([first], itertools.repeat(then))
    return lambda url, headers, _, *more: open_address(url, headers, next(timeouts), *more)


CUT = dict(cut=200_000)
ARRIVES = {  # answers -> starts of the ranges asked for
    "whole": ([Answer(CONTENT)], [None]),
    "cut twice": ([Answer(CONTENT, **CUT), Answer(CONTENT, **CUT), Answer(CONTENT)], [0, 2, 4]),
    "no length": ([Answer(CONTENT, length="")], [None]),
    "range ignored": ([Answer(CONTENT, **CUT), Answer(CONTENT, ranges=False)], [0, 2]),
    "changed since": ([Answer(OTHER, **CUT), Answer(CONTENT, etag='"2"')], [0, 2]),
    "no version": ([Answer(CONTENT, etag=None, **CUT), Answer(CONTENT, etag=None)], [0, 0]),
    "weak version": ([Answer(CONTENT, etag='W/"1"', **CUT), Answer(CONTENT)], [0, 0]),
    "shrunk": ([Answer(CONTENT + b"x", **CUT), Answer(CONTENT, condition=False)], [0, 2, 0]),
    "busy": ([Answer(status=503), Answer(status=429), Answer(CONTENT)], [0, 0, 0]),
    "slow once": ([Answer(CONTENT, silent=True), Answer(CONTENT)], [0, 0]),
    "redirected": ([Answer(status=302, headers={"Location": "/other"}), Answer(CONTENT)], [0, 0]),
}


@pytest.mark.parametrize("case", ARRIVES)
def test_s4_downloads_arrive_whole_from_a_server_that_cuts(case, tmp_path, monkeypatch):
    answers, starts = ARRIVES[case]
    if case == "slow once":
        monkeypatch.setattr(downloads, "open_address", patient(first=0.1, then=60))
    with faulty_server(*answers) as server:
        assert get(server, tmp_path) == DIGEST
    asked = [request.get("Range") for request in server.requests]
    assert asked == [f"bytes={n * 100_000}-" if n else None for n in starts]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT and visible(tmp_path) == {"file.bin"}


LYING = dict(length=len(CONTENT) + 1)
KEPT, NOTHING = {"file.bin.part", "file.bin.part.json"}, set()
REFUSED = {
    "cut for ever": (Answer(CONTENT, etag=None, **CUT), "cut after 200000 of 512000", KEPT),
    "length too long": (Answer(CONTENT, **LYING), "expected bytes|cut after", None),
    "length too short": (Answer(CONTENT, length=1000), "expected the sha256", NOTHING),
    "wrong hash": (Answer(OTHER), "expected the sha256", NOTHING),
    "cut, no length": (Answer(CONTENT, length="", **CUT), "expected the sha256", NOTHING),
    "too large": (Answer(bytes(2 << 20)), "larger than 1048576", NOTHING),
    "too large, unsaid": (Answer(bytes(2 << 20), length=""), "larger than 1048576", NOTHING),
    "absent": (Answer(status=404), "answers 404", NOTHING),
    "packed": (Answer(CONTENT, headers={"Content-Encoding": "gzip"}), "gzip", NOTHING),
    "to http elsewhere": (
        Answer(status=302, headers={"Location": "http://example.com/f"}),
        "https://, received 'http://example.com/f'",
        NOTHING,
    ),
    "to a file": (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "file:", NOTHING),
    "in circles": (Answer(status=302, headers={"Location": "/a"}), "302", NOTHING),
    "silent": (Answer(CONTENT, silent=True), "imed out", NOTHING),
}


@pytest.mark.parametrize("case", REFUSED)
def test_s4_downloads_that_are_cut_or_wrong_leave_what_was_there(case, tmp_path):
    answer, message, kept = REFUSED[case]
    (tmp_path / "file.bin").write_bytes(b"an older one")
    with faulty_server(answer) as server, pytest.raises(DownloadError, match=message):
        get(server, tmp_path, timeout=0.1 if case == "silent" else 60)
    assert (tmp_path / "file.bin").read_bytes() == b"an older one"
    assert kept is None or visible(tmp_path) == kept | {"file.bin"}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/f", "http://example.com/f", "file:///etc/passwd", "ftp://a/f", "f"]
)
def test_s4_only_https_is_asked(url, tmp_path):
    with pytest.raises(DownloadError, match="expected an address that starts with https://"):
        fetch(Download(url, 10), tmp_path / "f")
    assert visible(tmp_path) == set()


def test_s4_a_later_process_continues_an_earlier_one_and_killed_ones_do_no_harm(tmp_path):
    with faulty_server(Answer(CONTENT, **CUT)) as server:
        with pytest.raises(DownloadError, match="200000 bytes of it are kept"):
            get(server, tmp_path, attempts=1)
        server.answers = [Answer(CONTENT)]
        assert get(server, tmp_path) == DIGEST and server.requests[1]["Range"] == "bytes=200000-"
        # Killed between the last byte and the new name:
        (tmp_path / "file.bin").rename(tmp_path / "file.bin.part")
        about = {"url": server.url, "version": '"1"', "total": len(CONTENT)}
        (tmp_path / "file.bin.part.json").write_text(json.dumps(about))
        assert get(server, tmp_path) == DIGEST and len(server.requests) == 2
        # The right file is not fetched again, a damaged one is.
        assert get(server, tmp_path) == DIGEST and len(server.requests) == 2
        (tmp_path / "file.bin").write_bytes(OTHER)
        assert get(server, tmp_path) == DIGEST and len(server.requests) == 3
    assert visible(tmp_path) == {"file.bin"}


def test_s4_a_hash_that_nobody_publishes_is_trusted_once(tmp_path, capsys):
    with faulty_server(Answer(CONTENT)) as server:
        file = PublishedFile(server.url, 1 << 20)
        how = dict(local_http=True, attempts=1)
        with pytest.raises(UsageError, match="--trust-first"):
            fetch_published(file, tmp_path, Trust(), **how)
        with pytest.raises(UsageError, match="64 hex digits"):
            fetch_published(file, tmp_path, Trust("abc"), **how)
        with pytest.raises(DownloadError, match="expected the sha256"):
            fetch_published(file, tmp_path, Trust("0" * 64), **how)
        assert visible(tmp_path) == set()
        fetch_published(file, tmp_path, Trust(first=True), **how)
        assert DIGEST in capsys.readouterr().out
        (tmp_path / "file.bin").unlink()
        server.answers = [Answer(OTHER)]
        with pytest.raises(DownloadError, match=f"expected the sha256 {DIGEST}, received"):
            fetch_published(file, tmp_path, Trust(first=True), **how)
        with pytest.raises(UsageError, match="expected one sha256"):
            fetch_published(file, tmp_path, Trust("0" * 64), **how)
    assert visible(tmp_path) == {"downloads.json"}
    entry = json.loads((tmp_path / "downloads.json").read_text())["file.bin"]
    assert (entry["sha256"], entry["bytes"]) == (DIGEST, len(CONTENT))


def test_s4_an_archive_is_unpacked_once_its_hash_is_right(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("val2017/1.jpg", "picture")
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    with faulty_server(Answer(content.getvalue() + b"?"), Answer(content.getvalue())) as server:
        file = PublishedFile(server.url, 1 << 20, digest, unpack=True)
        how = dict(keep_archive=False, local_http=True)
        with pytest.raises(DownloadError, match="expected the sha256"):
            fetch_published(file, tmp_path, Trust(), **how)
        assert visible(tmp_path) == set()
        for _ in range(2):
            fetch_published(file, tmp_path, Trust(), **how)
        assert visible(tmp_path) == {"val2017", "downloads.json"} and len(server.requests) == 2
    assert (tmp_path / "val2017/1.jpg").read_text() == "picture"


def test_s4_published_files_are_of_https_and_mostly_pinned():
    files = {file.name: file for files in COLLECTIONS.values() for file in files}
    assert all(file.url.startswith("https://") for file in files.values())
    unknown = {name for name, file in files.items() if len(file.sha256) not in (8, 64)}
    assert unknown == {"mpii_human_pose_v1.tar.gz", "mpii_human_pose_v1_u12_2.zip"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["coco-val"], "expected names of coco"),
        ([], "received nothing"),
        (["mpii-images"], "--trust-first"),
        (["coco", "--sha256", "0" * 64], "expected it beside one file"),
        (["resnet18", "--sha256", "0" * 64], "expected one sha256"),
    ],
)
def test_s4_the_script_refuses_wrong_options_before_it_asks(words, message, tmp_path):
    command = [sys.executable, ROOT / "scripts/download.py", *words, "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert visible(tmp_path) == set()
