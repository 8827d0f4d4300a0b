"""Files from the network: whole and with the sha256 that is expected, or not at all.

A download grows in a file that ends in `.part` and is renamed when it is whole. What an
interruption leaves there is gone on with the next time, where the server can.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from cvtool.errors import ModelError
from cvtool.models.cache import cache_folder, cache_lock, unwritable
from cvtool.models.progress import byte_bar, readable, say
from cvtool.offline import is_offline

if TYPE_CHECKING:
    import requests

MIRROR = "CVTOOL_MIRROR"
# Seconds to wait for a server that says nothing.
PATIENCE = 30.0
# Tries in a row that bring no byte more, and the seconds before each but the first.
PAUSES = (0.0, 1.0, 3.0)
# Of these answers, the next may be another.
PASSING = frozenset([408, 429, 500, 502, 503, 504])
# What is lost of a connection that ends is less than this.
_CHUNK = 1 << 13


class DownloadError(ModelError):
    """A file that could not be downloaded, and why."""


class _Interrupted(Exception):
    """A download that may go on at the next try."""


def downloaded_path(url: str, sha256: str) -> Path:
    """Where in the cache folder a file is kept."""
    return cache_folder() / "downloads" / f"{sha256}-{filename_of(url)}"


def part_of(path: Path) -> Path:
    """The file that a download grows in until it is whole."""
    return path.with_name(f"{path.name}.part")


def filename_of(url: str) -> str:
    """The last part of an address."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


def address_of(name: str, url: str) -> str:
    """Where to fetch a file of a model: its own address, or its place on CVTOOL_MIRROR.

    Raises:
        ModelError: CVTOOL_MIRROR is no http or https address.
    """
    mirror = os.environ.get(MIRROR, "").strip()
    if not mirror:
        return url
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise ModelError(
            f"{MIRROR}={mirror}: no http or https address; set it to one such as "
            "https://mirror.example/models"
        )
    return f"{mirror.rstrip('/')}/{name}/{filename_of(url)}"


def download(name: str, url: str, sha256: str, size: int) -> Path:
    """A file of a model: the one in the cache folder if it is intact, else downloaded.

    Args:
        name: the model's.
        url: http or https; with CVTOOL_MIRROR set, the file is taken from there.
        sha256: 64 hexadecimal digits that the content must have.
        size: bytes that the content must have.
    Returns:
        its path in the cache folder.
    Raises:
        ModelError: the network is not to be used, or the file cannot be downloaded, or is
            another one.
    """
    path = downloaded_path(url, sha256)
    with cache_lock(path.name):
        if path.exists() and _sha256(path) == sha256:
            return path
        if is_offline():
            raise ModelError(
                f'model "{name}" is not on this machine, and the network is off (--offline or '
                f"CVTOOL_OFFLINE); with a network, run: cvtool models pull {name}"
            )
        address = address_of(name, url)
        try:
            _retrieve(name, address, path, sha256, size)
        except DownloadError as error:
            raise ModelError(
                f'model "{name}": {error}; try again later, or fetch {url} elsewhere and put it '
                f"at {path}"
            ) from error
        except OSError as error:
            raise unwritable(path.parent, error) from error
    return path


def _retrieve(name: str, address: str, path: Path, sha256: str, size: int) -> None:
    import pooch

    # It would tell of each download what is told here.
    pooch.get_logger().setLevel(logging.WARNING)
    part = part_of(path)

    def downloader(url: str, output_file: str, _pooch: object) -> None:
        # pooch's own temporary file, which a killed process would leave behind.
        os.unlink(output_file)
        fetch(url, part, size, name)
        os.replace(part, output_file)

    # What was there from another time may be at fault, so that is not gone on with twice.
    for resumed in (part.exists(), False):
        try:
            pooch.retrieve(address, f"sha256:{sha256}", path.name, path.parent, None, downloader)
            return
        except ValueError:
            if not resumed:
                raise DownloadError(
                    f"{shown(address)}: not the file that is expected, its sha256 is another; "
                    "nothing of it was kept"
                ) from None


