"""A small web server in this process that can misbehave on request."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest


@dataclass(frozen=True)
class Reply:
    """What to answer; ``sent`` bytes of the body go out before the connection drops."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None


@dataclass
class LocalServer:
    """Serves files and functions by path; replies planned for a path come first, one a request."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, Callable[[dict[str, str]], Reply]] = field(default_factory=dict)
    planned: defaultdict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    serves_ranges: bool = True
    answer: type[Reply] = Reply

    def plan(self, path: str, *replies: Reply) -> None:
        """Answer the next requests of a path with these."""
        self.planned[path].extend(replies)

    def paths(self) -> list[str]:
        """Paths asked for, in order."""
        return [path for path, _ in self.requests]

    def reply(self, target: str, headers: dict[str, str]) -> Reply:
        """Decide what to answer."""
        parts = urlsplit(target)
        path = parts.path
        self.requests.append((path, headers))
        planned = self.planned[path].pop(0) if self.planned[path] else None
        if planned and planned.sent is None:
            return planned
        if path in self.pages:
            return planned or self.pages[path](dict(parse_qsl(parts.query)))
        if path not in self.files:
            return Reply(404, b"not here")
        reply = self._part(self.files[path], headers.get("Range"))
        return Reply(reply.status, reply.body, reply.headers, planned.sent if planned else None)

    def _part(self, body: bytes, wanted: str | None) -> Reply:
        if not wanted or not self.serves_ranges:
            return Reply(200, body)
        first = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if first >= len(body):
            return Reply(416, b"")
        return Reply(206, body[first:], {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"})


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """Run an empty server at its own address."""
    local = LocalServer("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            reply = local.reply(self.path, dict(self.headers))
            if reply.status == 0:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body if reply.sent is None else reply.body[: reply.sent])

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    local.address = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield local
    httpd.shutdown()
    httpd.server_close()
    thread.join()
