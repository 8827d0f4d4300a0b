"""The stream of pictures: what users name, in order, with flat memory, whatever fails."""

import io
import os
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cvtool.errors import CvtoolError, SourceError
from cvtool.pictures.sources import count_pictures, read_each, read_pictures
from cvtool.pictures.writing import write_picture


def save(path, value=128, size=(6, 8)):
    write_picture(path, np.full((*size, 3), value, np.uint8))
    return path


def names(sources, **options):
    return [picture.name for picture in read_pictures(sources, **options)]


def collect(sources, **options):
    """Names that were read, and the messages of those that were not."""
    errors = []
    good = names(sources, on_error=errors.append, **options)
    return good, [str(error) for error in errors]


def test_a_folder_is_read_to_the_bottom_in_natural_order_without_hidden_files(tmp_path):
    for name in ("b10.png", "b9.png", "sub/c.png", ".hidden.png", ".git/x.png", "Ä ö.png"):
        save(tmp_path / name)
    (tmp_path / "notes.md").write_text("not a picture")
    found = list(read_pictures([tmp_path]))
    below = [Path(p.name).relative_to(tmp_path).as_posix() for p in found]
    assert sorted(below) == ["b10.png", "b9.png", "sub/c.png", "Ä ö.png"]
    assert below.index("b9.png") < below.index("b10.png")
    assert [p.relative.as_posix() for p in found] == below
    assert count_pictures([tmp_path]) == 4


def test_globs_lists_and_files_mix_and_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a 1.png", "a 2.png", "z.png", "lists/l.png"):
        save(tmp_path / name)
    (tmp_path / "lists" / "all.txt").write_text("l.png\n\n../z.png\n", encoding="utf-8")
    read = [Path(n).name for n in names(["z.png", "a *.png", "lists/all.txt"])]
    assert read == ["z.png", "a 1.png", "a 2.png", "l.png", "z.png"]


def test_a_list_that_names_itself_is_an_error_after_what_it_names(tmp_path):
    save(tmp_path / "a.png")
    for name, lines in (("one", "a.png\ntwo.txt\n"), ("two", "one.txt\n")):
        (tmp_path / f"{name}.txt").write_text(lines)
    good, errors = collect([tmp_path / "one.txt"])
    assert good == [str(tmp_path / "a.png")]
    assert len(errors) == 1 and "one.txt: lists name each other in a circle" in errors[0]


def test_a_long_chain_of_lists_is_no_circle(tmp_path):
    save(tmp_path / "8.png")
    for number in range(8):
        target = f"{number + 1}.{'png' if number == 7 else 'txt'}"
        (tmp_path / f"{number}.txt").write_text(f"{target}\n{target}\n" if number == 3 else target)
    assert collect([tmp_path / "0.txt"]) == ([str(tmp_path / "8.png")] * 2, [])


def test_stdin_is_one_picture(tmp_path, monkeypatch):
    data = save(tmp_path / "a.png", 200).read_bytes()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False))
    (picture,) = read_pictures(["-"])
    assert picture.name == "stdin" and picture.pixels.mean() == 200


def test_a_picture_with_a_strange_ending_can_be_named(tmp_path):
    path = save(tmp_path / "a.png").rename(tmp_path / "photo.dat")
    (picture,) = read_pictures([path])
    assert picture.pixels.shape == (6, 8, 3)
    assert picture.relative.suffix == ".png"  # a name that can be written to


def test_same_names_from_two_folders_get_outputs_of_their_own(tmp_path):
    for folder in ("x", "y"):
        save(tmp_path / folder / "a.png")
    save(tmp_path / "x" / "a.jpg")
    sources = [tmp_path / "x" / "a.png", tmp_path / "y" / "a.png", tmp_path / "x" / "a.jpg"]
    outputs = [p.relative for p in read_pictures(sources)]
    assert len({o.with_suffix("") for o in outputs}) == 3


