"""Why a model errs, from its errors on each split, and what to try next.

The reasoning of Andrew Ng's "Machine Learning Yearning", chapters 20 to 43: the errors form
a chain from human over train, train-dev and dev to test, and the largest step in it says
where work pays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cvtool.training.advice import TEXTS, Texts

# A step of at most this much is small: about what a dev set of a few thousand pictures can tell.
SMALL = 0.01
# 0.11 - 0.10 is not quite 0.01 in binary.
_ROUNDING = 1e-9

_WORDS = {
    "avoidable_bias": "avoidable bias",
    "variance": "variance",
    "data_mismatch": "data mismatch",
    "dev_overfitting": "overfitting to dev",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Errors, the steps between them, and what follows.

    Attributes:
        rows: (name, error) of what was measured, in the order human, train, train-dev, dev,
            test; errors are shares in [0, 1].
        gaps: avoidable_bias, variance, data_mismatch, dev_overfitting -> difference of two
            errors, those that can be taken; may be negative.
        largest: the largest positive gap, or None if none is over a point.
        advice: what to try next, one sentence each; for every gap over a point, the
            largest first.
        notes: what was assumed, and what the negative gaps mean.
        summary: one sentence.
    """

    rows: list[tuple[str, float]]
    gaps: dict[str, float]
    largest: str | None
    advice: list[str]
    notes: list[str]
    summary: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; `rows` become name -> error."""
        return asdict(self) | {"rows": dict(self.rows)}


def diagnose(
    *,
    train: float | None,
    dev: float | None,
    human: float | None = None,
    train_dev: float | None = None,
    test: float | None = None,
    chance: float | None = None,
    counts: Mapping[str, int] | None = None,
    half_widths: Mapping[str, float] | None = None,
    task: str = "classify",
) -> Diagnosis:
    """Tell avoidable bias, variance, data mismatch and overfitting to dev apart.

    Args:
        train, dev: error of the trained model, a share in [0, 1] as all of them; None where
            it was not measured.
        human: error of a careful person, which stands for the least that is possible;
            taken as 0 if None.
        train_dev: error on pictures like the training ones that were kept out of training,
            where dev and test are of another kind (`--target`).
        test: error on pictures that nothing was chosen by.
        chance: error of guessing, such as 1 less the share of the most frequent class; None
            if unknown, which counts as 1 for detection.
        counts: pictures of each split, by the names in `rows`: a gap that so few pictures
            can show by chance is noted and not ranked. None counts every error as exact.
        half_widths: half the 95 % interval of errors, by the names in `rows`, for errors that
            are no shares of pictures; they go before `counts`.
        task: whose options the advice names, a key of `advice.TEXTS`: "classify"; "detect",
            where the error is 1 - mAP50; "segment", where it is 1 - mIoU; or "verify", where it
            is the equal error rate.
    Raises:
        ValueError: an error outside [0, 1].
        KeyError: another task.
    """
    texts = TEXTS[task]
    chance = texts.chance if chance is None else chance
    errors = {"human": human, "train": train, "train-dev": train_dev, "dev": dev, "test": test}
    for name, error in (*errors.items(), ("chance", chance)):
        if error is not None and not 0 <= error <= 1:
            raise ValueError(f"the {name} error must be in [0, 1], not {error}")
    rows = [(name, float(error)) for name, error in errors.items() if error is not None]
    after = "dev" if train_dev is None else "train-dev"
    steps = {
        "avoidable_bias": (human or 0.0, train),
        "variance": (train, errors[after]),
        "data_mismatch": (train_dev, dev),
        "dev_overfitting": (dev, test),
    }
    gaps = {
        name: float(end - start)
        for name, (start, end) in steps.items()
        if start is not None and end is not None
    }
    ends = {
        "avoidable_bias": ("human", "train"),
        "variance": ("train", after),
        "data_mismatch": ("train-dev", "dev"),
        "dev_overfitting": ("dev", "test"),
    }
    doubtful = [
        name
        for name, gap in gaps.items()
        if SMALL < gap <= _width_of_chance(errors, ends[name], counts or {}, half_widths or {})
    ]
    over = {
        name: gap for name, gap in gaps.items() if gap > SMALL + _ROUNDING and name not in doubtful
    }
    # Of equal gaps the earlier in the chain is mended first: the later ones may shrink with it.
    ranked = sorted(over, key=lambda name: -round(over[name], 9))
    advice = _advise(ranked, texts)
    guessing = _guesses(chance, train, dev)
    if guessing:
        advice.insert(0, texts.first_learn)
    elif not advice:
        advice = _advice_without_gap(human, gaps)
    return Diagnosis(
        rows=rows,
        gaps=gaps,
        largest=ranked[0] if ranked else None,
        advice=advice,
        notes=_notes(human, train, gaps, after, texts)
        + [_doubt(name, gaps[name]) for name in doubtful],
        summary=texts.guessing if guessing else _summarise(ranked, gaps, human, doubtful),
    )


def describe(gap: str) -> str:
    """Return the words for a key of `Diagnosis.gaps`."""
    return _WORDS[gap]


def _width_of_chance(errors, ends, counts, half_widths) -> float:
    """Half the 95 % interval of the difference of two errors."""
    squares = 0.0
    for name in ends:
        error = errors[name]
        if error is None:
            continue
        if name in half_widths:
            squares += half_widths[name] ** 2
        elif counts.get(name):
            # A share of so many pictures.
            squares += 1.96**2 * error * (1 - error) / counts[name]
    return squares**0.5


def _doubt(name: str, gap: float) -> str:
    return (
        f"{_WORDS[name].capitalize()}: so few pictures can show {_points(gap)} points by chance; "
        "more pictures in dev and test would tell."
    )


def _advise(ranked: Sequence[str], texts: Texts) -> list[str]:
    advice, traded = [], False
    for name in ranked:
        advice += texts.advice[name]
        if name in texts.traded and not traded:
            advice += texts.traded[name]
            traded = True
    return advice


def _guesses(chance, train, dev) -> bool:
    measured = [error for error in (train, dev) if error is not None]
    return bool(chance and measured) and min(measured) >= chance - SMALL


def _advice_without_gap(human, gaps) -> list[str]:
    if not gaps:
        return ["Measure the errors on train and dev; without both nothing can be told apart."]
    advice = [
        "Try the model on new pictures of your own; where it errs, add such pictures to the data."
    ]
    if human is None:
        advice.append("Go through the mistakes that are left: some may be wrong labels.")
    return advice


def _notes(human, train, gaps, after, texts) -> list[str]:
    notes = [texts.measure] if texts.measure else []
    if human is None and train is not None:
        notes.append(
            "The human error is not known and was taken as 0, so the avoidable bias may be "
            "smaller than shown."
        )
    for name, gap in gaps.items():
        if gap < -SMALL - _ROUNDING:
            notes.append(texts.negative[name].format(points=_points(-gap), after=after))
    return notes


def _summarise(ranked: Sequence[str], gaps, human, doubtful) -> str:
    if not gaps:
        return "Too few errors were measured to tell where they come from."
    if not ranked and doubtful:
        return "No gap is larger than chance makes it on so few pictures."
    if not ranked:
        return "Every gap is small, at most a point: there is no single thing to mend."
    first, *others = [f"{_WORDS[name]} ({_points(gaps[name])} points)" for name in ranked]
    if ranked[0] == "avoidable_bias" and human is None:
        first += ", with the human error taken as 0"
    then = f"; then {', '.join(others)}" if others else ""
    return f"The largest part of the error is {first}{then}."


def _points(gap: float) -> str:
    """Write a share as percentage points."""
    return f"{100 * gap:.1f}"
