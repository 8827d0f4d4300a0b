"""Pictures and videos from http and https addresses, within limits of time and size."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from cvtool.errors import SourceError
from cvtool.offline import is_offline
from cvtool.pictures.contents import HEAD_BYTES, kind_of, remedy_for

URL_TIMEOUT = 20.0
URL_MAX_BYTES = 200_000_000
# A server may send slowly but not for ever: the whole may take this many times the time limit.
_WHOLE_TIMES = 10
_CHUNK = 1 << 16


def is_url(source: str) -> bool:
    """Whether a source is an http or https address."""
    return re.match(r"https?://", source, re.IGNORECASE) is not None


def fetch(
    url: str,
    *,
    timeout: float = URL_TIMEOUT,
    max_bytes: int = URL_MAX_BYTES,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[bytes, str]:
    """Download a picture or video.

    Args:
        url: http or https; letters outside ASCII and blanks are encoded.
        timeout: seconds to wait for the server each time; the whole may take ten times that.
        max_bytes: larger bodies are refused, announced or not.
        stop: asked between reads; True gives up.
    Returns:
        the body and its kind, "picture", "video" or "unknown" (see `contents.kind_of`).
    Raises:
        SourceError: the network is not to be used, no answer, an error status, too slow, too
            large, or a page, text or other document instead of a picture.
    """
    import http.client
    import urllib.error

    if is_offline():
        raise SourceError(
            f"{url}: the network is off (--offline or CVTOOL_OFFLINE); download it elsewhere and "
            "name the file"
        )
    try:
        with _open(url, timeout) as response:
            body = _read_body(response, url, timeout, max_bytes, stop)
            declared = response.headers.get_content_type()
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceError(
            f"{url}: the server answers {error.code} {error.reason}; check the address"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError) or "timed out" in str(reason):
            raise _too_slow(url, f"no answer within {timeout:g} seconds") from None
        text = getattr(reason, "strerror", None) or str(reason) or type(error).__name__
        raise SourceError(
            f"{url}: cannot be fetched ({' '.join(text.split())}); check the address and network"
        ) from None
    return body, _check_kind(body, declared, url)


def output_name(url: str) -> str:
    """Return a harmless file name for what an address leads to: its last path part."""
    parts = urlsplit(url)
    last = PurePosixPath(unquote(parts.path).replace("\\", "/")).name
    name = re.sub(r'[\x00-\x1f<>:"|?*]', "_", last).strip(". ")
    return name[-100:] or parts.hostname or "picture"


def _open(url: str, timeout: float) -> Any:
    # Built by hand: urllib's usual opener also follows redirections to ftp, and opens file:.
    import urllib.request as request

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
        request.HTTPDefaultErrorHandler,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    headers = {"User-Agent": "cvtool", "Accept": "image/*, video/*;q=0.8, */*;q=0.5"}
    return opener.open(request.Request(_ascii(url), headers=headers), timeout=timeout)


def _ascii(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    safe = "%/:=&?~#+!$,;'@()*[]"
    return urlunsplit(
        (parts.scheme, host, quote(parts.path, safe=safe), quote(parts.query, safe=safe), "")
    )


def _read_body(
    response: Any, url: str, timeout: float, max_bytes: int, stop: Callable[[], bool]
) -> bytes:
    too_large = SourceError(
        f"{url}: larger than the limit of {max_bytes / 1e6:g} MB; download it and name the file"
    )
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise too_large
    body = bytearray()
    end = time.monotonic() + _WHOLE_TIMES * timeout
    while chunk := response.read1(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise too_large
        if time.monotonic() > end:
            raise _too_slow(url, f"not whole after {_WHOLE_TIMES * timeout:g} seconds")
        if stop():
            raise SourceError(f"{url}: download stopped")
    if announced.isdigit() and len(body) < int(announced):
        raise SourceError(
            f"{url}: the connection ended after {len(body)} of {announced} bytes; try again"
        )
    return bytes(body)


def _too_slow(url: str, what: str) -> SourceError:
    return SourceError(f"{url}: {what}; try again later or download it by other means")


def _check_kind(body: bytes, declared: str, url: str) -> str:
    kind = kind_of(body[:HEAD_BYTES])
    if kind in ("picture", "video"):
        return kind
    if kind == "web page" or (kind == "plain text" and declared == "text/html"):
        raise SourceError(
            f"{url}: a web page (HTML), not a picture; open it and copy the picture's own address"
        )
    if kind == "unknown" and declared.startswith(("image/", "video/", "application/octet-stream")):
        return "video" if declared.startswith("video/") else kind
    if kind == "unknown":
        raise SourceError(
            f"{url}: holds {declared}, not a picture; give the address of a picture or video"
        )
    raise SourceError(f"{url}: {remedy_for(kind)}")