def test_bad_pictures_are_reported_in_turn_and_the_others_read(tmp_path):
    good = save(tmp_path / "good.png")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:50])
    (tmp_path / "hollow").mkdir()
    bad = [tmp_path / n for n in ("empty.jpg", "text.jpg", "cut.png", "hollow", "gone.png")]
    read, errors = collect([bad[0], good, *bad[1:], good])
    assert read == [str(good)] * 2
    assert len(errors) == 5
    for path, message in zip(bad, errors, strict=True):
        assert str(path) in message and "\n" not in message


def test_without_on_error_the_first_bad_picture_raises(tmp_path):
    good = save(tmp_path / "good.png")
    stream = read_pictures([good, tmp_path / "gone.png", good])
    next(stream)
    with pytest.raises(CvtoolError, match="gone.png"):
        next(stream)


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    save(tmp_path / "locked" / "a.png")
    save(tmp_path / "open" / "b.png")
    scandir = os.scandir

    def refusing(path="."):
        if "locked" in os.fspath(path):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    # Tests may run as root, who may read everything.
    monkeypatch.setattr(os, "scandir", refusing)
    read, errors = collect([tmp_path])
    assert [Path(n).name for n in read] == ["b.png"]
    assert len(errors) == 1 and "locked" in errors[0]


@pytest.mark.parametrize("read_ahead", [0, 1, 4])
def test_memory_stays_flat_on_a_long_stream(tmp_path, read_ahead):
    path = save(tmp_path / "a.png", size=(40, 40))
    alive, most = set(), 0

    class Tracked(np.ndarray):
        pass

    import cvtool.pictures.loading as loading

    original = loading.read_picture

    def tracked(*args, **options):
        pixels = original(*args, **options).view(Tracked)
        alive.add(id(pixels))
        weakref.finalize(pixels, alive.discard, id(pixels))
        return pixels

    loading.read_picture = tracked
    try:
        count = 0
        for picture in read_pictures([path] * 60, read_ahead=read_ahead):
            count += picture.pixels.shape == (40, 40, 3)
            del picture
            most = max(most, len(alive))
    finally:
        loading.read_picture = original
    assert count == 60
    # Those that wait, and the one or two on their way through.
    assert 0 < most <= read_ahead + 2


def test_a_consumer_that_stops_early_leaves_no_thread_behind(tmp_path):
    import threading

    before = threading.active_count()
    stream = read_pictures([save(tmp_path / "a.png")] * 50)
    next(stream)
    stream.close()
    for thread in threading.enumerate():
        # A dummy stands for a thread that Python did not start, such as TensorFlow's.
        if thread is not threading.current_thread() and not thread.name.startswith("Dummy"):
            thread.join(timeout=2)
    assert threading.active_count() <= before


def test_larger_pictures_than_allowed_are_refused(tmp_path):
    path = save(tmp_path / "a.png", size=(30, 40))
    assert len(names([path], max_pixels=1200)) == 1
    with pytest.raises(CvtoolError, match="30.*limit|limit"):
        names([path], max_pixels=1199)


def test_a_missing_webcam_is_a_source_error():
    with pytest.raises(SourceError, match="77: no webcam"):
        names(["77"])


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_named_as_such(name):
    with pytest.raises(SourceError, match="an empty name"):
        names([name])


def test_a_list_of_files_is_taken_as_it_stands(tmp_path, monkeypatch):
    """Nothing in it stands for several pictures, or for a webcam."""
    monkeypatch.chdir(tmp_path)
    pixels = np.zeros((4, 5, 3), np.uint8)
    write_picture(tmp_path / "folder" / "a.png", pixels)
    for name in ("[1].png", "last.png"):
        write_picture(tmp_path / name, pixels)
    (tmp_path / "list.txt").write_text("last.png")
    problems = []
    names = ["folder", "7", "[1].png", "list.txt", "gone.png", "last.png"]
    found = list(read_each(names, on_error=problems.append))
    assert [(at, picture.name) for at, picture in found] == [(2, "[1].png"), (5, "last.png")]
    assert [str(problem).split(":")[0] for problem in problems] == [
        *("folder", "7", "list.txt", "gone.png")
    ]
