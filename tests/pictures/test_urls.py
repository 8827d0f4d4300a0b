"""Pictures from http addresses, and servers that misbehave."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from cvtool.errors import CvtoolError
from cvtool.pictures.sources import read_pictures
from cvtool.pictures.urls import output_name
from cvtool.pictures.writing import write_picture


@pytest.fixture(scope="module")
def png(tmp_path_factory):
    path = tmp_path_factory.mktemp("web") / "a.png"
    write_picture(path, np.random.default_rng(0).integers(0, 255, (50, 60, 3)).astype(np.uint8))
    return path.read_bytes()


@pytest.fixture(scope="module")
def server(png):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            page = self.path.split("?")[0]
            if page == "/missing.png":
                return self.send_error(404)
            if page == "/moved.png":
                self.send_response(302)
                self.send_header("Location", "/good.png")
                return self.end_headers()
            if page == "/stalls.png":
                time.sleep(2)
                return None
            self.send_response(200)
            body, kind, length = png, "image/png", len(png)
            if page == "/page.html":
                body, kind = b"<!doctype html><html><body>hi</body></html>", "text/html"
                length = len(body)
            elif page == "/cut.png":
                body = png[:100]
            elif page == "/lies.png":
                length = None  # sends without announcing how much
            self.send_header("Content-Type", kind)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            return self.wfile.write(body)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


@pytest.mark.parametrize("page", ["good.png", "moved.png", "lies.png", "g%20%C3%A4.png?size=2"])
def test_a_picture_is_fetched(server, page):
    (picture,) = read_pictures([f"{server}/{page}"])
    assert picture.pixels.shape == (50, 60, 3)
    assert picture.name == f"{server}/{page}"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("missing.png", "404"),
        ("page.html", "a web page"),
        ("cut.png", "after 100 of"),
        ("stalls.png", "no answer within 0.5 seconds"),
    ],
)
def test_what_a_server_does_wrong_is_said_in_one_line(server, page, words):
    with pytest.raises(CvtoolError) as caught:
        list(read_pictures([f"{server}/{page}"], url_timeout=0.5))
    message = str(caught.value)
    assert message.startswith(f"{server}/{page}: ") and words in message and "\n" not in message


@pytest.mark.parametrize("page", ["good.png", "lies.png"])
def test_a_body_over_the_limit_is_refused_announced_or_not(server, page):
    with pytest.raises(CvtoolError, match="larger than the limit"):
        list(read_pictures([f"{server}/{page}"], url_max_bytes=500))


def test_a_dead_address_is_one_line():
    with pytest.raises(CvtoolError, match="http://127.0.0.1:9/a.png: cannot be fetched"):
        list(read_pictures(["http://127.0.0.1:9/a.png"]))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a.png"])
def test_other_schemes_are_not_followed(url):
    with pytest.raises(CvtoolError):
        list(read_pictures([url]))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h.org/a/b%20c.jpg?x=1", "b c.jpg"),
        ("http://h.org/..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("http://h.org/", "h.org"),
    ],
)
def test_output_names_are_harmless(url, name):
    assert output_name(url) == name
