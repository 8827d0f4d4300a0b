"""What style is to adaptive instance normalisation: mean and spread of each channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Added to variances (the paper's official code has the same): a feature that is constant in a
# picture is not blown up.
EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and standard deviation of each channel of features, float32 (C,) each."""

    mean: np.ndarray
    deviation: np.ndarray

    def mixed(self, other: Statistics, share: float) -> Statistics:
        """These with a share of others, in [0, 1]."""
        return Statistics(
            self.mean + share * (other.mean - self.mean),
            self.deviation + share * (other.deviation - self.deviation),
        )


def channel_statistics(features) -> Statistics:
    """Mean and standard deviation over positions.

    Args:
        features: float32 (h, w, C).
    """
    # Row by row and in float64: a large picture has too many positions for float32 sums.
    sums = sum(row.sum(0, dtype=np.float64) for row in features)
    squares = sum(np.einsum("ij,ij->j", row, row).astype(np.float64) for row in features)
    count = features.shape[0] * features.shape[1]
    mean = sums / count
    variance = np.maximum(squares / count - mean**2, 0)
    return Statistics(mean.astype(np.float32), np.sqrt(variance + EPSILON).astype(np.float32))
