"""Fetching weights from a server on this machine; see also tests/faults/test_downloads.py."""

import hashlib
import socket

import pytest
from faulty_server import Answer, faulty_server

from posekit.weights import imagenet

CONTENT = b"weights" * 1000
NAME = f"net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"
HOW = dict(local_http=True, wait=0.01)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with faulty_server(Answer(CONTENT)) as server:
        monkeypatch.setattr(imagenet, "HOST", server.url.removesuffix("file.bin"))
        monkeypatch.setattr(imagenet, "FILES", {"net": NAME})
        yield server


def test_a_file_is_fetched_once_and_a_damaged_one_again(server, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = imagenet.fetch_imagenet("net", **HOW)
    assert path == tmp_path / "posekit" / NAME and path.read_bytes() == CONTENT
    assert imagenet.fetch_imagenet("net", **HOW) == path and len(server.requests) == 1
    path.write_bytes(CONTENT[:-1])
    assert imagenet.fetch_imagenet("net", **HOW).read_bytes() == CONTENT
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(CONTENT[:-1] + b"x"), "expected the sha256"),
        (Answer(CONTENT, etag=None, cut=4000), "cut after 4000 of 7000 bytes"),
        (Answer(CONTENT + bytes(5000)), "larger than 10000 bytes"),
        (Answer(status=404), "404"),
    ],
)
def test_a_wrong_or_cut_file_is_not_there(answer, message, server, tmp_path, monkeypatch):
    monkeypatch.setattr(imagenet, "SIZE_LIMIT", 10_000)
    server.answers = [answer]
    with pytest.raises(OSError, match=message):
        imagenet.fetch_imagenet("net", tmp_path, **HOW)
    assert not (tmp_path / NAME).exists()


def test_without_a_server_a_damaged_file_stays_and_is_not_taken(server, tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(b"other")
    with socket.socket() as deaf, pytest.raises(OSError, match="0 bytes of it are kept"):
        deaf.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setattr(imagenet, "HOST", f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        imagenet.fetch_imagenet("net", tmp_path, **HOW)
    with pytest.raises(ValueError, match="expected one of"):
        imagenet.fetch_imagenet("resnet17", tmp_path)
