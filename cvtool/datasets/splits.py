"""Sharing pictures out to the splits: train, dev and test.

The train split teaches, the dev split chooses between models and settings, and the test split,
touched once, says how good the chosen one is. Dev and test have to be large enough to tell two
models apart, which takes a share of a small set and a sliver of a very large one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np


def choose_shares(
    count: int, *, test_given: bool = False, dev_given: bool = False
) -> tuple[float, float, float]:
    """Shares of train, dev and test that suit the size of a data set.

    60/20/20 up to 5,000 pictures; from there about 1,000 each for dev and test, whole percents,
    until 80/10/10 at 10,000; and 98/1/1 from 100,000 on. A thousand pictures tell two models
    apart well enough; more of them teach more in train.

    Args:
        count: pictures to share out.
        test_given, dev_given: that split is there already; its share goes to train.
    Returns:
        train, dev, test: shares that sum to 1.
    """
    percent = min(20, max(10, round(100 * 1000 / max(count, 1)))) if count < 100_000 else 1
    dev = 0 if dev_given else percent
    test = 0 if test_given else percent
    return (100 - dev - test) / 100, dev / 100, test / 100


def parse_split(text: str) -> tuple[float, float, float]:
    """Read the shares of train, dev and test, as in "70/15/15", "0.7/0.15/0.15" or "80/20".

    Returns:
        train, dev, test: shares that sum to 1; test is 0 where only two are named.
    Raises:
        ValueError: not two or three numbers that sum to 100 or to 1, or a train or dev share of 0.
    """
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(math.isfinite(n) and n >= 0 for n in numbers):
        raise ValueError(f'"{text}" is no split; write train/dev/test in percent, as in 70/15/15')
    total = sum(numbers)
    if not (math.isclose(total, 100, abs_tol=1e-6) or math.isclose(total, 1, abs_tol=1e-6)):
        raise ValueError(
            f'the shares "{text}" sum to {total:g}; they must sum to 100 (or to 1), as in 70/15/15'
        )
    if numbers[0] == 0 or numbers[1] == 0:
        raise ValueError(f'the shares "{text}" leave nothing for training or for dev; raise them')
    train, dev, test = (n / total for n in [*numbers, 0.0][:3])
    return train, dev, test


def stratified_split(
    labels: np.ndarray,
    shares: Sequence[float],
    seed: int,
    groups: Iterable[Sequence[int]] = (),
) -> list[np.ndarray]:
    """Share pictures out at random so that every split has its share of each class.

    With one label a picture, each class is shared out by itself, rounded by largest remainder,
    with at least one picture for train, one for dev from two pictures on, and one for test from
    four on. How a class is shared depends on the seed, its id and its own pictures in their
    order, not on the other classes. With several labels, pictures are shared out by iterative
    stratification (Sechidis, Tsoumakas and Vlahavas 2011, algorithm 1), the rarest class first;
    the sizes of the splits are then only nearly those asked for.

    Args:
        labels: int (N,) class ids; or float (N, C) of 0, 1 and NaN, which counts as 0.
        shares: of each split, train first; not negative, with the sum 1.
        seed: not negative; the same seed gives the same splits.
        groups: indices of pictures that have to stay together, such as near-duplicates; see
            `keep_together`. Where that would leave a class with nothing in train, the group
            of its first picture goes there.
    Returns:
        For each share the sorted indices of its pictures, int64; each picture is in exactly one.
    Raises:
        ValueError: the shares are negative or do not sum to 1.
    """
    labels, shares = np.asarray(labels), np.asarray(shares, np.float64)
    if shares.ndim != 1 or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(f"shares must not be negative and must sum to 1, not {shares.tolist()}")
    if labels.ndim == 2:
        present = labels == 1
        assigned = _stratify_several(present, shares, np.random.default_rng(seed))
        members = [np.flatnonzero(column) for column in present.T]
    else:
        members = [np.flatnonzero(labels == class_id) for class_id in np.unique(labels)]
        assigned = np.zeros(len(labels), np.int64)
        for class_id, indices in zip(np.unique(labels), members, strict=True):
            counts = _share_out(len(indices), shares)
            order = np.random.default_rng([seed, int(class_id)]).permutation(len(indices))
            assigned[indices[order]] = np.repeat(np.arange(len(shares)), counts)
    groups = _merge_overlapping(groups)
    assigned = keep_together(assigned, groups)
    if shares[0] > 0:
        _train_every_class(assigned, members, groups)
    return [np.flatnonzero(assigned == split) for split in range(len(shares))]


def keep_together(assigned: np.ndarray, groups: Iterable[Sequence[int]]) -> np.ndarray:
    """Move all members of a group to the split of its first one, that of the lowest index.

    A picture and its near-duplicate in two splits would let a model be measured on what it
    learned by heart.

    Args:
        assigned: int (N,), the split of each picture.
        groups: indices of the pictures of each group; groups that share one are treated as one.
    Returns:
        int (N,), a changed copy.
    """
    assigned = np.array(assigned)
    for group in _merge_overlapping(groups):
        assigned[group] = assigned[group[0]]
    return assigned


def _merge_overlapping(groups: Iterable[Sequence[int]]) -> list[list[int]]:
    """Disjoint groups of sorted indices, in the order of their lowest."""
    group_of: dict[int, list[int]] = {}
    for group in groups:
        merged = sorted({m for index in group for m in group_of.get(int(index), [int(index)])})
        for index in merged:
            group_of[index] = merged
    return [group for index, group in sorted(group_of.items()) if index == group[0]]


def _share_out(count: int, shares: np.ndarray) -> np.ndarray:
    """Whole numbers that sum to `count`, as near as can be to its shares."""
    exact = count * shares
    counts = np.floor(exact + 1e-9).astype(np.int64)
    # A stable sort gives a tie to the earlier split.
    most_cut = np.argsort(counts - exact, kind="stable")
    counts[most_cut[: count - counts.sum()]] += 1
    # From how many pictures on each split gets one at all: train, dev, then any other.
    least = [1, 2] + [4] * len(shares)
    for split in range(len(shares)):
        if shares[split] > 0 and counts[split] == 0 and count >= least[split]:
            counts[np.argmax(counts)] -= 1
            counts[split] += 1
    return counts


def _stratify_several(
    present: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Sechidis et al. 2011, algorithm 1: int64 (N,), the split of each picture."""
    order = rng.permutation(len(present))
    open_rows = present[order]
    wanted = len(order) * shares  # pictures that each split still wants
    wanted_of_class = np.outer(open_rows.sum(axis=0), shares)  # (C, splits)
    assigned = np.full(len(order), -1, np.int64)
    while (left := open_rows.sum(axis=0)).any():
        class_id = np.argmin(np.where(left > 0, left, left.max() + 1))
        for row in np.flatnonzero(open_rows[:, class_id]):
            of_class = np.where(shares > 0, wanted_of_class[class_id], -np.inf)
            best = np.flatnonzero(of_class >= of_class.max() - 1e-9)
            best = best[wanted[best] >= wanted[best].max() - 1e-9]
            split = best[0] if len(best) == 1 else rng.choice(best)
            assigned[row] = split
            wanted_of_class[open_rows[row], split] -= 1
            wanted[split] -= 1
            open_rows[row] = False
    # Pictures without any class fill the splits up.
    rest = np.flatnonzero(assigned < 0)
    room = np.maximum(wanted, 0) * (shares > 0)
    room = room / room.sum() if room.sum() > 0 else shares
    exact = np.floor(np.cumsum(room) * len(rest) + 0.5).astype(np.int64)
    assigned[rest] = np.repeat(np.arange(len(shares)), np.diff(exact, prepend=0))
    splits = np.empty_like(assigned)
    splits[order] = assigned
    return splits


def _train_every_class(
    assigned: np.ndarray, members: list[np.ndarray], groups: list[list[int]]
) -> None:
    """Give a class without a picture in train (split 0) its first one, with its group."""
    group_of = {index: group for group in groups for index in group}
    for indices in members:
        if len(indices) and not (assigned[indices] == 0).any():
            first = int(indices[0])
            assigned[group_of.get(first, [first])] = 0
