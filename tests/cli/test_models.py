"""`cvtool models`: what is listed, downloaded, imported, checked and removed, and what is said."""

import json
import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from cvtool.cli.models import models_app
from cvtool.cli.options import complete_model
from cvtool.models.presets import find_model
from cvtool.offline import is_offline
from cvtool.pictures.writing import write_picture
from model_shelf import a_shelf, write_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shelf(tmp_path):
    with a_shelf(tmp_path) as shelf:
        yield shelf


@pytest.fixture
def own(tmp_path):
    """The arguments that import a model of one's own."""
    for name in ("own.cfg", "own.weights"):
        (tmp_path / name).write_text("of my own")
    (tmp_path / "own.names").write_text("cat\r\nhot dog\r\n\r\n")
    return ["import", "own.cfg", "own.weights", "--names", "own.names"]


def the_error(result, code=1):
    assert result.exit_code == code, result.output
    lines = [line for line in result.stderr.splitlines() if "error: " in line]
    assert len(lines) == 1 and "Traceback" not in result.stderr
    return lines[0]


def test_list_shows_every_model(run, shelf):
    result = run("models", "list")
    assert result.exit_code == 0 and result.stderr == ""
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert rows["ours"].split()[1:6] == ["detect", "2", "2.9", "kB", "shipped"]
    assert "mAP50 0.500" in rows["tiny"] and "(15.0 kB)" in rows["tiny"]
    assert rows["tiny"].split()[-4:] == ["download", "no", "public", "domain"]
    assert "keras.applications" in rows["vgg16"] and "1000" in rows["vgg16"]
    run("models", "pull", "tiny")
    assert "yes" in next(x for x in run("models", "list").stdout.splitlines() if "tiny" in x)


def test_list_as_json_and_by_task(run, shelf):
    entries = json.loads(run("models", "list", "--json").stdout)
    tiny = next(entry for entry in entries if entry["name"] == "tiny")
    assert (tiny["on_disk"], tiny["bytes"], tiny["download_bytes"]) == (False, None, 15006)
    assert tiny["classes"] == ["cat", "dog"] and tiny["scores"]["mAP50"] == 0.5
    assert tiny["made_from"]["files"]["weights"]["url"].endswith("/tiny.weights")
    found = json.loads(run("models", "list", "--task", "detect", "--json").stdout)
    assert [entry["name"] for entry in found] == ["ours", "tiny"]
    assert "'detect'" in the_error(run("models", "list", "--task", "smell"), 2)


def test_info_says_all_and_downloads_nothing(run, shelf):
    text = run("models", "info", "tiny").stdout
    for words in ("detect", "2: cat, dog", "mAP50 0.5 on a set", "public domain", "tiny.weights"):
        assert words in text
    assert shelf.server.asked == []
    listed = json.loads(run("models", "list", "--json").stdout)
    assert json.loads(run("models", "info", "ours", "--json").stdout) == listed[0]
    assert json.loads(run("models", "info", "resnet50", "--json").stdout)["class_count"] == 1000
    assert "did you mean ours" in the_error(run("models", "info", "our"))


def test_pull_says_what_it_did(run, shelf):
    result = run("models", "pull", "tiny", "ours", "tiny")
    assert (result.exit_code, result.stdout) == (0, "tiny: pulled\nours: ships with cvtool\n")
    assert run("models", "pull", "--all").stdout == "tiny: is here already\n"
    (row,) = json.loads(run("models", "pull", "tiny", "--json").stdout)
    folder = str(shelf.cache / "models" / "tiny")
    assert row == {"name": "tiny", "pulled": False, "source": "download", "folder": folder}


def test_pull_goes_on_after_one_that_fails(run, shelf):
    result = run("models", "pull", "nonsuch", "tiny")
    assert 'unknown model "nonsuch"' in the_error(result) and result.stdout == "tiny: pulled\n"
    assert the_error(run("models", "pull"), 2).endswith("see: cvtool models pull --help")
    assert "either models or --all" in the_error(run("models", "pull", "tiny", "--all"), 2)


def test_pull_from_a_server_that_fails_keeps_nothing(run, shelf):
    shelf.server.manners += ["wrong bytes"]
    error = the_error(run("models", "pull", "tiny"))
    assert "tiny.cfg: not the file that is expected" in error
    assert list((shelf.cache / "downloads").iterdir()) == []
    assert run("models", "pull", "tiny").exit_code == 0


def test_the_mirror_serves(run, shelf, monkeypatch):
    for name, content in list(shelf.server.files.items()):
        shelf.server.files[f"/m/tiny{name}"] = content
    monkeypatch.setenv("CVTOOL_MIRROR", f"{shelf.server.url}/m/")
    assert run("models", "pull", "tiny").exit_code == 0
    assert [path for path, _ in shelf.server.asked] == ["/m/tiny/tiny.cfg", "/m/tiny/tiny.weights"]


