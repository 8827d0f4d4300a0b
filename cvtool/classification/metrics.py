"""How good a classifier is: accuracy, calibration, and the scores of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def top_k_accuracy(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of pictures whose true class is among the k most probable ones.

    Of classes with equal probability the one with the lower id ranks first, as in `argmax`.
    NaN ranks last.

    Args:
        probabilities: float (N, C); any scores that rank the classes will do.
        labels: int (N,), class ids.
        k: from 1; with k >= C every picture is right.
    Returns:
        a share in [0, 1].
    Raises:
        ValueError: no pictures, k below 1, or labels that do not fit.
    """
    probabilities, labels = _checked(probabilities, labels)
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels, None]
    later = np.arange(classes) > labels[:, None]
    beaten = (own > probabilities) | ((own == probabilities) & later)
    # Comparisons with NaN are false. A class that is NaN is beaten by every number, and as
    # a label beats none.
    beaten |= np.isnan(probabilities) & ~np.isnan(own)
    return float(np.mean(classes - 1 - beaten.sum(axis=1) < k))


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> float:
    """How far the top probability is from the accuracy, on average over the pictures.

    Equation 3 of Guo et al. 2017, "On Calibration of Modern Neural Networks": bins of
    equal width, each open below and closed above, the gap of each weighed by its pictures.

    Args:
        probabilities: float (N, C) in [0, 1].
        labels: int (N,), class ids.
        bins: how many.
    Returns:
        a share in [0, 1]; 0 is perfectly calibrated. NaN if a top probability is NaN.
    Raises:
        ValueError: no pictures, or labels that do not fit.
    """
    counts, accuracy, confidence = calibration_bins(probabilities, labels, bins)
    return float(np.sum(counts * np.abs(accuracy - confidence)) / counts.sum())


def calibration_bins(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bins of `expected_calibration_error`, those of a reliability diagram.

    Returns:
        int64 (bins,) pictures, and float (bins,) accuracy and mean top probability of each
        bin; 0 in a bin without pictures.
    """
    probabilities, labels = _checked(probabilities, labels)
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    number = np.clip(np.searchsorted(edges, top, side="left") - 1, 0, bins - 1)
    counts = np.bincount(number, minlength=bins)
    divisor = np.maximum(counts, 1)
    accuracy = np.bincount(number, weights=right, minlength=bins) / divisor
    confidence = np.bincount(number, weights=top, minlength=bins) / divisor
    return counts, accuracy, confidence


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count the pictures of each true class by the class predicted.

    Args:
        labels, predicted: int (N,), class ids; N may be 0.
        classes: C, how many there are.
    Returns:
        int64 (C, C): a row for each true class, a column for each predicted one.
    Raises:
        ValueError: lengths that differ, or an id outside 0 to C - 1.
    """
    labels, predicted = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and predicted {predicted.shape} must be alike")
    for name, ids in (("labels", labels), ("predicted", predicted)):
        if ids.size and not (ids.min() >= 0 and ids.max() < classes):
            raise ValueError(f"{name}: a class id is outside 0-{classes - 1}")
    pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes).astype(np.int64)


def per_class_table(confusion: np.ndarray, names: Sequence[str]) -> dict[str, dict]:
    """Precision, recall and F1 of each class.

    Args:
        confusion: int (C, C), rows truth.
        names: the C classes.
    Returns:
        name -> {pictures, precision, recall, f1}, ready for JSON. `pictures` are those of
        the class. A ratio of 0 to 0 is None: precision of a class never predicted, recall
        of one without pictures, F1 of one with neither.
    Raises:
        ValueError: the number of names is not C.
    """
    if confusion.shape != (len(names), len(names)):
        raise ValueError(f"{len(names)} names for a confusion matrix {confusion.shape}")
    right = np.diagonal(confusion).tolist()
    truths, predicted = confusion.sum(axis=1).tolist(), confusion.sum(axis=0).tolist()
    return {
        name: {"pictures": truths[i], **_ratios(right[i], predicted[i], truths[i])}
        for i, name in enumerate(names)
    }


