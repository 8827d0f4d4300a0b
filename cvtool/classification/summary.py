"""Predictions against labels, summed up: the scores, the plots, the worst mistakes."""

from __future__ import annotations

import numpy as np

from cvtool.classification.metrics import (
    confusion_matrix,
    expected_calibration_error,
    multi_label_scores,
    per_class_table,
    top_k_accuracy,
)
from cvtool.pictures.writing import whole_file
from cvtool.training.intervals import wilson_interval

CONFUSION_FILE, CALIBRATION_FILE = "confusion.png", "calibration.png"


def summarise(probabilities, labels, classes):
    """Scores, ready for JSON; see docs/evaluate.md for the keys.

    Args:
        probabilities: float (N, C).
        labels: int (N,) class ids, -1 for a class that the model does not know; or float
            (N, C) of 0, 1 and NaN for several labels a picture.
        classes: the C names.
    """
    several = np.ndim(labels) == 2
    score = several_summary if several else single_summary
    return score(probabilities, labels, classes)


def single_summary(probabilities, labels, classes):
    """Scores of one label a picture: top1, interval, top5, ece, per_class."""
    known = labels >= 0
    share = known.mean()
    right = int((probabilities.argmax(axis=1) == labels).sum())
    top5, ece = 0.0, None
    if known.any():
        k = min(5, len(classes))
        top5 = float(top_k_accuracy(probabilities[known], labels[known], k) * share)
        ece = expected_calibration_error(probabilities[known], labels[known])
    confusion = confusion_matrix(labels[known], probabilities[known].argmax(axis=1), len(classes))
    return {
        "top1": right / len(labels),
        "interval": [round(edge, 4) for edge in wilson_interval(right, len(labels))],
        "top5": top5,
        "ece": ece,
        "unknown": int((~known).sum()),
        "per_class": per_class_table(confusion, classes),
    }


def several_summary(probabilities, labels, classes):
    """Scores of several labels a picture: mean_average_precision, accuracy, f1, per_class."""
    figures = multi_label_scores(probabilities, labels)
    per_label = figures.pop("per_label")
    return figures | {"per_class": dict(zip(classes, per_label, strict=True))}


def confident_mistakes(probabilities, labels, most):
    """Positions of the wrong answers with the highest probabilities, highest first.

    Args:
        probabilities: float (N, C).
        labels: int (N,), -1 for a class that the model does not know.
        most: at most so many.
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    score = probabilities.max(axis=1)
    return wrong[np.argsort(-score[wrong], kind="stable")][:most]


def save_plots(folder, probabilities, labels, classes, *, overwrite=False):
    """Draw the confusion matrix and the reliability diagram of one label a picture.

    Args:
        folder: written: confusion.png and, where any class is known, calibration.png.
        probabilities, labels, classes: as for `summarise`.
        overwrite: replace files that are there.
    Returns:
        the paths written, and the confusion matrix int64 (C, C).
    Raises:
        OutputError: a file is there already or cannot be written.
    """
    from cvtool.classification.plots import plot_calibration
    from cvtool.training.plots import plot_confusion

    known = labels >= 0
    probabilities, labels = probabilities[known], labels[known]
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), len(classes))
    written = [folder / CONFUSION_FILE]
    with whole_file(folder / CONFUSION_FILE, overwrite=overwrite) as path:
        plot_confusion(confusion, classes, path)
    if known.any():
        with whole_file(folder / CALIBRATION_FILE, overwrite=overwrite) as path:
            plot_calibration(probabilities, labels, path)
        written.append(folder / CALIBRATION_FILE)
    return written, confusion