def fetch(url: str, part: Path, size: int | None, name: str) -> None:
    """Download an address into a file, going on where an earlier try ended.

    Args:
        url: http or https. Proxies are those of the environment (HTTPS_PROXY, NO_PROXY ...).
        part: the file, which may hold the first bytes. What came is left there when the
            connection ends early.
        size: bytes that there must be; None where only the server knows.
        name: the model's, for what is said on stderr.
    Raises:
        DownloadError: it cannot be had whole.
        OSError: the file cannot be written.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    host = urlsplit(url).hostname
    how_large = "" if size is None else f" ({readable(size)})"
    say(f"{name}: downloading {filename_of(url)}{how_large} from {host}")
    tries, most = 0, _size_of(part)
    with byte_bar(filename_of(url), size) as there:
        while True:
            try:
                return _go_on(url, part, size, there)
            except _Interrupted as error:
                reason = error
            tries = 1 if _size_of(part) > most else tries + 1
            most = max(most, _size_of(part))
            if tries >= len(PAUSES):
                raise DownloadError(f"{shown(url)}: {reason}") from None
            time.sleep(PAUSES[tries])


def _go_on(url: str, part: Path, size: int | None, there: Callable[[int], None]) -> None:
    """One try: ask for what is missing, and append it."""
    import requests

    have = _size_of(part)
    if size is not None and have == size:
        return
    if size is not None and have > size:
        part.unlink()
        have = 0
    # Not compressed on the way, so that bytes are those of the file.
    headers = {"User-Agent": "cvtool", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=PATIENCE) as response:
            have = _first_byte(response, url, part, have)
            whole = _whole_size(response, url, have, size)
            with part.open("ab" if have else "wb") as stream:
                for chunk in response.iter_content(_CHUNK):
                    have += len(chunk)
                    stream.write(chunk)
                    there(have)
                    if whole is not None and have > whole:
                        break
    except requests.RequestException as error:
        raise _as_ours(error, url, _size_of(part)) from None
    if whole is not None and have > whole:
        part.unlink()
        raise DownloadError(f"{shown(url)}: sends more than the {whole:,} bytes of the file")
    if whole is not None and have < whole:
        raise _Interrupted(f"the connection ended after {have:,} of {whole:,} bytes")


def _first_byte(response: requests.Response, url: str, part: Path, have: int) -> int:
    """Where in the file an answer begins: at `have`, as was asked, or at its start.

    Raises:
        _Interrupted: at neither, so that all is asked for next; or the server has a bad moment.
        DownloadError: the server refuses.
    """
    status = response.status_code
    if status == 200:
        return 0
    if status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        return have
    text = f"the server answers {status} {response.reason or ''}".rstrip()
    if have and status in (206, 416):
        part.unlink(missing_ok=True)
        raise _Interrupted(text)
    if status in PASSING:
        raise _Interrupted(text)
    raise DownloadError(f"{shown(url)}: {text}")


def _whole_size(response: requests.Response, url: str, have: int, size: int | None) -> int | None:
    """Bytes of the whole file: `size`, else what the server announces; None where nobody knows.

    Raises:
        DownloadError: the server announces another size than `size`.
    """
    announced = response.headers.get("Content-Length", "")
    packed = response.headers.get("Content-Encoding", "identity") != "identity"
    total = have + int(announced) if announced.isdigit() and not packed else None
    if size is None:
        return total
    if total in (None, size):
        return size
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise DownloadError(f"{shown(url)}: a web page (HTML), not the file")
    raise DownloadError(f"{shown(url)}: announces {total:,} bytes instead of {size:,}")


def _as_ours(error: requests.RequestException, url: str, have: int) -> Exception:
    """What an error of requests means: worth another try, or not; in few words."""
    from requests import exceptions as known

    inner = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    text = " ".join(str(inner).split())
    if isinstance(error, known.ProxyError):
        return DownloadError(f"{shown(url)}: the proxy of the environment cannot be reached")
    if isinstance(error, known.SSLError):
        return DownloadError(
            f"{shown(url)}: the server's certificate is not trusted; REQUESTS_CA_BUNDLE can name "
            "a file of those that are"
        )
    if isinstance(error, known.Timeout) or "timed out" in text:
        return _Interrupted(f"no answer within {PATIENCE:g} seconds, after {have:,} bytes")
    if isinstance(error, known.ChunkedEncodingError | known.ContentDecodingError):
        return _Interrupted(f"the connection ended after {have:,} bytes")
    if isinstance(error, known.TooManyRedirects):
        return DownloadError(f"{shown(url)}: the server only ever sends elsewhere")
    if isinstance(error, known.ConnectionError):
        # Of urllib3's words, those of the operating system come last.
        return _Interrupted(f"cannot be reached ({text.rsplit(': ', 1)[-1]})")
    return DownloadError(f"{shown(url)}: cannot be fetched ({text})")


def shown(url: str) -> str:
    """An address without the password that it may hold."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _size_of(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
