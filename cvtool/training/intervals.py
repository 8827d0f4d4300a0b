"""How far a score can be trusted: its interval, by a formula or by drawing the pictures again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

ROUNDS = 200


def drawn_pictures(pictures: int, *, seed: int = 0, rounds: int = ROUNDS) -> Iterator[np.ndarray]:
    """Draw as many pictures as there are with replacement, so many times.

    Yields:
        int (pictures,): how often each picture was drawn.
    """
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        yield np.bincount(rng.integers(pictures, size=pictures), minlength=pictures)


def basic_interval(measured: float, values: list[float]) -> tuple[float, float]:
    """The 95 % interval of a score in [0, 1] from its values on drawn pictures.

    The spread of the values is laid round the score the other way about (the basic
    bootstrap: Davison and Hinkley 1997, "Bootstrap Methods and their Application", section
    5.2). That way about, because a mean over classes comes out higher on fewer different
    pictures, of a draw as of the world.

    Args:
        measured: the score on all pictures.
        values: on the draws; empty gives no width.
    Returns:
        low and high in [0, 1], the score between them.
    """
    bottom, top = np.percentile(values or [measured], [2.5, 97.5])
    low, high = 2 * measured - top, 2 * measured - bottom
    return float(max(0, min(low, measured))), float(min(1, max(high, measured)))


def wilson_interval(right: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927, "Probable inference ...", JASA 22).

    Unlike the share plus or minus its standard error it stays within [0, 1] and holds for
    few pictures and for shares near 0 and 1.

    Args:
        right, total: `right` of `total` pictures.
        confidence: how often the interval is to hold the true share, in (0, 1).
    Returns:
        (low, high), shares; (0, 1) for no pictures, of which nothing is known.
    Raises:
        ValueError: not 0 <= right <= total, or confidence outside (0, 1).
    """
    if not 0 <= right <= total:
        raise ValueError(f"{right} right of {total} is no share")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, width = right / total, z * z / total
    centre = (share + width / 2) / (1 + width)
    half = math.sqrt(share * (1 - share) * width + width * width / 4) / (1 + width)
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if right == 0 else max(0.0, centre - half)
    return low, 1.0 if right == total else min(1.0, centre + half)
