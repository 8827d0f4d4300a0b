"""Run folders: nothing of an earlier run is lost unasked, and damage is named."""

import json
import sys
from pathlib import Path

import pytest

from cvtool.errors import OutputError, TrainingError
from cvtool.training.run_folder import (
    FORMAT,
    RUN_FILE,
    choose_folder,
    clear_run,
    read_run,
    versions,
    write_run,
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


FILES = ("run.json", "history.csv", "*.part")
WHOLE = {"dataset": "a", "settings": {}, "chosen": {}, "splits": {}, "finished": False}


def make(folder, **content):
    clear_run(folder, ())
    write_run(folder, WHOLE | {"name": "first", "minutes": 0} | content)
    return folder


def test_runs_are_numbered(here):
    for expected in ("flowers", "flowers-2", "flowers-3"):
        folder = choose_folder("flowers")
        assert folder == Path("runs") / expected and not folder.exists()
        make(folder)
    assert choose_folder("birds") == Path("runs/birds")


def test_another_folder_is_made_with_those_above_it(here):
    folder = choose_folder("flowers", here / "a" / "b")
    clear_run(folder, FILES)
    assert folder == here / "a" / "b" and folder.is_dir()


def test_an_empty_folder_is_taken(here):
    (here / "a").mkdir()
    assert choose_folder("flowers", "a") == Path("a")


def test_a_run_is_replaced_only_when_asked_for_and_what_no_run_wrote_stays(here):
    folder = make(here / "a")
    (folder / "history.csv").write_text("epoch\n")
    (folder / "notes.txt").write_text("mine")
    (folder / "kept").mkdir()
    with pytest.raises(OutputError, match="holds a run; .*--resume .*--overwrite") as error:
        choose_folder("flowers", folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)
    assert choose_folder("flowers", folder, overwrite=True) == folder
    assert read_run(folder)["name"] == "first"
    clear_run(folder, FILES)
    assert {path.name for path in folder.iterdir()} == {"kept", "notes.txt"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_left_alone(here, overwrite):
    (here / "photos").mkdir()
    (here / "photos" / "a.jpg").write_text("dear to me")
    with pytest.raises(OutputError, match="photos: is not empty and holds no run"):
        choose_folder("flowers", here / "photos", overwrite=overwrite)


@pytest.mark.parametrize("out", [None, "runs/new", "inside/../runs/new"])
def test_a_run_inside_a_data_set_would_become_a_class(here, out):
    for given in (here, Path(".")):
        with pytest.raises(OutputError, match="lies in .*outside of it with --out"):
            choose_folder("flowers", out, read=(given, None))


def test_a_run_is_not_put_round_what_it_needs(here):
    folder = make(here / "a")
    (folder / "labels.csv").write_text("")
    for needed in ({"read": (folder / "labels.csv",)}, {"kept": (None, folder)}):
        with pytest.raises(OutputError, match="lies in it; name another --out"):
            choose_folder("flowers", folder, overwrite=True, **needed)
    # Pictures of a table, and a backbone, may lie round it.
    assert choose_folder("flowers", here / "b", kept=(here,)) == here / "b"


def test_a_file_in_the_way_is_named(here):
    (here / "a").write_text("")
    with pytest.raises(OutputError, match="a/b: cannot be written .*name another --out"):
        clear_run(Path("a/b"), FILES)


def test_what_is_written_is_read(here):
    folder = here / "runs"
    content = WHOLE | {"name": "flowers", "classes": ["rose", "Löwenzahn"], "minutes": 1.5}
    make(folder, **content)
    assert read_run(folder) == content | {"format": FORMAT}
    # What was read can be written again.
    write_run(folder, read_run(folder) | {"minutes": 2.0})
    assert read_run(str(folder))["minutes"] == 2.0
    assert [path.name for path in folder.iterdir()] == [RUN_FILE]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", '{"name": "a"}', '{"format": 1}', '{"format": "new"}', "\xff"],
)
def test_a_damaged_file_is_named(here, text):
    (here / RUN_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(TrainingError, match="run.json: damaged.*start the training anew") as error:
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
