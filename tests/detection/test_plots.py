import cv2
import numpy as np

from cvtool.detection.metrics import Curve
from cvtool.detection.plots import plot_precision_recall


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
