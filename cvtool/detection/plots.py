"""Pictures of a detector's scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cvtool.detection.metrics import Curve


def plot_precision_recall(curves: Mapping[str, Curve], path: str | Path) -> None:
    """Draw precision over recall at IoU 0.5, one line a class and a thick one for the mean.

    Args:
        curves: class name -> curve, as `evaluate_with_curves` gives them; not empty.
        path: the PNG to write; an existing file is replaced.
    """
    # A figure without pyplot needs no display and leaves no global state behind.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 1 + len(curves) // 25
    figure = Figure(figsize=(7 + 2 * columns, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    ranked = sorted(curves.items(), key=lambda item: -item[1].precision.mean())
    for number, (name, curve) in enumerate(ranked):
        dashes = ("-", "--", ":")[number // 10 % 3]
        label = f"{name} {curve.precision.mean():.2f}"
        axes.plot(curve.recall, curve.precision, dashes, linewidth=1, label=label)
    mean = sum(curve.precision for curve in curves.values()) / len(curves)
    recall = ranked[0][1].recall
    axes.plot(recall, mean, color="black", linewidth=3, label=f"mean {mean.mean():.2f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title("Precision and recall at IoU 0.5")
    axes.grid(alpha=0.3)
    axes.legend(
        title="AP50", loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", ncols=columns
    )
    figure.savefig(path, format="png", dpi=120)
