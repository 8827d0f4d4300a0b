"""How well embeddings tell the people of a split apart: all pairs of their faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtool.faces.evaluation import RATES
from cvtool.faces.metrics import area, crossing, roc
from cvtool.training.intervals import ROUNDS, basic_interval, drawn_pictures

# Pictures of a person that are compared: somebody with hundreds of them would decide alone.
MOST_PICTURES = 10
# Faces that are compared with each other, whole people.
MOST_FACES = 600


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """All pairs of some faces.

    Attributes:
        faces: int (M,): positions of the faces in their split.
        people: int (M,): the number of each one's person, from 0.
        one, other: int (N,): of each pair, positions in `faces`.
        same: bool (N,): of one person.
    """

    faces: np.ndarray
    people: np.ndarray
    one: np.ndarray
    other: np.ndarray
    same: np.ndarray

    def distances(self, embeddings) -> np.ndarray:
        """Squared L2 of each pair, float (N,), by the unit embeddings (M, D) of `faces`."""
        rows = np.asarray(embeddings, np.float64)
        return np.clip(2 - 2 * (rows @ rows.T)[self.one, self.other], 0, 4)


def all_pairs(people, seed: int = 0) -> Pairs:
    """Pair the faces of a split.

    Of each person the first ten pictures count, of a large split the pictures of as many people,
    chosen by the seed, as have 600.

    Args:
        people: int (N,): the number of each face's person.
        seed: see above.
    """
    people = np.asarray(people)
    groups = [np.flatnonzero(people == number)[:MOST_PICTURES] for number in np.unique(people)]
    order = np.random.default_rng(seed).permutation(len(groups))
    total = np.cumsum([len(groups[i]) for i in order])
    # Two people at least: without a pair of two there is nothing to measure.
    chosen = np.sort(order[: max(2, int((total <= MOST_FACES).sum()))])
    faces = np.concatenate([groups[i] for i in chosen])
    numbers = np.concatenate([np.full(len(groups[i]), n) for n, i in enumerate(chosen)])
    one, other = np.triu_indices(len(faces), k=1)
    return Pairs(faces, numbers, one, other, numbers[one] == numbers[other])


def figures_of(distances, same, weights=None) -> dict[str, Any]:
    """auc, eer, and tar_at_far: the true accept rate at each rate of `RATES`, by its name.

    None for a rate at which not even one pair of two people would be accepted.

    Args:
        distances, same, weights: see `metrics.roc`.
    """
    _, false, true = roc(distances, same, weights)
    pairs = int((~np.asarray(same)).sum())
    rates = {
        str(far): float(true[np.flatnonzero(false <= far)[-1]]) if far * pairs >= 1 else None
        for far in RATES
    }
    return {"auc": area(false, true), "eer": crossing(false, true), "tar_at_far": rates}


def balanced_accuracy(distances, same, threshold: float) -> float:
    """The share that a threshold is right about, each kind of pair counting half, in [0, 1]."""
    accepted = np.asarray(distances) <= threshold
    return float((accepted[same].mean() + 1 - accepted[~same].mean()) / 2)


def summarise(
    pairs: Pairs,
    models: Sequence[tuple[Any, float]],
    *,
    seed: int = 0,
    rounds: int = ROUNDS,
) -> tuple[list[dict[str, Any]], list[float]]:
    """Score models on the same pairs.

    The intervals come from drawing the people again: pairs that share a picture are not
    independent, people are.

    Args:
        pairs: the pairs.
        models: of each model the distances, float (N,), and the threshold that decides.
        seed, rounds: of the intervals, see `training.intervals.drawn_pictures`.
    Returns:
        for each model plain numbers, ready for JSON: auc, interval (its 95 % interval), eer,
        eer_interval, accuracy (balanced, at the threshold), tar_at_far and tar_intervals by
        rate; and the 95 % interval of what the last one's auc is above the first one's.
    """
    same = pairs.same
    rows: list[list[dict]] = [[] for _ in models]
    # Sorted once: what is in order already is sorted again in no time.
    orders = [np.argsort(distances, kind="stable") for distances, _ in models]
    ordered = [(d[order], same[order], order) for (d, _), order in zip(models, orders, strict=True)]
    for drawn in drawn_pictures(int(pairs.people.max()) + 1, seed=seed, rounds=rounds):
        times = drawn[pairs.people].astype(float)
        # A person who is drawn twice makes each of their pairs with others twice as many.
        weights = np.where(same, times[pairs.one], times[pairs.one] * times[pairs.other])
        if not (weights[same].any() and weights[~same].any()):
            continue
        for figures, (distances, kinds, order) in zip(rows, ordered, strict=True):
            figures.append(figures_of(distances, kinds, weights[order]))
    found = []
    for figures, (distances, threshold) in zip(rows, models, strict=True):
        measured = figures_of(distances, same)
        found.append(
            {
                "auc": round(measured["auc"], 4),
                "interval": interval(measured["auc"], [row["auc"] for row in figures]),
                "eer": round(measured["eer"], 4),
                "eer_interval": interval(measured["eer"], [row["eer"] for row in figures]),
                "accuracy": round(balanced_accuracy(distances, same, threshold), 4),
                "tar_at_far": {
                    far: None if tar is None else round(tar, 4)
                    for far, tar in measured["tar_at_far"].items()
                },
                "tar_intervals": {
                    far: None
                    if tar is None
                    else interval(tar, [row["tar_at_far"][far] for row in figures])
                    for far, tar in measured["tar_at_far"].items()
                },
            }
        )
    gains = [b["auc"] - a["auc"] for a, b in zip(rows[0], rows[-1], strict=True)] or [0.0]
    # 0.0 is added because a rounded loss of next to nothing would be -0.0.
    return found, [round(float(edge), 4) + 0.0 for edge in np.percentile(gains, [2.5, 97.5])]


def interval(measured: float, values: list[float]) -> list[float]:
    """As JSON keeps the 95 % interval of a score in [0, 1]."""
    return [round(edge, 4) for edge in basic_interval(measured, values)]


def worst_pairs(distances, pairs: Pairs, threshold: float, most: int) -> list[int]:
    """Positions of the pairs that a threshold is most wrong about, the worst first.

    A face comes up twice at most: a single wrong picture is wrong with everybody.
    """
    distances = np.asarray(distances)
    wrong = np.flatnonzero((distances <= threshold) != pairs.same)
    order = wrong[np.argsort(-np.abs(distances[wrong] - threshold), kind="stable")]
    shown = np.zeros(len(pairs.faces), int)
    chosen: list[int] = []
    for index in order:
        ends = [pairs.one[index], pairs.other[index]]
        if len(chosen) < most and (shown[ends] < 2).all():
            shown[ends] += 1
            chosen.append(int(index))
    return chosen
