import cv2
import numpy as np

from cvtool.classification.plots import plot_calibration


def test_calibration(tmp_path):
    def bars(labels):
        path = tmp_path / "c.png"
        plot_calibration(np.tile([0.9, 0.1], (50, 1)), labels, path)
        pixels = cv2.imread(str(path)).astype(int)
        return (np.abs(pixels - (180, 119, 31)).max(axis=-1) < 12).sum()

    right, half = bars(np.zeros(50, int)), bars(np.arange(50) % 2)
    assert right > 1.5 * half > 1000
