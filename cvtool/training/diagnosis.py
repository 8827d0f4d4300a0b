"""Why a model errs, from its errors on each split, and what to try next.

The reasoning of Andrew Ng's "Machine Learning Yearning", chapters 20 to 43: the errors form
a chain from human over train, train-dev and dev to test, and the largest step in it says
where work pays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

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

# Advice against bias that makes for variance, and the other way round: left out where the other
# gap is the larger one.
_TRADED = {
    "avoidable_bias": (
        "Use a bigger network (--backbone) or larger pictures (--size).",
        "Regularise less: lower --dropout, --weight-decay and --label-smoothing.",
    ),
    "variance": (
        "Regularise more: raise --dropout, --weight-decay or --label-smoothing.",
        "Use a smaller network (--backbone), or leave more of its layers as they came.",
    ),
}

_ADVICE = {
    "avoidable_bias": (
        "Train longer: more --epochs, and --unfreeze all so that every layer learns.",
        "Try another optimiser or learning rate, and look at the training pictures that are "
        "still wrong: wrong labels count as error too.",
    ),
    "variance": (
        "Collect more training pictures.",
        "Vary the ones there are: --augment strong.",
    ),
    "data_mismatch": (
        "Look through the mistakes on dev for what the training pictures lack: light, "
        "distance, camera, background.",
        "Collect training pictures like those of --target, or put a part of them into train.",
        "Make such pictures: blur, darken, crop or compress the training ones alike "
        "(--augment strong is a start).",
    ),
    "dev_overfitting": (
        "Use a larger dev set (--split): this one has been chosen against too often, or is "
        "too small.",
        "Change fewer settings by the dev score, and take new dev pictures where you can.",
    ),
}

_NEGATIVE = {
    "avoidable_bias": "The error on train is {points} points below that of a human, so the human "
    "error no longer shows how much is left to gain.",
    "variance": "The error on {after} is {points} points below that on train: its pictures are "
    "easier, or training with augmentation and dropout is harder. It counts as no variance.",
    "data_mismatch": "The error on dev is {points} points below that on train-dev: the target "
    "pictures are easier than the training ones. It counts as no mismatch.",
    "dev_overfitting": "The error on test is {points} points below that on dev, by easier "
    "pictures or by chance. It counts as no overfitting.",
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
        chance: error of guessing, such as 1 less the share of the most frequent class.
        counts: pictures of each split, by the names in `rows`: a gap that so few pictures
            can show by chance is noted and not ranked. None counts every error as exact.
    Raises:
        ValueError: an error outside [0, 1].
    """
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
        if SMALL < gap <= _width_of_chance(errors, ends[name], counts or {})
    ]
    over = {
        name: gap for name, gap in gaps.items() if gap > SMALL + _ROUNDING and name not in doubtful
    }
    # Of equal gaps the earlier in the chain is mended first: the later ones may shrink with it.
    ranked = sorted(over, key=lambda name: -round(over[name], 9))
    advice = _advise(ranked)
    guessing = _guesses(chance, train, dev)
    if guessing:
        advice.insert(
            0,
            "First see that it learns at all: look at the labels, and train a few pictures "
            "until they are all right, with a lower learning rate if the loss jumps.",
        )
    elif not advice:
        advice = _advice_without_gap(human, gaps)
    return Diagnosis(
        rows=rows,
        gaps=gaps,
        largest=ranked[0] if ranked else None,
        advice=advice,
        notes=_notes(human, train, gaps, after) + [_doubt(name, gaps[name]) for name in doubtful],
        summary=_summarise(ranked, gaps, human, guessing, doubtful),
    )


def describe(gap: str) -> str:
    """Return the words for a key of `Diagnosis.gaps`."""
    return _WORDS[gap]


def _width_of_chance(errors, ends, counts) -> float:
    """Half the 95 % interval of the difference of two errors, each a share of its pictures."""
    variance = 0.0
    for name in ends:
        if errors[name] is not None and counts.get(name):
            variance += errors[name] * (1 - errors[name]) / counts[name]
    return 1.96 * variance**0.5


def _doubt(name: str, gap: float) -> str:
    return (
        f"{_WORDS[name].capitalize()}: so few pictures can show {_points(gap)} points by chance; "
        "more pictures in dev and test would tell."
    )


def _advise(ranked: Sequence[str]) -> list[str]:
    advice, traded = [], False
    for name in ranked:
        advice += _ADVICE[name]
        if name in _TRADED and not traded:
            advice += _TRADED[name]
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


def _notes(human, train, gaps, after) -> list[str]:
    notes = []
    if human is None and train is not None:
        notes.append(
            "The human error is not known and was taken as 0, so the avoidable bias may be "
            "smaller than shown."
        )
    for name, gap in gaps.items():
        if gap < -SMALL - _ROUNDING:
            notes.append(_NEGATIVE[name].format(points=_points(-gap), after=after))
    return notes


def _summarise(ranked: Sequence[str], gaps, human, guessing, doubtful) -> str:
    if guessing:
        return "The model is no better than guessing, so its errors tell nothing else yet."
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
