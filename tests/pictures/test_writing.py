import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtool.errors import OutputError
from cvtool.pictures import writing
from cvtool.pictures.writing import (
    check_suffix,
    same_file,
    whole_file,
    write_json,
    write_picture,
    write_text,
)

PIXELS = np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".jpg", "JPEG"),
        (".JPEG", "JPEG"),
        (".png", "PNG"),
        (".webp", "WEBP"),
        (".tiff", "TIFF"),
        (".tif", "TIFF"),
        (".bmp", "BMP"),
    ],
)
def test_the_ending_decides_the_format(tmp_path, suffix, kind):
    path = tmp_path / f"out{suffix}"
    write_picture(path, PIXELS)
    with Image.open(path) as image:
        assert image.format == kind and image.size == (7, 9)
        if kind in ("PNG", "TIFF", "BMP"):
            np.testing.assert_array_equal(np.asarray(image), PIXELS)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("name", ["out.xyz", "out", "out.gif", "out.mp4"])
def test_unknown_endings_name_the_known_ones(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.jpg.*\.png.*\.webp"):
        write_picture(tmp_path / name, PIXELS)
    with pytest.raises(OutputError):
        check_suffix(name)
    assert os.listdir(tmp_path) == []


def test_grey_is_written_as_grey(tmp_path):
    write_picture(tmp_path / "grey.png", PIXELS[..., 0])
    with Image.open(tmp_path / "grey.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), PIXELS[..., 0])


def test_transparency_is_kept_where_the_format_has_it(tmp_path):
    rgba = np.dstack([PIXELS, PIXELS[..., 0]])
    for suffix in (".png", ".webp", ".tif", ".tiff"):
        write_picture(tmp_path / f"out{suffix}", rgba)
        with Image.open(tmp_path / f"out{suffix}") as image:
            assert image.mode == "RGBA"
            np.testing.assert_array_equal(np.asarray(image)[..., 3], rgba[..., 3])
    for suffix in (".jpg", ".bmp"):
        with pytest.raises(OutputError, match="no transparency; write .png"):
            write_picture(tmp_path / f"out{suffix}", rgba)


@pytest.mark.parametrize("pixels", [PIXELS.astype(np.float32), PIXELS[..., :2], PIXELS[0, 0]])
def test_other_arrays_are_refused(tmp_path, pixels):
    with pytest.raises(ValueError, match="uint8"):
        write_picture(tmp_path / "out.png", pixels)


def test_what_a_format_cannot_hold_is_an_output_error(tmp_path):
    wide = np.zeros((1, 70_000, 3), np.uint8)
    for name in ("wide.jpg", "wide.webp"):
        with pytest.raises(OutputError, match=r"70000 x 1 .*\.png"):
            write_picture(tmp_path / name, wide)
    write_picture(tmp_path / "wide.png", wide)
    assert os.listdir(tmp_path) == ["wide.png"]


def test_nothing_is_replaced_unless_asked(tmp_path):
    path = tmp_path / "out.txt"
    write_text(path, "first")
    with pytest.raises(OutputError, match="out.txt: already exists.*--overwrite"):
        write_text(path, "second")
    assert path.read_text() == "first"
    write_text(path, "second", overwrite=True)
    assert path.read_text() == "second"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "out.txt"
    with pytest.raises(OutputError, match="already exists"), whole_file(path) as temporary:
        temporary.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_without_hard_links_the_rename_still_works(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(writing.os, "link", no_links)
    write_text(tmp_path / "out.txt", "text")
    assert (tmp_path / "out.txt").read_text() == "text"
    with pytest.raises(OutputError, match="already exists"):
        write_text(tmp_path / "out.txt", "more")


def test_a_failure_leaves_neither_half_nor_temporary_file(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with (
        pytest.raises(KeyboardInterrupt),
        whole_file(path, overwrite=True) as temporary,
    ):
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_the_file_is_not_there_before_it_is_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "out.jpg"
    with whole_file(path) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == ".jpg"
        temporary.write_bytes(b"x")
        assert not path.exists()
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_access_rights_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_picture(tmp_path / "out.png", PIXELS)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o666 & ~mask


def test_the_input_is_never_overwritten(tmp_path):
    path = tmp_path / "in.png"
    write_picture(path, PIXELS)
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to(path)
    os.link(path, tmp_path / "hard.png")
    for output in (path, tmp_path / "link.png", tmp_path / "hard.png", tmp_path / "." / "in.png"):
        with pytest.raises(OutputError, match="never overwritten"):
            write_picture(output, PIXELS, overwrite=True, source=path)
    assert path.read_bytes() == before


def test_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("a")
    assert same_file("a", tmp_path / "a")
    assert same_file("not/../yet", tmp_path / "yet")
    assert not same_file("a", "b")
    assert not same_file("a", "http://example.org/a")
    assert not same_file("a", "\0")


def test_folders_and_devices_are_no_outputs(tmp_path):
    (tmp_path / "out.png").mkdir()
    with pytest.raises(OutputError, match="folder"):
        write_picture(tmp_path / "out.png", PIXELS, overwrite=True)
    with pytest.raises(OutputError, match="device"):
        write_text(os.devnull, "x", overwrite=True)


def test_unwritable_places_are_output_errors(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written.*choose another"):
        write_text(tmp_path / "file" / "out.txt", "x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / ("n" * 300 + ".txt"), "x")

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(writing.os, "open", refuse)
    with pytest.raises(OutputError, match="out.png: cannot be written .Permission denied"):
        write_picture(tmp_path / "out.png", PIXELS)


def test_a_full_disk_is_an_output_error(tmp_path):
    with (
        pytest.raises(OutputError, match="No space left"),
        whole_file(tmp_path / "out.bin"),
    ):
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_a_full_disk_under_a_picture_is_said_in_its_words(tmp_path, suffix, monkeypatch, capfd):
    def no_room(*_, **__):
        raise OSError(28, "No space left on device")

    # Pillow writes through an open file, or through its descriptor.
    monkeypatch.setattr("builtins.open", no_room)
    monkeypatch.setattr(Path, "write_bytes", no_room)
    with pytest.raises(OutputError, match="No space left"):
        write_picture(tmp_path / f"out{suffix}", PIXELS)
    assert os.listdir(tmp_path) == [] and capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_a_description_is_kept_in_the_file(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    text = '{"a": "' + 3000 * "\\u00e4" + '"}'
    write_picture(path, PIXELS, description=text)
    with Image.open(path) as image:
        assert (image.info.get("Description") or image.getexif()[0x010E]) == text
        assert image.size == (7, 9)
    write_picture(tmp_path / "plain.png", PIXELS, description=None)
    with Image.open(tmp_path / "plain.png") as image:
        assert image.info == {} and not image.getexif()
    write_picture(tmp_path / "out.bmp", PIXELS, description=text)


def test_json_takes_numpy_and_paths(tmp_path):
    value = {"n": np.float32(0.5), "a": np.arange(3), "b": np.bool_(True), "p": Path("é.jpg")}
    write_json(tmp_path / "out.json", value)
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"n": 0.5, "a": [0, 1, 2], "b": True, "p": "é.jpg"}
    assert text.endswith("\n")
    with pytest.raises(ValueError):
        write_json(tmp_path / "nan.json", {"x": float("nan")})
    with pytest.raises(TypeError):
        write_json(tmp_path / "odd.json", {"x": object()})
    assert os.listdir(tmp_path) == ["out.json"]
