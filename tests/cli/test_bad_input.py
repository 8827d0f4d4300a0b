"""Bad input that stops a command: one line, before the work, and the right exit code."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from cvtool.pictures.video import VideoWriter


def the_error(result, code=1):
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("cvtool: error: ")
    return result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--versoin"], "--version"),
        (["--verbose"], "Missing command"),
        (["detcet", "photo.jpg"], "Did you mean 'detect'? See: cvtool --help"),
        (["detect"], "SOURCES"),
        (["detect", "photo.jpg", "--size", "8192"], "more than 4096"),
        (["detect", "photo.jpg", "--max-boxes", "0"], "--max-boxes"),
        (["detect", "photo.jpg", "--every", "0"], "--every"),
        (["detect", "photo.jpg", "--tile", "8"], "--tile"),
        (["detect", "photo.jpg", "--score", "nan"], "--score"),
        (["detect", "photo.jpg", "--classes", ","], "names no class"),
        (["detect", "photo.jpg", "--device", "tpu"], "'auto', 'cpu', 'gpu'"),
        (["evaluate", "everyday"], "DATASET"),
        (["evaluate", "everyday", "set", "--limit", "0"], "--limit"),
        (["doctor", "now"], "now"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(run, photo, arguments, words):
    error = the_error(run(*arguments), 2)
    assert words in error and "cvtool" in error and "--help" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["detect", "set", "--out", "photo.jpg"],
        ["detect", "set", "--crops", "photo.jpg/below", "--no-pictures"],
        ["detect", "set", "--save-txt", "photo.jpg", "--no-pictures"],
        ["detect", "set", "--save-coco", "photo.jpg/boxes.json", "--no-pictures"],
        ["demo", "--out", "photo.jpg"],
    ],
)
def test_an_output_that_cannot_be_is_said_once_and_before_the_work(
    run, photo, tmp_path, monkeypatch, arguments
):
    (tmp_path / "set").mkdir()
    for number in range(3):
        (tmp_path / "set" / f"{number}.jpg").write_bytes(photo.read_bytes())
    monkeypatch.setattr(
        "cvtool.detection.detector.Detector.__call__", lambda *_, **__: pytest.fail("it worked")
    )
    before = photo.read_bytes()
    result = run(*arguments)
    assert "photo.jpg" in the_error(result) and result.stdout == ""
    assert photo.read_bytes() == before


@pytest.mark.parametrize("command", [["detect"], ["segment"], ["stylize", "photo.jpg", "--fast"]])
def test_stdout_is_no_folder_of_results(run, photo, tmp_path, command):
    error = the_error(run(*command, photo.name, "--out", "-"))
    assert "-: stdout is no folder" in error and "--out" in error
    assert not (tmp_path / "-").exists()


def test_a_folder_without_access_is_said_once(run, photo, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cvtool.pictures.writing.TemporaryFile", refuse)
    result = run("detect", photo.name, photo.name, "--out", "out")
    error = the_error(result)
    assert "out: cannot be written (Permission denied)" in error and "--no-pictures" in error
    assert run("detect", photo.name, "--no-pictures").exit_code == 0


def test_looking_whether_results_can_be_written_leaves_nothing(run, photo, tmp_path):
    result = run("detect", "gone.jpg", "--out", "new/out", "--crops", "new/crops")
    assert "gone.jpg: no such file" in the_error(result)
    assert os.listdir(tmp_path) == ["photo.jpg"]


def test_a_source_folder_that_may_not_be_listed(run, photo, tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    listed = os.scandir

    def scandir(path):
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    error = the_error(run("detect", "locked"))
    assert "locked: the folder cannot be listed" in error and "access rights" in error


def test_a_web_page_is_no_picture(run):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><html></html>")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/photo.jpg"
    error = the_error(run("detect", address))
    server.shutdown()
    server.server_close()
    assert address in error and "web page" in error


def test_nothing_piped_in(run):
    assert "stdin: the file is empty" in the_error(run("detect", "-", stdin=b""))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("option", ["--json", "--jsonl", None])
def test_a_full_disk_behind_stdout_is_one_line(photo, option):
    command = [sys.executable, "-m", "cvtool", "detect", photo, "--no-pictures"]
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            command + ([option] if option else []), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert result.returncode == 1
    assert result.stderr == "cvtool: error: stdout: no space left to write the results; make room\n"


@pytest.mark.parametrize("option", ["--json", None])
def test_names_do_not_drive_the_terminal(run, photo, tmp_path, option):
    name = "line\nred\x1b[31m.jpg"
    (tmp_path / "set").mkdir()
    photo.rename(tmp_path / "set" / name)
    photo.with_name("set").joinpath("bad\x1b[31m.jpg").write_bytes(b"no picture")
    result = run("detect", "set", "--score", "1", *([option] if option else []))
    assert "\x1b" not in result.stdout + result.stderr
    assert "bad\\x1b[31m.jpg" in result.stderr
    if option:
        assert [record["picture"] for record in json.loads(result.stdout)] == [f"set/{name}"]
    else:
        assert "line\\nred\\x1b[31m.jpg" in result.stdout and "  -> " in result.stdout
        assert len(result.stdout.splitlines()) == 2


def test_a_full_disk_behind_stdout_is_not_one_of_the_video(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("a device of Linux")
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for _ in range(3):
            writer.write(np.full((64, 64, 3), 128, np.uint8))
    command = [sys.executable, "-m", "cvtool", "detect", "clip.mp4", "--jsonl", "--out", "out"]
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
    assert result.returncode == 1 and list((tmp_path / "out").iterdir()) == []
    assert [line.split(": ", 1)[1] for line in result.stderr.splitlines()] == [
        "out/clip.mp4: not written, for its video did not come to its end",
        "error: stdout: no space left to write the results; make room",
    ]
