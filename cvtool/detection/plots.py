"""Pictures of a detector's scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from cvtool.detection.metrics import Curve
from cvtool.training.plots import new_figure, save_figure, short_name, show_as_it_is

# The lines of more classes cannot be told apart.
MOST_CLASSES = 10


def plot_precision_recall(curves: Mapping[str, Curve], path: str | Path | BinaryIO) -> None:
    """Draw precision over recall at IoU 0.5, one line a class and a thick one for the mean.

    Args:
        curves: class name -> curve, as `evaluate_with_curves` gives them; not empty.
        path: the PNG to write, or a binary stream; an existing file is replaced.
    """
    columns = 1 + len(curves) // 25
    figure, axes = new_figure(7 + 2 * columns, 6)
    ranked = sorted(curves.items(), key=lambda item: -item[1].precision.mean())
    for number, (name, curve) in enumerate(ranked):
        dashes = ("-", "--", ":")[number // 10 % 3]
        label = _label(f"{short_name(name)} {curve.precision.mean():.2f}")
        axes.plot(curve.recall, curve.precision, dashes, linewidth=1, label=label)
    mean = sum(curve.precision for curve in curves.values()) / len(curves)
    recall = ranked[0][1].recall
    axes.plot(recall, mean, color="black", linewidth=3, label=f"mean {mean.mean():.2f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title("Precision and recall at IoU 0.5")
    axes.grid(alpha=0.3)
    legend = axes.legend(
        title="AP50", loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", ncols=columns
    )
    _show_names(legend)
    save_figure(figure, path)


def plot_thresholds(
    curves: Mapping[str, Curve], min_score: float, path: str | Path | BinaryIO
) -> None:
    """Draw F1, precision and recall at IoU 0.5 over the score that boxes must reach.

    Each is the mean over the classes, a thick line; up to 10 classes have a thin one each.

    Args:
        curves: class name -> curve, as `evaluate_with_curves` gives them; not empty.
        min_score: the working threshold, in [0, 1], marked.
        path: the PNG to write, or a binary stream; an existing file is replaced.
    """
    figure, panels = new_figure(11, 4, columns=3)
    thresholds = next(iter(curves.values())).thresholds
    parts = (("F1", "f1_at"), ("precision", "precision_at"), ("recall", "recall_at"))
    for axes, (title, part) in zip(panels, parts, strict=True):
        lines = {name: getattr(curve, part) for name, curve in curves.items()}
        if 1 < len(lines) <= MOST_CLASSES:
            for name, line in lines.items():
                axes.plot(thresholds, line, linewidth=0.8, label=_label(short_name(name)))
        mean = sum(lines.values()) / len(lines)
        axes.plot(thresholds, mean, color="black", linewidth=2.5, label="mean")
        axes.axvline(min_score, color="black", linestyle=":", label=f"score {min_score:.2f}")
        axes.set(xlabel="score", title=title, xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(alpha=0.3)
    legend = figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        fontsize="small",
        ncols=6,
    )
    _show_names(legend)
    save_figure(figure, path)


def _label(name: str) -> str:
    """A legend's label; matplotlib would leave out one that begins with an underscore."""
    return f"\u200b{name}" if name.startswith("_") else name


def _show_names(legend) -> None:
    for text in legend.get_texts():
        show_as_it_is(text)
