"""Plots that every task draws, and how a figure is made and saved."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cvtool.pictures.fonts import choose_font, font_of

# More would not be readable: cells with their number, and axes with the names.
MOST_NUMBERS = 20
MOST_NAMES = 40
_LONGEST_NAME = 24


def plot_confusion(
    confusion: np.ndarray, classes: Sequence[str], path: str | Path | BinaryIO
) -> None:
    """Draw a confusion matrix; the colour of a cell is its share of the row.

    Up to 20 classes each cell that is not empty shows its number, up to 40 the axes show the
    names. Above, they show class ids.

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
    names = [short_name(name) for name in classes] if named else []
    side = float(np.clip(0.36 * count + 1, 3.2, 9))
    room = 0.075 * max(map(len, names), default=4)
    figure, axes = new_figure(side + room + 1.2, side + room + 0.4)
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
                show_as_it_is(text)
    if count <= MOST_NUMBERS:
        for row, column in np.argwhere(confusion):
            colour = "white" if shares[row, column] > 0.3 else "black"
            number = str(confusion[row, column])
            size = min(9, 72 * side / count / (0.7 * len(number)))  # 72 points an inch
            axes.text(column, row, number, ha="center", va="center", color=colour, fontsize=size)
    save_figure(figure, path)


def new_figure(
    width: float, height: float, height_ratios: Sequence[float] = (1,), columns: int = 1
):
    """A figure without pyplot: it needs no display and leaves no global state behind.

    Args:
        width, height: inches.
        height_ratios: of the rows of axes.
        columns: of axes.
    Returns:
        the figure, and its axes as `matplotlib.figure.Figure.subplots` gives them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(len(height_ratios), columns, height_ratios=height_ratios)


def save_figure(figure, path: str | Path | BinaryIO) -> None:
    """Write a figure as PNG to a file or a binary stream."""
    with warnings.catch_warnings():
        # A letter that no font of this machine has comes out as a box, as in a file manager.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(path, format="png", dpi=120)


def short_name(name: str) -> str:
    """One line of at most 24 letters, without bytes that are no UTF-8."""
    name = " ".join(name.encode("utf-8", "replace").decode("utf-8").split())
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def show_as_it_is(text) -> None:
    """Keep a name in a plot from being read as a formula, and give it a font with its letters."""
    from matplotlib.font_manager import FontProperties

    text.set_parse_math(False)
    _, font = choose_font(text.get_text())
    if font is not None:
        text.set_font(FontProperties(fname=font_of(font, 16).path, size=text.get_fontsize()))
