"""How near what an exported file answers is to what its source does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two outputs for the same pictures, compared.

    Attributes:
        pictures: how many.
        largest: the largest difference of two numbers; NaN or infinite where one of them is.
        scale: the largest absolute number of the source's output.
        noise: root mean square of the differences, as a share of the standard deviation of the
            source's output.
    """

    pictures: int
    largest: float
    scale: float
    noise: float

    @property
    def share(self) -> float:
        """The largest difference as a share of the scale."""
        return self.largest / self.scale if self.scale else self.largest

    def problem(self, precision: str) -> str | None:
        """Why a file of that precision is wrong, as a phrase; None where it agrees.

        Weights in float32 leave the order of sums to differ, float16 also rounds them. In int8
        single numbers may be far off, so what counts there is the noise in all of them.
        """
        if not np.isfinite(self.largest):
            return "it answers with numbers that are not finite"
        if precision == "int8":
            if self.noise > INT8_NOISE:
                return f"its noise is {self.noise:.0%} of the signal, over {INT8_NOISE:.0%}"
            return None
        limit = LIMITS[precision]
        if self.share > limit:
            return (
                f"it differs by {self.largest:.3g} where numbers reach {self.scale:.3g}, "
                f"over {limit:.1%} of it"
            )
        return None

    def to_dict(self) -> dict[str, Any]:
        """The comparison as the documented JSON object."""
        return {
            "pictures": self.pictures,
            "largest_difference": rounded(self.largest),
            "largest_value": rounded(self.scale),
            "noise": rounded(self.noise),
        }


# Largest difference allowed, as a share of the largest number.
LIMITS = {"float32": 0.001, "float16": 0.02}
INT8_NOISE = 0.25


def compare(expected: np.ndarray, actual: np.ndarray, pictures: int) -> Agreement:
    """Compare an output with the source's.

    Args:
        expected: the source's, float of any shape.
        actual: the other's, of the same shape.
        pictures: how many they are of.
    """
    expected, actual = expected.astype(np.float64), actual.astype(np.float64)
    differences = actual - expected
    spread = expected.std()
    rms = np.sqrt(np.mean(differences**2))
    # A source that says the same everywhere has no spread to compare with.
    noise = rms / spread if spread else rms
    largest, scale = np.abs(differences).max(), np.abs(expected).max()
    return Agreement(pictures, float(largest), float(scale), float(noise))


def rounded(number: float) -> float | None:
    """To four significant digits; None for what JSON has no form for."""
    return float(f"{number:.4g}") if np.isfinite(number) else None
