"""What `cvtool evaluate` tells people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cvtool.cli import console


def say_where_classes_differ(
    labelled: Sequence[str], known: Sequence[str], missed: str, unlabelled: str
) -> None:
    """Say what the score leaves out, for classes are matched by name.

    Args:
        labelled: the data set's classes.
        known: the model's. That none is labelled is an error, left to the evaluation.
        missed: what becomes of the classes that the model does not know.
        unlabelled: what becomes of those that the data set does not label.
    """
    from cvtool.models.near_names import near_names

    unknown = [name for name in labelled if name not in known]
    if len(unknown) == len(labelled):
        return
    if unknown:
        named = []
        for name in unknown:
            near = [other for other in near_names(name, known, 1) if other not in labelled]
            named.append(f"{name} (but {near[0]})" if near else name)
        console.say(f"the model does not know {', '.join(named)}; {missed}")
    more = [name for name in known if name not in labelled]
    if more:
        console.say(f"the data set does not label {', '.join(more)}; {unlabelled}")


def show_detection(summary: dict[str, Any]) -> None:
    """Print a detector's scores for people."""
    rows = [
        (name, str(row["truths"]), _share(row["ap50"]), _share(row["ap50_95"]))
        for name, row in summary["per_class"].items()
    ]
    rows.append(
        ("all classes", _total(summary), _share(summary["mAP50"]), _share(summary["mAP50_95"]))
    )
    columns = ("class", "objects", "AP50", "AP50-95")
    console.print_table(console.table(columns, rows, right=columns[1:]))
    show_how(summary)
    if summary["recall"] > 0:
        print(
            f"precision {_share(summary['precision'])}, recall {_share(summary['recall'])} "
            f"at --score {summary['best_score']:.2f}, the best balance of the two"
        )
    else:
        print("no object of the data set was found, at whatever score")


def show_classification(summary: dict[str, Any]) -> None:
    """Print a classifier's scores for people."""
    if "top1" in summary:
        columns = ("class", "pictures", "precision", "recall", "F1")
        keys = ("precision", "recall", "f1")
    else:
        columns = ("label", "pictures", "average precision", "precision", "recall", "F1")
        keys = ("average_precision", "precision", "recall", "f1")
    rows = [
        (name, str(row["pictures"]), *(_share(row[key]) for key in keys))
        for name, row in summary["per_class"].items()
    ]
    console.print_table(console.table(columns, rows, right=columns[1:]))
    show_how(summary)
    if "top1" in summary:
        low, high = summary["interval"]
        print(
            f"top-1 {_share(summary['top1'])} (95 % interval {low:.3f} to {high:.3f}), "
            f"top-5 {_share(summary['top5'])}, calibration error {_share(summary['ece'])}"
        )
    else:
        print(
            f"mean average precision {_share(summary['mean_average_precision'])}, labels right "
            f"{_share(summary['accuracy'])}, F1 {_share(summary['f1'])}"
        )


def show_verification(summary: dict[str, Any]) -> None:
    """Print a face model's scores for people."""
    if len(summary["per_fold"]) > 1:
        columns = ("part", "pairs", "accuracy", "threshold")
        rows = [
            (str(n), str(row["pairs"]), _share(row["accuracy"]), _share(row["threshold"]))
            for n, row in enumerate(summary["per_fold"], 1)
        ]
        console.print_table(console.table(columns, rows, right=columns[1:]))
    print(
        f"{summary['pairs']} pairs of {summary['pictures']} pictures with {summary['model']} "
        f"({summary['engine']}), no face found in {summary['no_face']}"
    )
    low, high = summary["interval"]
    print(
        f"accuracy {_share(summary['accuracy'])} (95 % interval {low:.3f} to {high:.3f}) at the "
        f"threshold {summary['threshold']:.3f}, from {summary['threshold_from']}"
    )
    rates = ", ".join(
        f"{_share(tar)} at {float(far):.1%} false accepts"
        for far, tar in summary["tar_at_far"].items()
    )
    print(
        f"area under the ROC {_share(summary['auc'])}, equal error rate "
        f"{_share(summary['eer'])}, true accepts {rates}"
    )


def show_segmentation(summary: dict[str, Any]) -> None:
    """Print a segmentation model's scores for people."""
    columns = ("class", "pictures", "of the pixels", "IoU", "Dice", "boundary F")
    rows = [
        (name, str(row["pictures"]), f"{100 * row['pixels']:.2f} %")
        + tuple(_share(row[key]) for key in ("iou", "dice", "boundary_f"))
        for name, row in summary["per_class"].items()
    ]
    console.print_table(console.table(columns, rows, right=columns[1:]))
    show_how(summary)
    low, high = summary["interval"]
    print(
        f"mean IoU {_share(summary['miou'])} (95 % interval {low:.3f} to {high:.3f}), "
        f"foreground against background {_share(summary['foreground_iou'])}, "
        f"pixels right {_share(summary['pixel_accuracy'])}"
    )


def show_how(summary: dict[str, Any]) -> None:
    """Print what was scored, and how it was run."""
    pictures, seconds = summary["pictures"], summary["seconds"]
    split = f" of the {summary['split']} split" if summary.get("split") else ""
    print(f"model {summary['model']} at {summary['size']} pixels on {summary['engine']}")
    print(f"{pictures} pictures{split}, {1000 * seconds / max(pictures, 1):.0f} ms each")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _total(summary: dict[str, Any]) -> str:
    return str(sum(row["truths"] for row in summary["per_class"].values()))
