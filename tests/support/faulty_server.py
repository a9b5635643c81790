"""A server on this machine that answers as it is told, once for each request."""

import contextlib
import http.server
import re
import threading
from collections.abc import Iterator


class Answer:
    """One answer; by default the whole file, or what Range asks for, and then it is right.

    Args:
        content: the file.
        cut: bytes after which the connection is closed.
        length: Content-Length, where it is a lie; "" leaves it out.
        etag: of the file; None: there is none.
        ranges: whether Range is understood.
        condition: whether If-Range is.
        status: in place of 200, without content.
        location: of a redirect.
        silent: whether nothing is said before who asked has gone.
    """

    def __init__(self, content=b"", **fields):
        self.content = content
        self.cut = fields.pop("cut", None)
        self.length = fields.pop("length", None)
        self.etag = fields.pop("etag", '"1"')
        self.ranges = fields.pop("ranges", True)
        self.condition = fields.pop("condition", True)
        self.status = fields.pop("status", 200)
        self.headers = fields.pop("headers", {})
        self.silent = fields.pop("silent", False)
        assert not fields, fields


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        if answer.silent:
            with contextlib.suppress(OSError):
                self.rfile.read(1)
            return
        content, status, headers = answer.content, answer.status, dict(answer.headers)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = not answer.condition or self.headers.get("If-Range") == answer.etag
        if asked and answer.ranges and same and status == 200:
            start, status = int(asked[1]), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            content = content[start:]
        if answer.etag:
            headers["ETag"] = answer.etag
        length = len(content) if answer.length is None else answer.length
        headers |= {} if length == "" else {"Content-Length": str(length)}
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content[: answer.cut])

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def faulty_server(*answers: Answer) -> Iterator[http.server.ThreadingHTTPServer]:
    """Yields a server; `.answers` are used up but for the last, `.requests` are their headers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.answers, server.requests = list(answers), []
    server.url = f"http://127.0.0.1:{server.server_port}/file.bin"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