def test_offline_is_for_one_command_and_touches_nothing(run, shelf, monkeypatch):
    monkeypatch.delenv("CVTOOL_OFFLINE", raising=False)
    error = the_error(run("--offline", "models", "pull", "tiny"))
    assert "network is off" in error and error.endswith("run: cvtool models pull tiny")
    assert "cvtool models pull tiny" in the_error(run("--offline", "detect", "a", "-m", "tiny"))
    assert shelf.server.asked == [] and not is_offline()
    monkeypatch.setenv("CVTOOL_OFFLINE", "1")
    assert "network is off" in the_error(run("models", "pull", "tiny"))
    assert run("models", "list").exit_code == 0 and shelf.server.asked == []


def test_offline_no_picture_is_fetched(run):
    address = "http://127.0.0.1:9/photo.jpg"
    error = the_error(run("--offline", "detect", address, "--no-pictures"))
    assert f"{address}: the network is off" in error


@pytest.mark.parametrize(
    ("value", "off"),
    [("1", True), ("true", True), ("on", True), ("", False), ("0", False), ("No", False)],
)
def test_what_counts_as_offline(monkeypatch, value, off):
    monkeypatch.setenv("CVTOOL_OFFLINE", value)
    assert is_offline() is off


def test_verify_checks_what_is_here(run, shelf):
    result = run("models", "verify")
    assert result.exit_code == 0 and "ours" in result.stdout and "tiny" not in result.stdout
    run("models", "pull", "tiny")
    assert json.loads(run("models", "verify", "--json").stdout) == [
        {"name": "ours", "problems": []},
        {"name": "tiny", "problems": []},
    ]
    (shelf.cache / "models" / "tiny" / "tiny.tflite").write_bytes(b"x")
    result = run("models", "verify")
    assert "tiny.tflite: damaged, 1 bytes" in the_error(result)
    assert result.stderr.endswith("get it again: cvtool models pull tiny\n")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["ours", "intact"] in rows and ["tiny", "damaged"] in rows
    assert run("models", "verify", "ours").exit_code == 0
    (shelf.pretrained / "ours.tflite").unlink()
    assert "ours.tflite: missing; install cvtool again" in the_error(
        run("models", "verify", "ours")
    )
    assert "get it: cvtool models pull vgg16" in the_error(run("models", "verify", "vgg16"))


def test_info_of_a_damaged_model_says_why_and_fails(run, tmp_path):
    (tmp_path / "run").mkdir()
    result = run("models", "info", "run", "--json")
    assert "no model.json in it" in the_error(result)
    assert "no model.json in it" in json.loads(result.stdout)["problem"]


def test_path_prints_where_the_files_are(run, shelf, tmp_path):
    assert "get it: cvtool models pull tiny" in the_error(run("models", "path", "tiny"))
    run("models", "pull", "tiny")
    folder = shelf.cache / "models" / "tiny"
    assert run("models", "path", "tiny").stdout == f"{folder}\n"
    assert run("models", "path", "tiny", "--file", "litert").stdout == f"{folder}/tiny.tflite\n"
    ours = shelf.pretrained / "ours.weights.h5"
    assert run("models", "path", "ours", "--file", "weights").stdout == f"{ours}\n"
    ours.write_bytes(b"")
    assert "damaged" in the_error(run("models", "path", "ours", "--file", "weights"))
    write_model(tmp_path / "run", "run")
    assert run("models", "path", "run").stdout == "run\n"


def test_remove_takes_only_what_is_in_the_cache(run, shelf, own):
    run("models", "pull", "tiny")
    run("models", *own)
    result = run("models", "remove", "ours", "tiny", "own")
    assert "ships with cvtool and stays" in the_error(result)
    assert result.stdout.startswith("tiny: removed, ") and "\nown: removed, " in result.stdout
    assert list((shelf.cache / "models").iterdir()) == []
    assert list((shelf.cache / "downloads").iterdir()) == []
    assert run("models", "verify", "ours").exit_code == 0
    assert "nothing to remove" in the_error(run("models", "remove", "tiny"))
    run("models", *own)
    (row,) = json.loads(run("models", "remove", "own", "--json").stdout)
    assert row["name"] == "own" and row["freed_bytes"] > 3000


