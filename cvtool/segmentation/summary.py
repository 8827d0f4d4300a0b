"""Masks against the truth, summed up for a report: scores, classes, certainty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cvtool.segmentation.metrics import (
    dice_per_class,
    foreground_iou,
    iou_per_class,
    mean_iou,
    pixel_accuracy,
)
from cvtool.training.intervals import ROUNDS, basic_interval, drawn_pictures


def summarise(
    confusions: np.ndarray, classes: Sequence[str], *, seed: int = 0, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Score the masks of some pictures.

    Args:
        confusions: int (N, C, C), `metrics.confusion_matrix` of each picture; not all zero.
        classes: the C names.
        seed, rounds: of the intervals, see `training.intervals.drawn_pictures`.
    Returns:
        Plain numbers, ready for JSON, each share in [0, 1]: pictures, miou, interval (the 95 %
        interval of miou, low and high), foreground_iou (None where nothing but background is
        there or predicted), pixel_accuracy, and per_class: class name -> pictures (that show
        it), pixels (its share of the known ones), iou, interval (of iou) and dice; None where
        it is neither there nor predicted.
    """
    total = confusions.sum(axis=0)
    intervals = bootstrap_intervals(confusions, seed=seed, rounds=rounds)
    return {
        "pictures": len(confusions),
        "miou": mean_iou(total),
        "interval": _rounded(intervals[0]),
        "foreground_iou": number_of(foreground_iou(total)),
        "pixel_accuracy": pixel_accuracy(total),
        "per_class": {
            name: {
                "pictures": int((confusions[:, i].sum(axis=1) > 0).sum()),
                "pixels": float(total[i].sum() / total.sum()),
                "iou": number_of(iou),
                "interval": _rounded(intervals[1 + i]),
                "dice": number_of(dice),
            }
            for i, (name, iou, dice) in enumerate(
                zip(classes, iou_per_class(total), dice_per_class(total), strict=True)
            )
        },
    }


def bootstrap_intervals(
    confusions: np.ndarray, *, seed: int = 0, rounds: int = ROUNDS
) -> list[tuple[float, float] | None]:
    """The 95 % intervals of the mean IoU and of each class's, by drawing the pictures again.

    Args:
        confusions: int (N, C, C).
        seed, rounds: see `training.intervals.drawn_pictures`.
    Returns:
        that of the mean, then those of the C classes; None for a class that is neither there
        nor predicted.
    """
    hits = np.diagonal(confusions, axis1=1, axis2=2)
    truths, predicted = confusions.sum(axis=2), confusions.sum(axis=1)

    def scores(drawn: np.ndarray) -> np.ndarray:
        """The mean IoU and each class's, (1 + C,), NaN where there is none."""
        hit, truth = drawn @ hits, drawn @ truths
        either = truth + drawn @ predicted - hit
        ious = np.where(either > 0, hit / np.maximum(either, 1), np.nan)
        mean = ious[truth > 0].mean() if (truth > 0).any() else np.nan
        return np.concatenate([[mean], ious])

    measured = scores(np.ones(len(confusions), int))
    rows = [scores(drawn) for drawn in drawn_pictures(len(confusions), seed=seed, rounds=rounds)]
    values = np.array(rows).T
    return [
        None if np.isnan(one) else basic_interval(float(one), row[~np.isnan(row)].tolist())
        for one, row in zip(measured, values, strict=True)
    ]


def guessing_error(confusions: np.ndarray) -> float:
    """1 less the mean IoU of a model that says the most frequent class everywhere.

    Args:
        confusions: int (N, C, C), not all zero.
    """
    truths = confusions.sum(axis=(0, 2))
    return float(1 - truths.max() / truths.sum() / (truths > 0).sum())


def words_of_errors(confusion: np.ndarray, classes: Sequence[str]) -> str:
    """What most of a picture's wrong pixels are, for example "cat taken for dog: 12.0 %"."""
    wrong = np.where(np.eye(len(confusion), dtype=bool), 0, confusion)
    truth, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    if not wrong[truth, predicted]:
        return "no pixel wrong"
    share = wrong[truth, predicted] / confusion.sum()
    return f"{classes[truth]} taken for {classes[predicted]}: {100 * share:.1f} % of the pixels"


def number_of(value: float) -> float | None:
    """As JSON takes it: None for NaN."""
    return None if np.isnan(value) else float(value)


def _rounded(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(edge, 4) for edge in interval]
