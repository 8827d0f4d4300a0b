"""How well distances tell pairs of one person from pairs of two.

Huang, Ramesh, Berg and Learned-Miller 2007, "Labeled Faces in the Wild"; the terms are those of
ISO/IEC 19795-1: a false accept takes two people for one, a true accept knows a person again.
"""

from __future__ import annotations

import numpy as np


def roc(distances, same, weights=None):
    """Receiver operating characteristic: what every threshold would accept.

    Args:
        distances: float (N,) of the pairs.
        same: bool (N,): of one person; both kinds are there.
        weights: float (N,), how often each pair counts; None for once. Both kinds have some.
    Returns:
        thresholds, float (M,) rising: a pair is accepted if its distance is the threshold or
        less, the first accepts none; false accept rate and true accept rate, float (M,).
    """
    distances, same = np.asarray(distances, np.float64), np.asarray(same, bool)
    weights = np.ones(len(distances)) if weights is None else np.asarray(weights, np.float64)
    order = np.argsort(distances, kind="stable")
    distances, same, weights = distances[order], same[order], weights[order]
    # Pairs of equal distance are accepted together.
    last = np.append(np.flatnonzero(np.diff(distances)), len(distances) - 1)
    true, false = (np.cumsum(np.where(kind, weights, 0.0)) for kind in (same, ~same))
    true, false = true[last] / true[-1], false[last] / false[-1]
    thresholds = np.concatenate([[-np.inf], distances[last]])
    return thresholds, np.append(0.0, false), np.append(0.0, true)


def auc(distances, same):
    """Area under the ROC: how often a pair of one person is nearer than one of two, in [0, 1]."""
    return area(*roc(distances, same)[1:])


def area(false, true):
    """Area under a curve of `roc`'s false and true accept rates."""
    return float((np.diff(false) * (true[1:] + true[:-1]) / 2).sum())


def equal_error_rate(distances, same):
    """The error where as many false pairs are accepted as true ones are rejected, in [0, 1]."""
    return crossing(*roc(distances, same)[1:])


def crossing(false, true):
    """The equal error rate of `roc`'s false and true accept rates."""
    # Where 1 - true falls through false, between two thresholds.
    difference = false - (1 - true)
    after = int(np.argmax(difference >= 0))
    before = max(after - 1, 0)
    span = difference[after] - difference[before]
    share = -difference[before] / span if span else 0.0
    return float(false[before] + share * (false[after] - false[before]))


def threshold_at_far(distances, same, far):
    """The largest threshold that accepts no more than a share `far` of the false pairs.

    Returns:
        threshold, a distance, half-way to the first pair that is too much; and the true accept
        rate there.
    """
    thresholds, false, true = roc(distances, same)
    number = int(np.flatnonzero(false <= far)[-1])
    return between(thresholds, number), float(true[number])


def best_threshold(distances, same):
    """The threshold with the highest balanced accuracy, and that accuracy.

    Balanced: pairs of one person count as much as pairs of two, however many there are. Of
    equal thresholds, the lowest.
    """
    thresholds, false, true = roc(distances, same)
    balanced = (true + 1 - false) / 2
    number = int(np.argmax(balanced))
    return between(thresholds, number), float(balanced[number])


def between(thresholds, number):
    """Half-way between a threshold and the next, which decides all the same."""
    if not np.isfinite(thresholds[number]):
        nearest = float(thresholds[number + 1])
        return nearest / 2 if nearest > 0 else -1.0  # nothing is nearer than 0
    if number + 1 == len(thresholds):
        return float(thresholds[number])
    return float(thresholds[number] + thresholds[number + 1]) / 2


def right(distances, same, threshold):
    """Which pairs a threshold is right about, bool (N,)."""
    return (np.asarray(distances) <= threshold) == np.asarray(same, bool)
