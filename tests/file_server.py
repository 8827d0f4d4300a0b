"""A local HTTP server of files that answers well, or in one of the ways in which servers fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!doctype html><html><body>Please log in</body></html>"


@dataclass
class FileServer:
    """A server while it runs.

    Attributes:
        files: path, such as "/model/a.bin", to content.
        manners: how the next requests are answered, first to last; then all is well.
        asked: (path, Range or None) of each request so far.
        let_go: set at the end, so that stalled answers end.
    """

    files: dict[str, bytes]
    manners: list[str] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[FileServer]:
    """Run a server on a free port of this machine."""
    server = FileServer(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append((self.path, self.headers["Range"]))
            answer(self, server, server.manners.pop(0) if server.manners else "good")

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    try:
        yield server
    finally:
        server.let_go.set()
        httpd.shutdown()
        httpd.server_close()


def answer(handler, server: FileServer, manner: str) -> None:
    """One answer: "good", or as the name of the manner says."""
    if manner.isdigit():
        return handler.send_error(int(manner))
    if manner in ("redirect", "redirects for ever"):
        # A path that starts with a further /moved is the same file.
        if manner == "redirects for ever":
            server.manners.append(manner)
        return send(handler, b"", 302, {"Location": f"/moved{handler.path}"})
    path = handler.path.removeprefix("/moved")
    if path not in server.files:
        return handler.send_error(404)
    body = server.files[path]
    if manner == "html":
        return send(handler, PAGE, 200, {"Content-Type": "text/html"})
    if manner == "html without length":
        return send(handler, PAGE, 200, {"Content-Type": "text/html", "Content-Length": None})
    if manner == "wrong bytes":
        body = bytes(byte ^ 1 for byte in body)
    first = int((handler.headers["Range"] or "bytes=0-")[6:-1])
    status, headers = 200, {}
    if first and manner == "another part":
        first += 1
    if first and manner != "ignores ranges":
        if first >= len(body):
            return handler.send_error(416)
        status = 206
        headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
        body = body[first:]
    if manner == "announces more":
        headers["Content-Length"] = str(len(body) + 7)
    elif manner == "announces less":
        headers["Content-Length"] = str(len(body) - 7)
    elif manner in ("no length", "sends more"):
        headers["Content-Length"] = None
        body += b"more" * (manner == "sends more")
    elif manner in ("cuts", "stalls"):
        headers["Content-Length"] = str(len(body))
        body = body[: len(body) // 2]
    send(handler, body, status, headers)
    if manner == "stalls":
        server.let_go.wait(20)


def send(handler, body: bytes, status: int, headers: dict[str, str | None]) -> None:
    """Send a body with its length, unless the headers have another one, or None for none."""
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        if value is not None:
            handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()
