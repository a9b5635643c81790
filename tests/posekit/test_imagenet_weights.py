"""Fetching weights from a server on this machine, one that also misbehaves."""

import hashlib
import http.server
import threading

import pytest

from posekit.weights import imagenet

CONTENT = b"weights" * 1000
NAME = f"net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


class Server(http.server.BaseHTTPRequestHandler):
    """Sends `content`, says that it is `length` long, and counts its requests."""

    content = CONTENT
    length: int | None = len(CONTENT)
    requests = 0

    def do_GET(self):
        type(self).requests += 1
        self.send_response(200 if self.path == f"/{NAME}" else 404)
        if self.length is not None:
            self.send_header("Content-Length", str(self.length))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    handler = type("Once", (Server,), {})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(imagenet, "HOST", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(imagenet, "FILES", {"net": NAME})
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_fetched_once_and_a_damaged_one_again(server, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = imagenet.fetch_imagenet("net")
    assert path == tmp_path / "posekit" / NAME and path.read_bytes() == CONTENT
    assert imagenet.fetch_imagenet("net") == path and server.requests == 1
    path.write_bytes(CONTENT[:-1])
    assert imagenet.fetch_imagenet("net").read_bytes() == CONTENT and server.requests == 2


@pytest.mark.parametrize(
    ("content", "length", "message"),
    [
        (CONTENT[:-1] + b"x", len(CONTENT), "expected the sha256 in its name, received"),
        (CONTENT[:4000], len(CONTENT), "cut after 4000 of 7000 bytes"),
        (CONTENT[:4000], None, "expected the sha256"),  # cut, and the server had said nothing
        (b"", len(CONTENT), "cut after 0 of 7000"),
        (CONTENT + bytes(5000), None, "larger than 10000 bytes"),
    ],
)
def test_nothing_stays_of_a_wrong_or_cut_file(
    content, length, message, server, tmp_path, monkeypatch
):
    monkeypatch.setattr(imagenet, "SIZE_LIMIT", 10_000)
    server.content, server.length = content, length
    with pytest.raises(OSError, match=message):
        imagenet.fetch_imagenet("net", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_stays_damaged_without_a_server(server, tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(b"other")
    monkeypatch.setattr(imagenet, "FILES", {"net": NAME, "absent": "absent-00000000.pth"})
    with pytest.raises(OSError, match="404"):
        imagenet.fetch_imagenet("absent", tmp_path)
    monkeypatch.setattr(imagenet, "HOST", "http://127.0.0.1:9/")
    with pytest.raises(OSError):
        imagenet.fetch_imagenet("net", tmp_path, timeout=1)
    with pytest.raises(ValueError, match="expected one of"):
        imagenet.fetch_imagenet("resnet17", tmp_path)
