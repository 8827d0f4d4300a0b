"""Pictures of a classifier's scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cvtool.classification.metrics import calibration_bins, expected_calibration_error
from cvtool.pictures.fonts import choose_font, font_of

# More would not be readable: cells with their number, and axes with the names.
MOST_NUMBERS = 20
MOST_NAMES = 40
_LONGEST_NAME = 24


def plot_confusion(
    confusion: np.ndarray, classes: Sequence[str], path: str | Path | BinaryIO
) -> None:
    """Draw a confusion matrix; the colour of a cell is its share of the row.

    Up to 20 classes each cell that is not empty shows its number of pictures, up to 40 the
    axes show the names. Above, they show class ids.

    Args:
        confusion: int (C, C), rows truth, with C from 1.
        classes: the C names.
        path: the PNG to write, or a binary stream; an existing file is replaced.
    Raises:
        ValueError: the number of names is not C.
    """
    from matplotlib.colors import PowerNorm

    count = len(classes)
    if not count or confusion.shape != (count, count):
        raise ValueError(f"{count} names for a confusion matrix {confusion.shape}")
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    named = count <= MOST_NAMES
    names = [_short(name) for name in classes] if named else []
    side = float(np.clip(0.36 * count + 1, 3.2, 9))
    room = 0.075 * max(map(len, names), default=4)
    figure, axes = _figure(side + room + 1.2, side + room + 0.4)
    # The root of the share: single mistakes stay visible beside a full diagonal.
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    image = axes.imshow(shares, cmap="Blues", norm=norm, interpolation="nearest")
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    axes.set(xlabel="predicted", ylabel="truth")
    if named:
        size = 9 if count <= MOST_NUMBERS else 7
        for axis, turn in ((axes.xaxis, 90), (axes.yaxis, 0)):
            axis.set_ticks(range(count), names, fontsize=size, rotation=turn)
            for text in axis.get_ticklabels():
                _prepare(text)
    if count <= MOST_NUMBERS:
        for row, column in np.argwhere(confusion):
            colour = "white" if shares[row, column] > 0.3 else "black"
            number = str(confusion[row, column])
            size = min(9, 72 * side / count / (0.7 * len(number)))  # 72 points an inch
            axes.text(column, row, number, ha="center", va="center", color=colour, fontsize=size)
    _save(figure, path)


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
    figure, (upper, lower) = _figure(5, 6, height_ratios=(3, 1))
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
    _save(figure, path)


def _figure(width: float, height: float, height_ratios: Sequence[float] = (1,)):
    """A figure without pyplot: it needs no display and leaves no global state behind."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(len(height_ratios), height_ratios=height_ratios)


def _save(figure, path: str | Path | BinaryIO) -> None:
    with warnings.catch_warnings():
        # A letter that no font of this machine has comes out as a box, as in a file manager.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(path, format="png", dpi=120)


def _short(name: str) -> str:
    """One line of at most 24 letters, without bytes that are no UTF-8."""
    name = " ".join(name.encode("utf-8", "replace").decode("utf-8").split())
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _prepare(text) -> None:
    """Write a name as it is: no formula between dollar signs, in a font that has its letters."""
    from matplotlib.font_manager import FontProperties

    text.set_parse_math(False)
    _, font = choose_font(text.get_text())
    if font is not None:
        text.set_font(FontProperties(fname=font_of(font, 16).path, size=text.get_fontsize()))
