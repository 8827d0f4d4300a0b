"""Decoded pictures: scaled once, kept while there is room."""

import cv2
import numpy as np
import pytest

from cvtool.classification import store
from cvtool.classification.store import PictureStore, shrink
from cvtool.errors import PictureError
from cvtool.pictures.writing import write_picture

# At a side of 14 the short side that is kept is 16.
SIDE, SHORT = 14, 16
BYTES = SHORT * SHORT * 3


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        write_picture(path, noise(40, 40, number))
    return paths


@pytest.fixture
def read(monkeypatch):
    """The paths that were decoded, in order."""
    seen, real = [], store.read_picture

    def counted(path):
        seen.append(path)
        return real(path)

    monkeypatch.setattr(store, "read_picture", counted)
    return seen


def test_what_was_decoded_once_is_kept(paths, read):
    kept = PictureStore(paths, SIDE, budget=10 * BYTES)
    first = [kept[i].copy() for i in range(4)]
    assert read == paths and len(kept) == 4
    for i in range(4):
        assert (kept[i] == first[i]).all()
    assert len(read) == 4
    assert kept.kept.bytes == 4 * BYTES and len(kept.kept) == 4


def test_the_budget_is_not_exceeded(paths, read):
    kept = PictureStore(paths, SIDE, budget=2 * BYTES + 1)
    for _ in range(2):
        for i in range(4):
            kept[i]
    assert [i in kept.kept for i in range(4)] == [True, True, False, False]
    assert kept.kept.bytes == 2 * BYTES
    assert read == [*paths, paths[2], paths[3]]


def test_pixels_are_the_same_kept_or_not(paths):
    kept, never = PictureStore(paths, SIDE, budget=10**6), PictureStore(paths, SIDE, budget=0)
    for i in (0, 3, 0):
        assert (kept[i] == never[i]).all()
    assert len(never.kept) == 0 and never.kept.bytes == 0


def test_a_smaller_picture_that_comes_later_still_finds_room(tmp_path):
    sizes = (40, 40, 8)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, size in zip(paths, sizes, strict=True):
        write_picture(path, noise(size, size))
    kept = PictureStore(paths, SIDE, budget=BYTES + 200)
    for i in range(3):
        kept[i]
    assert [i in kept.kept for i in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(64, 96, (16, 24)), (96, 64, (24, 16)), (16, 50, (16, 50)), (33, 1000, (16, 485))],
)
def test_shrinking_keeps_the_aspect(height, width, expected):
    pixels = noise(height, width)
    found = shrink(pixels, SHORT)
    assert found.shape == (*expected, 3) and found.dtype == np.uint8


def test_small_pictures_stay_as_they_are():
    pixels = noise(10, 200)
    assert shrink(pixels, SHORT) is pixels


def test_shrinking_averages():
    pixels = noise(64, 64)
    expected = pixels.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrink(pixels, 16) - expected).max() <= 0.5 + 1e-6


def test_the_kept_picture_has_the_margin_of_ten_crops(paths):
    assert PictureStore(paths, 224).short_side == 256
    assert PictureStore(paths, 28)[0].shape == (32, 32, 3)


def test_a_picture_that_is_gone_is_named(tmp_path):
    write_picture(tmp_path / "a.png", noise(20, 20))
    kept = PictureStore([tmp_path / "a.png", tmp_path / "gone.png"], SIDE)
    assert kept[0].shape == (16, 16, 3)
    with pytest.raises(PictureError, match="gone.png"):
        kept[1]


def test_orientation_and_colours_are_those_of_the_reader(tmp_path):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :8] = (255, 0, 0)
    write_picture(tmp_path / "a.png", pixels)
    found = PictureStore([tmp_path / "a.png"], SIDE)[0]
    assert (found == pixels).all()
    assert (cv2.imread(str(tmp_path / "a.png"))[0, 0] == (0, 0, 255)).all()
