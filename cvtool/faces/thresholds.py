"""What a model's calibration makes of a distance: a threshold, and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvtool.errors import ModelError, OptionError

# False accept rate of a threshold for one face against many.
STRICT = 0.001
# The largest share of pairs of two people that are as near, and what is said of a pair that is
# taken for one person.
SAME_WORDS = (
    (0.001, "very likely the same person"),
    (0.01, "probably the same person"),
    (0.1, "possibly the same person"),
)
# Share of pairs of one person that are nearer than one that is very likely of two people.
USUAL = 0.99


@dataclass(frozen=True, slots=True)
class Threshold:
    """Up to which distance two faces are taken for one person.

    Attributes:
        distance: squared L2 of unit embeddings, in [0, 4].
        far: share of pairs of two people that it takes for one (false accept rate), measured
            on the pairs of `source`; None for a threshold of the user's own.
        tar: share of pairs of one person that it knows again (true accept rate), or None.
        source: the pairs it was measured on.
    """

    distance: float
    far: float | None = None
    tar: float | None = None
    source: str = ""


def find_threshold(calibration: Mapping[str, Any], model: str, far: float | None) -> Threshold:
    """A model's threshold, see `verifier.Verifier.threshold`.

    Args:
        calibration: see `verifier.Verifier`.
        model: its name, for errors.
        far: the largest share of pairs of two people to take for one; None for the threshold
            with the highest accuracy.
    """
    source = calibration.get("source", "")
    rates = calibration.get("rates", [])
    if not rates:
        raise ModelError(
            f'model "{model}" has no threshold; give one with --threshold, or '
            "measure it with: cvtool faces calibrate PAIRS"
        )
    if far is None:
        best = calibration["threshold"]
        near = max((r for r in rates if r["threshold"] <= best), key=_far, default=rates[0])
        return Threshold(best, near["far"], near["tar"], source)
    fitting = [rate for rate in rates if rate["far"] <= far]
    if not fitting:
        raise OptionError(
            f'model "{model}" was measured on {source}, too few for a false accept '
            f"rate of {far:g}; the lowest it knows is {rates[0]['far']:g}"
        )
    rate = max(fitting, key=_far)
    return Threshold(rate["threshold"], rate["far"], rate["tar"], source)


def lowest_far(rates: Sequence[Mapping[str, float]], distance: float) -> float | None:
    """The lowest known false accept rate whose threshold takes a distance; None: no one does."""
    return min((rate["far"] for rate in rates if distance <= rate["threshold"]), default=None)


def in_words(rates: Sequence[Mapping[str, float]], distance: float, same: bool) -> str:
    """A distance in words, which never contradict the answer.

    Args:
        rates: of a calibration.
        distance: of a pair.
        same: whether the pair is taken for one person.
    """
    far = lowest_far(rates, distance)
    words = [words for most, words in SAME_WORDS if far is not None and far <= most]
    if same:
        return words[0] if words else SAME_WORDS[-1][1]
    if words:
        return "possibly two people"
    usual = [rate["threshold"] for rate in rates if rate["tar"] >= USUAL]
    return "very likely two people" if usual and distance > min(usual) else "probably two people"


def _far(rate) -> float:
    return rate["far"]