def average_precision(scores: np.ndarray, truths: np.ndarray) -> float | None:
    """Precision averaged over the steps of recall, without interpolation.

    The sum of (R_n - R_{n-1}) P_n over the thresholds, as scikit-learn defines it; equal
    scores share a threshold. A NaN score counts as lowest.

    Args:
        scores: float (N,), higher is surer.
        truths: (N,) of 0, 1 and NaN; entries of NaN are left out.
    Returns:
        a share in [0, 1], or None without any truth of 1.
    Raises:
        ValueError: lengths that differ.
    """
    scores, truths = np.asarray(scores, np.float64), np.asarray(truths, np.float64)
    if scores.shape != truths.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape} and truths {truths.shape} must be alike")
    labelled = ~np.isnan(truths)
    scores, truths = scores[labelled], truths[labelled] == 1
    if not truths.any():
        return None
    scores = np.where(np.isnan(scores), -np.inf, scores)
    order = np.argsort(-scores, kind="stable")
    scores, truths = scores[order], truths[order]
    last_of_equals = np.append(scores[1:] != scores[:-1], True)
    hits = np.cumsum(truths)[last_of_equals]
    precision = hits / (np.flatnonzero(last_of_equals) + 1)
    return float(np.sum(np.diff(hits, prepend=0) * precision) / truths.sum())


def multi_label_scores(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    """Scores where a picture may have several labels at once.

    Args:
        probabilities: float (N, C) in [0, 1], independent of each other; a label counts as
            predicted from 0.5.
        labels: float (N, C) of 0, 1 and NaN; entries of NaN are left out.
    Returns:
        Ready for JSON, each share in [0, 1]:
        mean_average_precision: mean over the labels with a truth of 1;
        accuracy: share of the labelled entries that are right;
        f1: mean over the labels where it is defined (macro);
        per_label: for each label, in order, {pictures (with a truth of 1), labelled,
            average_precision, accuracy, precision, recall, f1}.
        What is not defined is None.
    Raises:
        ValueError: shapes that differ.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels, np.float64)
    if probabilities.shape != labels.shape or labels.ndim != 2:
        raise ValueError(f"probabilities {probabilities.shape} and labels {labels.shape} differ")
    labelled, truths, predicted = ~np.isnan(labels), labels == 1, probabilities >= 0.5
    right = labelled & (predicted == truths)
    per_label = []
    for column in range(labels.shape[1]):
        known = labelled[:, column]
        own, found = truths[known, column], predicted[known, column]
        ratios = _ratios(*(int(n.sum()) for n in (own & found, found, own)))
        per_label.append(
            {
                "pictures": int(own.sum()),
                "labelled": int(known.sum()),
                "average_precision": average_precision(probabilities[:, column], labels[:, column]),
                "accuracy": _ratio(int(right[:, column].sum()), int(known.sum())),
                **ratios,
            }
        )
    return {
        "mean_average_precision": _mean(row["average_precision"] for row in per_label),
        "accuracy": _ratio(int(right.sum()), int(labelled.sum())),
        "f1": _mean(row["f1"] for row in per_label),
        "per_label": per_label,
    }


def _checked(probabilities, labels) -> tuple[np.ndarray, np.ndarray]:
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(f"labels {labels.shape} do not fit probabilities {probabilities.shape}")
    if not len(labels):
        raise ValueError("no pictures to score")
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(f"labels: a class id is outside 0-{probabilities.shape[1] - 1}")
    return probabilities.astype(np.float64, copy=False), labels.astype(np.int64, copy=False)


def _ratios(right: int, predicted: int, truths: int) -> dict[str, float | None]:
    return {
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, truths),
        "f1": _ratio(2 * right, predicted + truths),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values) -> float | None:
    values = [value for value in values if value is not None]
    return float(np.mean(values)) if values else None
