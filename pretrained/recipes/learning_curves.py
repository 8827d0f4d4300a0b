"""Draw the scores on val after each epoch of the trainings of `train_all.py`.

    python pretrained/recipes/learning_curves.py --runs runs --out learning-curves.png

Reads history.csv of those run folders that are there. The epochs are on a logarithmic axis, on
which most curves are nearly straight: what a doubling of the epochs brings can be read off.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from cvtool.training.checkpoints import read_history
from plan import GOALS
from running import run_main

# Folder of the run, column of its history, model, and the score in `plan.GOALS` that it is.
CURVES = (
    ("detector", "mAP50", "everyday", "mAP50"),
    ("backbone", "val_top1", "tiny200", "top1"),
    ("unet", "miou", "everyday-unet", "miou"),
    ("faces/classes", "auc", "facenet-lfw", "auc"),
)
TICKS = [2**power for power in range(8)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--out", type=Path, required=True, help="the picture, a .png")
    args = parser.parse_args()
    curves = read_curves(args.runs)
    if not curves:
        raise SystemExit(f"{args.runs}: holds no history.csv of a training")
    draw(curves, args.out)


def read_curves(runs):
    """The curves of the runs that are there.

    Returns:
        list of (title, [(epoch, score), ...], goal or None).
    """
    goals = {(model, score): goal for model, score, _, goal in GOALS}
    curves = []
    for folder, column, model, score in CURVES:
        rows = [row for row in read_history(runs / folder / "history.csv") if row.get(column)]
        if rows:
            points = [(int(row["epoch"]), float(row[column])) for row in rows]
            curves.append((f"{model}: {column}", points, goals.get((model, score))))
    return curves


def draw(curves, path):
    """Write the curves beside each other as a PNG file."""
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(3.5 * len(curves), 3.2), layout="constrained")
        for axes, (title, points, goal) in zip(
            figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True
        ):
            axes.plot(*zip(*points, strict=True), "o-", markersize=3)
            if goal is not None:
                axes.axhline(goal, linestyle="--", color="grey")
                axes.text(1, goal, " goal", va="bottom", color="grey")
            axes.set_xscale("log", base=2)
            ticks = [tick for tick in TICKS if tick <= 2 * points[-1][0]]
            axes.set_xticks(ticks, map(str, ticks))
            axes.minorticks_off()
            axes.set(title=title, xlabel="epochs")
            axes.grid(alpha=0.3)
        figure.savefig(path, dpi=80)


if __name__ == "__main__":
    run_main(main)
