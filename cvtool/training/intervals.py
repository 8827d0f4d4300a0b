"""How far a score can be trusted: its interval by drawing the pictures again."""

from __future__ import annotations

from collections.abc import Iterator

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
