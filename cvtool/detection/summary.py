"""Predictions against true boxes, summed up for a report: scores, classes, certainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvtool.datasets.boxed import DetectionDataset
from cvtool.detection.matching import count_truths, match, mean_average_precision
from cvtool.detection.metrics import Curve, Prediction, evaluate_with_curves
from cvtool.errors import DatasetError
from cvtool.training.intervals import ROUNDS, basic_interval, drawn_pictures


def summarise(
    dataset: DetectionDataset,
    predictions: Sequence[Prediction],
    min_score: float | None = None,
) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Score predictions at one working threshold.

    Args:
        dataset, predictions: as for `metrics.evaluate_detections`.
        min_score: the threshold of precision, recall and F1, such as the best one on dev;
            None takes the best one here.
    Returns:
        Plain numbers, ready for JSON, each share in [0, 1]: pictures, objects, mAP50,
        mAP50_95, interval (the 95 % interval of mAP50, low and high), precision, recall and
        f1 (means over the classes), min_score, per_class (see `class_table`);
        and the curves of each class that has true boxes.
    Raises:
        DatasetError: no true box to compare with.
        ValueError: the predictions do not fit the data set.
    """
    scores, curves = evaluate_with_curves(dataset, predictions)
    min_score = scores["best_score"] if min_score is None else min_score
    place = _place(curves, min_score)
    return {
        "pictures": scores["pictures"],
        "objects": sum(row["truths"] for row in scores["per_class"].values()),
        "mAP50": scores["mAP50"],
        "mAP50_95": scores["mAP50_95"],
        "interval": [round(edge, 4) for edge in bootstrap_interval(dataset, predictions)],
        "precision": float(np.mean([curve.precision_at[place] for curve in curves.values()])),
        "recall": float(np.mean([curve.recall_at[place] for curve in curves.values()])),
        "f1": float(np.mean([curve.f1_at[place] for curve in curves.values()])),
        "min_score": float(min_score),
        "per_class": class_table(scores["per_class"], curves, min_score),
    }, curves


def class_table(
    per_class: Mapping[str, dict], curves: Mapping[str, Curve], min_score: float
) -> dict[str, dict]:
    """Each class's scores: truths, ap50, ap50_95, and precision, recall, f1 at a threshold.

    Args:
        per_class, curves: as `evaluate_with_curves` gives them.
        min_score: in [0, 1].
    Returns:
        class name -> numbers; None for those of a class without true boxes.
    """
    place = _place(curves, min_score)
    table = {}
    for name, row in per_class.items():
        curve = curves.get(name)
        table[name] = row | {
            key: None if curve is None else float(getattr(curve, f"{key}_at")[place])
            for key in ("precision", "recall", "f1")
        }
    return table


def bootstrap_interval(
    dataset: DetectionDataset,
    predictions: Sequence[Prediction],
    *,
    seed: int = 0,
    rounds: int = ROUNDS,
) -> tuple[float, float]:
    """The 95 % interval of mAP50, by drawing the pictures again.

    See `training.intervals.basic_interval`. Of classes with fewer than about ten objects the
    interval is still too narrow.

    Args:
        dataset, predictions: as for `metrics.evaluate_detections`.
        seed: of the drawing.
        rounds: how often to draw.
    Returns:
        low and high in [0, 1], the score between them.
    Raises:
        DatasetError: no true box to compare with.
        ValueError: the predictions do not fit the data set.
    """
    matches, truths = match(dataset, predictions), count_truths(dataset)
    if not truths.any():
        raise DatasetError("the data set has no true boxes, so there is no score to trust")

    def score(drawn: np.ndarray) -> float:
        # A prediction in a picture drawn twice counts twice; its matching stays as it is.
        weights = drawn[matches.pictures]
        return mean_average_precision(matches.class_ids, matches.right, drawn @ truths, weights)

    # Draws of nothing but pictures without objects tell nothing.
    draws = drawn_pictures(len(truths), seed=seed, rounds=rounds)
    values = [score(drawn) for drawn in draws if (drawn @ truths).any()]
    return basic_interval(score(np.ones(len(truths), int)), values)


def _place(curves: Mapping[str, Curve], score: float) -> int:
    """The position of a score among the thresholds of the curves; the nearest."""
    thresholds = next(iter(curves.values())).thresholds
    return int(np.abs(thresholds - score).argmin())
