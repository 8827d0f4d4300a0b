"""What `cvtool finetune` prints of a run: a table for people, or JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cvtool.cli import console


def summary_of(folder: Path, run: dict[str, Any]) -> dict[str, Any]:
    """What --json prints."""
    keys = ("name", "task", "model", "chosen", "how", "scores", "scored_split", "diagnosis")
    keys += ("minutes", "stopped", "finished")
    keys += {
        "detect": ("score", "per_class"),
        "segment": ("per_class",),
        "verify": ("best_epoch", "calibration", "left_out"),
    }.get(run["task"], ())
    counts = {name: len(part["files"]) for name, part in run["splits"].items()}
    return {"run": str(folder), "pictures": counts} | {key: run[key] for key in keys}


def show(folder: Path, run: dict[str, Any]) -> None:
    """Print the scores for people."""
    columns, cells_of = columns_of(run)
    rows = [
        (name, str(figures["pictures"]), *cells_of(figures))
        for name, figures in run["scores"].items()
    ]
    columns = ("split", "pictures", *columns)
    console.print_table(console.table(columns, rows, right=columns[1:]))
    if run["task"] == "verify":
        from cvtool.faces.report import verdict_on

        print(verdict_on(run["scores"], run["scored_split"], run["best_epoch"]))
    print(run["diagnosis"]["summary"])
    if run["task"] == "detect":
        print(f"precision, recall and F1 at score {run['score']:.2f}, the model's own from now on")
    print(f"trained in {run['minutes']:.1f} minutes")
    print(f"report: {folder / 'report.html'}")
    pictures = "a.jpg b.jpg" if run["task"] == "verify" else "photo.jpg"
    print(f"use it: cvtool {run['task']} {pictures} --model {folder}")


def columns_of(run: dict[str, Any]) -> tuple[tuple[str, ...], Callable]:
    """Headings of the scores' table, and a function of a split's figures to its cells."""

    def shares(*keys: str) -> Callable:
        return lambda figures: [_share(figures[key]) for key in keys]

    def with_interval(score: str, *keys: str) -> Callable:
        return lambda figures: [
            _share(figures[score]),
            "{:.3f} to {:.3f}".format(*figures["interval"]),
            *shares(*keys)(figures),
        ]

    if run["task"] == "detect":
        columns = ("mAP50", "95 % interval", "mAP50-95", "precision", "recall", "F1")
        return columns, with_interval("mAP50", "mAP50_95", "precision", "recall", "f1")
    if run["task"] == "segment":
        columns = ("mIoU", "95 % interval", "foreground IoU", "pixels right")
        return columns, with_interval("miou", "foreground_iou", "pixel_accuracy")
    if run["task"] == "verify":
        columns = ("AUC", "95 % interval", "AUC before", "equal error rate", "accuracy")
        columns += ("true accepts at 1 % false",)
        return columns, lambda figures: [
            *with_interval("auc")(figures),
            _share(figures["before"]["auc"]),
            *shares("eer", "accuracy")(figures),
            _share(figures["tar_at_far"]["0.01"]),
        ]
    if run["several"]:
        columns = ("mean average precision", "labels right", "F1")
        return columns, shares("mean_average_precision", "accuracy", "f1")
    return ("accuracy", "95 % interval", "top-5"), with_interval("top1", "top5")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
