"""Pictures of a classifier's scores."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from cvtool.classification.metrics import calibration_bins, expected_calibration_error
from cvtool.training.plots import new_figure, save_figure


def plot_calibration(
    probabilities: np.ndarray, labels: np.ndarray, path: str | Path | BinaryIO, bins: int = 15
) -> None:
    """Draw a reliability diagram (Guo et al. 2017, figure 1): accuracy over top probability.

    Below it, how many pictures each bin holds.

    Args:
        probabilities: float (N, C) in [0, 1].
        labels: int (N,), class ids.
        path: the PNG to write, or a binary stream; an existing file is replaced.
        bins: of equal width.
    Raises:
        ValueError: no pictures, or labels that do not fit.
    """
    counts, accuracy, confidence = calibration_bins(probabilities, labels, bins)
    error = expected_calibration_error(probabilities, labels, bins)
    figure, (upper, lower) = new_figure(5, 6, height_ratios=(3, 1))
    centres = (np.arange(bins) + 0.5) / bins
    filled = counts > 0
    upper.bar(centres[filled], accuracy[filled], 0.96 / bins, color="tab:blue", label="measured")
    upper.plot(confidence[filled], accuracy[filled], ".", color="black", label="mean of the bin")
    upper.plot([0, 1], [0, 1], "--", color="grey", label="perfect")
    upper.set(ylabel="share right", xlim=(0, 1), ylim=(0, 1.02))
    upper.set_title(f"Calibration error {100 * error:.1f} %")
    figure.legend(loc="outside lower center", fontsize="small", ncols=3)
    lower.bar(centres, counts, 0.96 / bins, color="tab:grey")
    lower.set(xlabel="probability of the predicted class", ylabel="pictures", xlim=(0, 1))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    save_figure(figure, path)
