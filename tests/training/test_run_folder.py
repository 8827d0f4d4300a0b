"""Run folders: nothing of an earlier run is lost unasked, and damage is named."""

import json
import sys
from pathlib import Path

import pytest

from cvtool.errors import OutputError, TrainingError
from cvtool.training.run_folder import FORMAT, RUN_FILE, new_run, read_run, versions, write_run


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_runs_are_numbered(here):
    assert new_run("flowers") == Path("runs/flowers")
    write_run("runs/flowers", {})
    assert new_run("flowers") == Path("runs/flowers-2")
    assert new_run("flowers") == Path("runs/flowers-3")
    assert new_run("birds") == Path("runs/birds")
    assert (here / "runs" / "flowers-3").is_dir()


def test_another_folder_is_made_with_those_above_it(here):
    assert new_run("flowers", here / "a" / "b") == here / "a" / "b"
    assert (here / "a" / "b").is_dir()


def test_an_empty_folder_is_taken(here):
    (here / "a").mkdir()
    assert new_run("flowers", "a") == Path("a")


def test_a_run_is_replaced_only_when_asked_for(here):
    folder = new_run("flowers", here / "a")
    write_run(folder, {"name": "first"})
    (folder / "history.csv").write_text("epoch\n")
    (folder / "kept").mkdir()
    (folder / "kept" / "mine.txt").write_text("")
    with pytest.raises(OutputError, match="holds a run; .*--resume .*--overwrite") as error:
        new_run("flowers", folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)
    assert read_run(folder)["name"] == "first"
    assert new_run("flowers", folder, overwrite=True) == folder
    # What no training made stays.
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert (folder / "kept" / "mine.txt").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_left_alone(here, overwrite):
    (here / "photos").mkdir()
    (here / "photos" / "a.jpg").write_text("dear to me")
    with pytest.raises(OutputError, match="photos: is not empty and holds no run"):
        new_run("flowers", here / "photos", overwrite=overwrite)
    assert (here / "photos" / "a.jpg").read_text() == "dear to me"


def test_a_file_in_the_way_is_named(here):
    (here / "a").write_text("")
    for out in ("a", "a/b"):
        with pytest.raises(OutputError, match=f"{out}: cannot be made .*name another --out"):
            new_run("flowers", out)


def test_what_is_written_is_read(here):
    folder = new_run("flowers")
    content = {"name": "flowers", "classes": ["rose", "Löwenzahn"], "minutes": 1.5}
    write_run(folder, content)
    assert read_run(folder) == content | {"format": FORMAT}
    # What was read can be written again.
    write_run(folder, read_run(folder) | {"minutes": 2.0})
    assert read_run(str(folder))["minutes"] == 2.0
    assert [path.name for path in folder.iterdir()] == [RUN_FILE]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", '{"name": "a"}', '{"format": "new"}', "\xff"]
)
def test_a_damaged_file_is_named(here, text):
    (here / RUN_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(TrainingError, match="run.json: damaged .*start the training anew") as error:
        read_run(here)
    assert "\n" not in str(error.value)


def test_a_newer_format_asks_for_an_update(here):
    (here / RUN_FILE).write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(TrainingError, match="newer cvtool; update cvtool"):
        read_run(here)


def test_no_run_and_no_folder(here):
    for folder in (here, here / "gone"):
        with pytest.raises(TrainingError, match="no run to go on with"):
            read_run(folder)
    (here / "a").write_text("")
    with pytest.raises(TrainingError, match="is a file; give the folder"):
        read_run(here / "a")


def test_versions_are_told():
    found = versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"cvtool", "keras", "numpy"} <= set(found)
