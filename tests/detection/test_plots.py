import cv2
import numpy as np
import pytest

from cvtool.detection.metrics import Curve
from cvtool.detection.plots import plot_precision_recall, plot_thresholds


def curve(reached):
    recall = np.linspace(0, 1, 101)
    precision = np.where(recall <= reached, 1.0, 0.0)
    return Curve(recall, precision, *[np.zeros(1)] * 5)


def test_each_class_gets_a_line(tmp_path):
    path = tmp_path / "one.png"
    plot_precision_recall({"cat": curve(0.5)}, path)
    one = cv2.imread(str(path))
    plot_precision_recall({"cat": curve(0.5), "dog": curve(0.8)}, tmp_path / "two")
    two = cv2.imread(str(tmp_path / "two"))
    assert one.shape == two.shape
    # The second line brings a second colour.
    orange = (np.abs(two.astype(int) - (14, 127, 255)).max(axis=-1) < 8).sum()
    assert orange > 100
    assert (np.abs(one.astype(int) - (14, 127, 255)).max(axis=-1) < 8).sum() == 0


def test_many_classes_fit(tmp_path):
    path = tmp_path / "many.png"
    plot_precision_recall({f"class {n}": curve(n / 80) for n in range(80)}, path)
    pixels = cv2.imread(str(path))
    # The border stays white: the legend lies inside the picture.
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert (border == 255).all()


def by_threshold(value):
    """A curve whose precision, recall and F1 are the same at every score."""
    thresholds = np.arange(1001) / 1000
    return Curve(*[np.zeros(1)] * 3, thresholds, *[np.full(1001, value)] * 3)


def panels(path):
    """The plot's inside, as the share of black in each row of each of the three panels."""
    pixels = cv2.imread(str(path))
    black = pixels.max(axis=-1) < 40
    return [part.mean(axis=1) for part in np.array_split(black, 3, axis=1)]


@pytest.mark.parametrize("classes", [1, 2, 10, 30])
def test_the_mean_is_a_thick_line_in_each_panel(classes, tmp_path):
    values = np.linspace(0.2, 0.6, classes) if classes > 1 else [0.4]
    curves = {f"_class $ {n}": by_threshold(value) for n, value in enumerate(values)}
    plot_thresholds(curves, 0.3, tmp_path / "t.png")
    for dark in panels(tmp_path / "t.png"):
        rows = np.flatnonzero(dark > 0.6)
        # The frame's upper and lower edge, and the mean between them.
        top, *lines, bottom = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
        assert len(lines) == 1 and len(lines[0]) > len(top)
        height = (bottom.mean() - lines[0].mean()) / (bottom.mean() - top.mean())
        assert height == pytest.approx(0.4 / 1.02, abs=0.02)


def test_the_threshold_is_marked(tmp_path):
    dark = []
    for score in (0.25, 0.75):
        plot_thresholds({"cat": by_threshold(0.5)}, score, tmp_path / f"{score}.png")
        pixels = cv2.imread(str(tmp_path / f"{score}.png"))
        dark.append((pixels.max(axis=-1) < 60)[: int(0.8 * len(pixels))].mean(axis=0))
    only = [np.flatnonzero(a > b + 0.1) for a, b in (dark, dark[::-1])]
    # In each of the three panels the mark of 0.75 lies right of that of 0.25.
    assert all(len(columns) for columns in only)
    groups = [np.split(c, np.flatnonzero(np.diff(c) > 20) + 1) for c in only]
    assert [len(group) for group in groups] == [3, 3]
    shifts = [right.mean() - left.mean() for left, right in zip(*groups, strict=True)]
    assert shifts == pytest.approx([shifts[0]] * 3, abs=3) and shifts[0] > 100


def test_few_classes_have_lines_and_many_do_not(tmp_path):
    def coloured(classes):
        curves = {f"class {n}": by_threshold(n / classes) for n in range(classes)}
        plot_thresholds(curves, 0.3, tmp_path / "t.png")
        pixels = cv2.imread(str(tmp_path / "t.png")).astype(int)
        return (np.ptp(pixels, axis=-1) > 60).sum()

    assert coloured(10) > 1000 and coloured(11) == 0
