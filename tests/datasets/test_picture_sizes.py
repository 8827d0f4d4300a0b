import numpy as np
import pytest
from PIL import Image

from cvtool.datasets.picture_sizes import read_sizes
from cvtool.errors import PictureError
from cvtool.pictures.reading import read_picture


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".bmp", ".gif"])
def test_sizes_are_those_of_the_picture_that_is_read(tmp_path, suffix, orientation):
    path = tmp_path / f"a{suffix}"
    options = {}
    if orientation is not None and suffix not in (".bmp", ".gif"):
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    Image.fromarray(np.zeros((5, 9, 3), np.uint8)).save(path, **options)
    height, width = read_picture(path).shape[:2]
    assert list(read_sizes([path])) == [(width, height)]


def test_what_cannot_be_read_says_why(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"text")
    (tmp_path / "b.jpg").touch()
    errors = list(read_sizes([tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "gone.jpg"]))
    assert all(isinstance(error, PictureError) for error in errors)
    assert "empty" in str(errors[1]) and "no such file" in str(errors[2])


def test_a_png_may_say_after_its_pixels_how_it_is_turned(tmp_path):
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((5, 9, 3), np.uint8)).save(path, exif=exif)
    data = path.read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    last = data.index(b"IEND") - 4
    path.write_bytes(data[:start] + data[end:last] + data[start:end] + data[last:])
    assert read_picture(path).shape == (9, 5, 3)
    assert list(read_sizes([path])) == [(5, 9)]
