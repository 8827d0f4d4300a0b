"""Downloads from servers that behave and from those that do not: the right file, or none."""

import hashlib
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from cvtool.errors import ModelError
from cvtool.models import downloads
from cvtool.models.downloads import address_of, download, downloaded_path, fetch
from file_server import serve

ROOT = Path(__file__).resolve().parents[2]
BODY = np.random.default_rng(0).bytes(24 * 8192)
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(scope="module")
def running():
    with serve({"/files/a.bin": BODY, "/mirror/tiny/a.bin": BODY}) as server:
        yield server


@pytest.fixture
def server(running, monkeypatch, tmp_path):
    """The server, an empty cache, and little patience."""
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "cache"))
    for name in ("CVTOOL_OFFLINE", "CVTOOL_MIRROR", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(downloads, "PATIENCE", 0.3)
    monkeypatch.setattr(downloads, "PAUSES", (0, 0, 0))
    running.manners.clear()
    running.asked.clear()
    return running


def get(server, sha256=SHA256):
    return download("tiny", f"{server.url}/files/a.bin", sha256, len(BODY))


def kept(tmp_path):
    """The names of what is in the cache's folder of downloads."""
    folder = tmp_path / "cache" / "downloads"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_is_downloaded_once_and_named_by_its_hash(server, tmp_path, capsys):
    paths = {get(server), get(server)}
    assert paths == {tmp_path / "cache" / "downloads" / f"{SHA256}-a.bin"}
    assert paths.pop().read_bytes() == BODY
    assert server.asked == [("/files/a.bin", None)] and kept(tmp_path) == [f"{SHA256}-a.bin"]
    out, err = capsys.readouterr()
    assert out == "" and err == "cvtool: tiny: downloading a.bin (0.2 MB) from 127.0.0.1\n"


def test_a_terminal_shows_how_far_it_is(server, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    get(server)
    assert "a.bin" in sys.stderr.getvalue() and "196.6/196.6 kB" in sys.stderr.getvalue()


def test_a_damaged_file_in_the_cache_is_downloaded_again(server):
    path = get(server)
    path.write_bytes(BODY[:-1] + b"x")
    assert get(server).read_bytes() == BODY and len(server.asked) == 2


@pytest.mark.parametrize(
    "manners",
    [["redirect"], ["no length"], ["503", "500", "good"], ["cuts", "cuts", "cuts", "cuts", "cuts"]],
    ids=" ".join,
)
def test_it_arrives_all_the_same(server, manners, tmp_path):
    server.manners += manners
    assert get(server).read_bytes() == BODY
    assert kept(tmp_path) == [f"{SHA256}-a.bin"]


def test_what_came_before_a_cut_is_not_asked_for_again(server):
    server.manners += ["cuts", "cuts"]
    assert get(server).read_bytes() == BODY
    assert [r for _, r in server.asked] == [None, "bytes=98304-", "bytes=147456-"]


@pytest.mark.parametrize("manner", ["cuts", "stalls"])
def test_an_interrupted_download_goes_on_the_next_time(server, manner, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "PAUSES", (0,))
    server.manners.append(manner)
    words = {"cuts": "ended after 98,304", "stalls": r"no answer within 0.3 seconds, after 98,304"}
    with pytest.raises(ModelError, match=words[manner]) as error:
        get(server)
    path = downloaded_path(f"{server.url}/files/a.bin", SHA256)
    assert str(error.value).startswith(f'model "tiny": {server.url}/files/a.bin: ')
    assert str(error.value).endswith(f"put it at {path}") and "\n" not in str(error.value)
    assert kept(tmp_path) == [f"{SHA256}-a.bin.part"]
    assert get(server).read_bytes() == BODY
    assert server.asked[-1][1] == "bytes=98304-" and kept(tmp_path) == [f"{SHA256}-a.bin"]


@pytest.mark.parametrize("manner", ["ignores ranges", "another part", "416"])
def test_a_server_that_cannot_go_on_sends_all(server, manner):
    part = downloaded_path(f"{server.url}/files/a.bin", SHA256).with_suffix(".bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY[:1000])
    server.manners.append(manner)
    assert get(server).read_bytes() == BODY
    assert server.asked[0][1] == "bytes=1000-"


@pytest.mark.parametrize("content", [b"other" * 100, BODY[:-1] + b"x", BODY + b"x", BODY])
def test_a_part_of_anything_else_does_no_harm(server, content, tmp_path):
    part = downloaded_path(f"{server.url}/files/a.bin", SHA256).with_suffix(".bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(content)
    assert get(server).read_bytes() == BODY
    assert kept(tmp_path) == [f"{SHA256}-a.bin"]
    assert (server.asked == []) is (content == BODY)


@pytest.mark.parametrize(
    ("manners", "words", "tries"),
    [
        (["wrong bytes"], "not the file that is expected, its sha256 is another; nothing", 1),
        (["html"], r"a web page \(HTML\), not the file", 1),
        (["html without length"] * 3, "ended after 54 of 196,608 bytes", 3),
        (["announces more"], "announces 196,615 bytes instead of 196,608", 1),
        (["announces less"], "announces 196,601 bytes instead of 196,608", 1),
        (["sends more"], "sends more than the 196,608 bytes", 1),
        (["404"], "the server answers 404", 1),
        (["403"], "the server answers 403", 1),
        (["500", "500", "500"], "the server answers 500", 3),
        (["redirects for ever"], "only ever sends elsewhere", 31),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_nothing_wrong_is_ever_kept(server, manners, words, tries, tmp_path):
    server.manners += manners
    with pytest.raises(ModelError, match=words) as error:
        get(server)
    assert "\n" not in str(error.value) and str(error.value).count("127.0.0.1") == 2
    assert len(server.asked) == tries
    # A web page that was cut, for all one knows; it will not have the hash.
    left = [f"{SHA256}-a.bin.part"] if "html without length" in manners else []
    assert kept(tmp_path) == left
    server.manners.clear()
    assert get(server).read_bytes() == BODY


def test_a_file_of_another_hash_is_not_taken(server, tmp_path):
    with pytest.raises(ModelError, match="its sha256 is another"):
        get(server, sha256="0" * 64)
    assert kept(tmp_path) == []


def test_a_server_that_is_not_there(server, tmp_path):
    with pytest.raises(ModelError, match=r"cannot be reached \(\[Errno 111\] Connection refused\)"):
        download("tiny", "http://127.0.0.1:9/a.bin", SHA256, 9)
    with pytest.raises(ModelError, match="cannot be reached .*; try again later, or fetch http"):
        download("tiny", "http://nowhere.invalid/a.bin", SHA256, 9)
    assert kept(tmp_path) == []


def test_offline_asks_nobody(server, monkeypatch):
    monkeypatch.setenv("CVTOOL_OFFLINE", "1")
    with pytest.raises(ModelError, match="network is off.*run: cvtool models pull tiny"):
        get(server)
    assert server.asked == []
    # What was brought there by hand serves.
    path = downloaded_path(f"{server.url}/files/a.bin", SHA256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(BODY)
    assert get(server) == path and server.asked == []


@pytest.mark.parametrize("base", ["/mirror", "/mirror/"])
def test_a_mirror_takes_the_place_of_the_address(server, monkeypatch, base):
    monkeypatch.setenv("CVTOOL_MIRROR", server.url + base)
    path = download("tiny", "https://nowhere.invalid/deep/a.bin?x=1", SHA256, len(BODY))
    assert path.read_bytes() == BODY and server.asked == [("/mirror/tiny/a.bin", None)]


def test_a_mirror_keeps_its_password_to_itself(server, monkeypatch):
    secret = server.url.replace("http://", "http://me:secret@")
    monkeypatch.setenv("CVTOOL_MIRROR", f"{secret}/elsewhere")
    with pytest.raises(ModelError, match="/elsewhere/tiny/a.bin: the server answers 404") as error:
        get(server)
    assert "secret" not in str(error.value)


def test_a_mirror_that_is_no_address_is_named(monkeypatch):
    monkeypatch.setenv("CVTOOL_MIRROR", "/mnt/models")
    with pytest.raises(ModelError, match="CVTOOL_MIRROR=/mnt/models: no http or https address"):
        address_of("tiny", "https://a.b/c")


def test_the_proxy_of_the_environment_is_asked(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.files["http://nowhere.invalid/files/a.bin"] = BODY
    path = download("tiny", "http://nowhere.invalid/files/a.bin", SHA256, len(BODY))
    assert path.read_bytes() == BODY
    assert server.asked == [("http://nowhere.invalid/files/a.bin", None)]
    path.unlink()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="the proxy of the environment cannot be reached"):
        download("tiny", "http://nowhere.invalid/files/a.bin", SHA256, len(BODY))


def test_a_cache_that_cannot_be_written_is_named(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="cannot be written .*set CVTOOL_CACHE"):
        get(server)


def test_a_disk_without_room_leaves_what_came(server, monkeypatch, tmp_path):
    # The device that is always full takes the place of the part.
    part = downloaded_path(f"{server.url}/files/a.bin", SHA256).with_suffix(".bin.part")
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(ModelError, match=r"cannot be written \(No space left on device\)"):
        get(server)


def test_without_a_known_size_the_server_says_when_it_is_whole(server, tmp_path):
    part = tmp_path / "b.part"
    server.manners += ["cuts"]
    fetch(f"{server.url}/files/a.bin", part, None, "tiny")
    assert part.read_bytes() == BODY and len(server.asked) == 2


def test_two_at_once_download_once(server):
    results = []
    threads = [threading.Thread(target=lambda: results.append(get(server))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1 and results[0].read_bytes() == BODY
    assert len(server.asked) == 1


# Downloads in a process of its own, and says so when it begins.
ALONE = """
import sys
from cvtool.models import downloads
downloads.PATIENCE = 20
print("begun", flush=True)
print(downloads.download("tiny", *sys.argv[1:3], int(sys.argv[3])))
"""


def alone(server):
    arguments = [f"{server.url}/files/a.bin", SHA256, str(len(BODY))]
    return subprocess.Popen(
        [sys.executable, "-c", ALONE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_a_process_that_dies_leaves_a_part_that_the_next_one_completes(server, tmp_path):
    server.manners.append("stalls")
    dying = alone(server)
    path = downloaded_path(f"{server.url}/files/a.bin", SHA256)
    part = path.with_suffix(".bin.part")
    # Meanwhile another waits for it, and takes over when it is dead.
    waited = threading.Event()
    for _ in range(1000):
        if part.exists() and part.stat().st_size == 98_304:
            break
        waited.wait(0.02)
    waiting = alone(server)
    assert waiting.stdout.readline() == "begun\n"
    assert waiting.stderr.readline().startswith("cvtool: waiting for another process")
    assert len(server.asked) == 1
    dying.kill()
    dying.communicate()
    out, err = waiting.communicate(timeout=20)
    assert out == f"{path}\n", err
    assert path.read_bytes() == BODY and kept(tmp_path) == [path.name]
    assert server.asked[-1][1] == "bytes=98304-"
