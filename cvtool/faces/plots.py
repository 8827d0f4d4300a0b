"""Pictures of how well distances tell pairs of one person from pairs of two."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from cvtool.faces.metrics import auc, equal_error_rate, roc
from cvtool.training.plots import new_figure, save_figure


def plot_pairs(distances, same, threshold: float, path: str | Path | BinaryIO) -> None:
    """Draw the ROC, and below it how the distances of both kinds of pairs are spread.

    Args:
        distances: float (N,).
        same: bool (N,): of one person; both kinds are there.
        threshold: the distance that decides.
        path: the PNG to write, or a binary stream; an existing file is replaced.
    """
    distances, same = np.asarray(distances), np.asarray(same, bool)
    _, false, true = roc(distances, same)
    figure, (upper, lower) = new_figure(5.5, 7, height_ratios=(3, 2))
    # From the lowest rate that these pairs can show.
    lowest = 1 / (~same).sum()
    upper.plot(np.maximum(false, lowest), true, color="tab:blue", drawstyle="steps-post")
    upper.set(
        xscale="log",
        xlim=(min(lowest, 0.5), 1),
        ylim=(0, 1.02),
        xlabel="false accept rate",
        ylabel="true accept rate",
    )
    upper.set_title(
        f"area under the curve {auc(distances, same):.3f}, "
        f"equal error rate {100 * equal_error_rate(distances, same):.1f} %"
    )
    bins = np.linspace(0, max(distances.max(), 1e-6), 41)
    for kind, label, colour in ((same, "one person", "tab:green"), (~same, "two", "tab:red")):
        lower.hist(distances[kind], bins, alpha=0.6, label=label, color=colour, density=True)
    lower.axvline(threshold, color="black", linestyle="--", label="threshold")
    lower.set(xlabel="squared distance", yticks=[])
    lower.legend(fontsize="small")
    upper.grid(alpha=0.3)
    save_figure(figure, path)
