"""Pictures of how well distances tell pairs of one person from pairs of two."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from cvtool.faces.metrics import auc, equal_error_rate, roc
from cvtool.training.plots import new_figure, save_figure


def plot_pairs(
    distances, same, threshold: float, path: str | Path | BinaryIO, *, before=None
) -> None:
    """Draw the ROC, and below it how the distances of both kinds of pairs are spread.

    Args:
        distances: float (N,).
        same: bool (N,): of one person; both kinds are there.
        threshold: the distance that decides.
        path: the PNG to write, or a binary stream; an existing file is replaced.
        before: float (N,): the distances before a training, for a second curve; None for none.
    """
    distances, same = np.asarray(distances), np.asarray(same, bool)
    _, false, true = roc(distances, same)
    figure, (upper, lower) = new_figure(5.5, 7, height_ratios=(3, 2))
    # From the lowest rate that these pairs can show.
    lowest = 1 / (~same).sum()
    if before is not None:
        _, *rates = roc(before, same)
        curve = {"color": "tab:gray", "linestyle": "--", "label": "before the training"}
        upper.plot(np.maximum(rates[0], lowest), rates[1], drawstyle="steps-post", **curve)
    curve = {"color": "tab:blue", "label": "after it"}
    upper.plot(np.maximum(false, lowest), true, drawstyle="steps-post", **curve)
    if before is not None:
        upper.legend(fontsize="small")
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
