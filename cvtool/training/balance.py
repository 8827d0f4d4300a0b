"""Rare classes are shown more often."""

from __future__ import annotations

import numpy as np


def repeat_factors(present, threshold=0.1):
    """How often to show each picture, so that rare classes are seen more.

    Repeat factor sampling (Gupta et al. 2019, "LVIS", section 4.1): a class in
    a share f of the pictures has the factor max(1, sqrt(threshold / f)), a
    picture that of its rarest class.

    Args:
        present: bool array (examples, classes): which classes each picture shows.
        threshold: share of pictures below which a class counts as rare; 0 turns
            balancing off.
    Returns:
        float array (examples,), 1 or more.
    """
    share = np.maximum(present.mean(0), 1e-9)
    factors = np.maximum(1.0, np.sqrt(threshold / share))
    return np.where(present, factors, 1.0).max(1, initial=1.0)


def balanced_order(factors, count, rng):
    """Draw `count` picture indices in random order, each in proportion to its factor.

    Each index comes up its expected number of times, rounded up or down at
    random, so that no picture is left out for long by chance.
    """
    expected = factors * (count / factors.sum())
    times = np.floor(expected + rng.random(len(expected))).astype(int)
    order = rng.permutation(np.repeat(np.arange(len(factors)), times))
    if len(order) < count:
        more = rng.choice(len(factors), count - len(order), p=factors / factors.sum())
        order = np.concatenate([order, more])
    return order[:count]
