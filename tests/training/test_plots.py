import warnings
from io import BytesIO

import cv2
import numpy as np
import pytest

from cvtool.training.plots import plot_confusion


def drawn(confusion, classes, path):
    plot_confusion(confusion, classes, path)
    return cv2.imread(str(path)).astype(int)


def share_blue(pixels):
    """Share of pixels in the dark blue of a share near 1; the colour bar has some too."""
    return (np.abs(pixels - (107, 48, 8)).max(axis=-1) < 12).mean()


@pytest.mark.parametrize("classes", [1, 2, 12, 40, 41, 200])
def test_any_number_of_classes_fits(classes, tmp_path):
    names = [f"class number {n} of a long name" for n in range(classes)]
    pixels = drawn(5 * np.eye(classes, dtype=np.int64), names, tmp_path / "c.png")
    assert min(pixels.shape[:2]) > 300 and max(pixels.shape[:2]) < 1800
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert (border == 255).all()


def test_colours_are_shares_of_the_row(tmp_path):
    few = drawn(np.array([[4, 0], [0, 4]]), "ab", tmp_path / "few.png")
    uneven = drawn(np.array([[4, 0], [0, 4000]]), "ab", tmp_path / "uneven.png")
    wrong = drawn(np.array([[2, 2], [2, 2]]), "ab", tmp_path / "wrong.png")
    assert share_blue(few) > 0.1
    assert share_blue(uneven) == pytest.approx(share_blue(few), rel=0.1)
    assert share_blue(wrong) < 0.02


def test_rows_are_truth(tmp_path):
    pixels = drawn(np.array([[0, 4], [0, 0]]), "ab", tmp_path / "c.png")
    blue = np.abs(pixels - (107, 48, 8)).max(axis=-1) < 12
    # Left of the colour bar: the dark cell lies in the upper half, right of the middle.
    rows, columns = np.nonzero(blue[:, : int(0.7 * pixels.shape[1])])
    assert rows.mean() < 0.5 * pixels.shape[0]
    upper_left = pixels[int(0.25 * pixels.shape[0]), int(columns.min() - 60)]
    assert upper_left.min() > 200


def test_numbers_up_to_20_classes(tmp_path):
    def letters(classes):
        confusion = np.full((classes, classes), 888, dtype=np.int64)
        with_numbers = drawn(confusion, [""] * classes, tmp_path / "c.png")
        return (with_numbers.max(axis=-1) < 60).mean()

    assert letters(20) > 2 * letters(21)


def test_odd_names(tmp_path):
    names = ["$5 bill$ \\frac", "日本", "two\nlines", "bad \udcff byte", "", "x" * 300]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = drawn(np.eye(6, dtype=np.int64), names, tmp_path / "c.png")
    assert max(pixels.shape) < 1200


def test_names_must_fit():
    with pytest.raises(ValueError, match="3 names"):
        plot_confusion(np.eye(2, dtype=np.int64), "abc", BytesIO())
    with pytest.raises(ValueError):
        plot_confusion(np.zeros((0, 0), np.int64), [], BytesIO())
