"""Temperature scaling: scores that mean what they say."""

from __future__ import annotations

import numpy as np

from cvtool.classification.networks import LOGITS
from cvtool.classification.scoring import activate

# Beyond these a few dev pictures, all right or all wrong, would drive it to infinity.
COLDEST, HOTTEST = 0.25, 4.0


def calibrate(network, logits, targets, several=False):
    """Scale a classifier's logits so that its scores mean what they say; no answer changes.

    Label smoothing leaves a network less sure than it could be, a long training more.

    Args:
        network: keras.Model of `networks.classifier`; its last layer is changed.
        logits: float (N, C), its logits of pictures that it was not chosen by, if possible.
        targets: float (N, C), one-hot, or 0, 1 and NaN where `several`.
        several: several labels a picture.
    Returns:
        the temperature, see `best_temperature`.
    """
    # Not the bare targets: a few pictures that are all right would make every score 1.
    temperature = best_temperature(logits, softened(targets, several), several)
    layer = network.get_layer(LOGITS)
    layer.set_weights([values / temperature for values in layer.get_weights()])
    return temperature


def best_temperature(logits, targets, several=False):
    """The temperature T for which activate(logits / T) has the least cross-entropy.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2. One number
    for all classes: the order of the classes, and so every answer, stays.

    Args:
        logits: float (N, C).
        targets: float (N, C), rows of sum 1, or in [0, 1] and NaN where `several`.
    Returns:
        float in [0.25, 4]; 1 leaves the scores as they are, also where nothing is labelled.
        Found by golden-section search on log T, in which the cross-entropy has one minimum.
    """
    if not np.isfinite(targets).any():
        return 1.0
    low, high = np.log(COLDEST), np.log(HOTTEST)
    golden = (np.sqrt(5) - 1) / 2
    while high - low > 1e-3:
        first, second = high - golden * (high - low), low + golden * (high - low)
        if cross_entropy(logits, targets, np.exp(first), several) < cross_entropy(
            logits, targets, np.exp(second), several
        ):
            high = second
        else:
            low = first
    return float(np.exp((low + high) / 2))


def softened(targets, several):
    """Targets as far from 0 and 1 as so few pictures are from certainty.

    Platt 1999, "Probabilistic Outputs for Support Vector Machines", section 2.2: a truth
    seen n times is (n + 1) / (n + 2) certain.

    Args:
        targets, several: as for `calibrate`.
    Returns:
        float (N, C).
    """
    doubt = 1 / (len(targets) + 2)
    if several:
        return targets * (1 - 2 * doubt) + doubt
    return targets * (1 - doubt) + doubt / targets.shape[1]


def cross_entropy(logits, targets, temperature, several):
    """Mean cross-entropy of the scaled logits, over what is labelled."""
    probabilities = np.clip(activate(logits / temperature, several), 1e-7, 1 - 1e-7)
    if several:
        entries = targets * np.log(probabilities) + (1 - targets) * np.log(1 - probabilities)
        return -np.nanmean(entries)
    return -np.mean(np.sum(targets * np.log(probabilities), axis=1))