def test_import_takes_a_name_or_the_files(run, shelf, own):
    result = run("models", *own)
    assert (result.exit_code, result.stdout) == (0, f"{shelf.cache / 'models' / 'own'}\n")
    assert find_model("own").classes == ("cat", "hot dog")
    swapped = ["import", "own.weights", "own.cfg", "--names", "own.names"]
    assert run("models", *swapped, "--as", "mine", "--licence", "MIT, see us").exit_code == 0
    assert find_model("mine").licence == "MIT, see us"
    assert {"tiny", "own", "mine"} <= set(complete_model("")) and complete_model("min") == ["mine"]
    assert "--overwrite" in the_error(run("models", *own))
    assert run("models", *own, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (b"cat\n\ndog\n", "own.names, line 2: empty"),
        (b"cat\ndog\ncat\n", 'own.names, line 3: "cat" is on line 1 already'),
        (b"", "own.names, line 1: empty"),
        (b"caf\xe9\n", "own.names: not text in UTF-8"),
        (None, "own.names: cannot be read (No such file"),
    ],
)
def test_import_names_what_is_wrong_with_the_names(run, shelf, own, tmp_path, names, words):
    (tmp_path / "own.names").unlink()
    if names is not None:
        (tmp_path / "own.names").write_bytes(names)
    assert words in the_error(run("models", *own)) and shelf.converted == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["own.cfg", "--names", "own.names"], "give a detector's two files"),
        (["own.cfg", "own.weights"], "give the file with their names"),
        (["own.weights", "own.weights", "--names", "own.names"], "give a detector's two files"),
    ],
)
def test_import_needs_all_files(run, shelf, own, arguments, words):
    assert words in the_error(run("models", "import", *arguments), 2)


def test_a_file_that_is_missing_is_named(run, shelf, own, tmp_path):
    (tmp_path / "own.weights").unlink()
    assert "own.weights: cannot be read" in the_error(run("models", *own))
    assert shelf.converted == [] and not (shelf.cache / "models").exists()


def test_doctor_knows_which_models_are_not_here(run, shelf):
    result = run("doctor")
    assert result.exit_code == 0, result.stderr
    assert "not here; cvtool models pull tiny" in result.stdout and "vgg16" not in result.stdout
    run("models", "pull", "tiny")
    (shelf.cache / "models" / "tiny" / "tiny.tflite").write_bytes(b"")
    rows = json.loads(run("doctor", "--json").stdout)["models"]
    assert [(row["name"], row["on_disk"], row["intact"]) for row in rows] == [
        ("ours", True, True),
        ("tiny", True, False),
    ]


def test_describe_offers_the_names_of_the_list(run, shelf):
    assert "did you mean tiny" in the_error(run("models", "describe", "tinny"))


CONFIGURATION = """
[net]
width=32
height=32
channels=3

[convolutional]
filters=7
size=1
stride=8
activation=linear

[yolo]
mask=0
anchors=10,14
classes=2
num=1
"""


def test_a_real_darknet_detector_is_imported_and_detects(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.cfg").write_text(CONFIGURATION)
    (tmp_path / "a.names").write_text("cat\ndog\n")
    # Sure of an object in every cell, and that it is a dog: the biases come first.
    biases = np.array([0, 0, 0, 0, 9, -9, 9], np.float32)
    numbers = np.concatenate([biases, np.zeros(7 * 3, np.float32)])
    (tmp_path / "a.weights").write_bytes(struct.pack("<iiiq", 0, 2, 5, 0) + numbers.tobytes())
    arguments = ["import", "a.cfg", "a.weights", "--names", "a.names", "--as", "dogs"]
    result = run("models", *arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == "cvtool: dogs: converting\n"
    write_picture(tmp_path / "photo.png", np.full((32, 32, 3), 90, np.uint8))
    found = run("--offline", "detect", "photo.png", "-m", "dogs", "--json", "--no-pictures")
    assert found.exit_code == 0, found.stderr
    objects = json.loads(found.stdout)[0]["detections"]
    assert len(objects) >= 4 and {o["label"] for o in objects} == {"dog"}
    network = json.loads(run("models", "describe", "dogs", "--json").stdout)
    assert (network["parameters"], network["classes"]) == (7 * 4, 2)
    (tmp_path / "a.weights").write_bytes(b"short")
    assert "a.weights" in the_error(run("models", *arguments, "--overwrite"))
    assert run("models", "verify", "dogs").exit_code == 0
    assert [p.name for p in Path(os.environ["CVTOOL_CACHE"], "models").iterdir()] == ["dogs"]


def test_the_reference_names_every_command_and_option(run):
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    names = [c.name or c.callback.__name__ for c in models_app.registered_commands]
    assert len(names) == 8
    for name in names:
        assert f"`cvtool models {name}" in text
        options = set(re.findall(r"--[a-z][a-z-]+", run("models", name, "--help").stdout))
        assert {o for o in options - {"--help"} if f"`{o}" not in text} == set(), name
