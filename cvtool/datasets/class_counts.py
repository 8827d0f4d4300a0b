"""How many there are of each class, split by split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cvtool.datasets.remarks import Remark

# The split of pictures that the data set gives none.
UNSPLIT = "unsplit"
_ORDER = ("train", "dev", "test", UNSPLIT)
# Classes with fewer than this to train on are remarked on.
FEW = 10

# Class -> split -> number; every class has every split.
Counts = dict[str, dict[str, int]]


def splits_of(splits: Sequence[str]) -> dict[str, int]:
    """Split -> number of pictures, of the splits that occur, train first.

    Args:
        splits: of each picture "train", "dev", "test" or "".
    """
    named = [split or UNSPLIT for split in splits]
    return {split: named.count(split) for split in _ORDER if split in named}


def count_classes(
    classes: Sequence[str], class_ids: np.ndarray, splits: np.ndarray, names: Sequence[str]
) -> Counts:
    """Count by class and split.

    Args:
        classes: C names.
        class_ids: int (N,), 0 to C - 1.
        splits: str (N,), "train", "dev", "test" or "".
        names: the splits to count, from `splits_of`.
    """
    by_split = {
        name: np.bincount(
            class_ids[splits == ("" if name == UNSPLIT else name)], minlength=len(classes)
        ).tolist()
        for name in names
    }
    return {
        label: {name: by_split[name][number] for name in names}
        for number, label in enumerate(classes)
    }


def class_remarks(counts: Counts, what: tuple[str, str]) -> list[Remark]:
    """Say which classes cannot be learnt, or hardly.

    Pictures without a split count as ones to train on. A set of dev or test pictures alone
    gives no remark.

    Args:
        counts: from `count_classes`.
        what: is counted, one and many: such as ("box", "boxes").
    """
    remarks = []
    for label, by_split in counts.items():
        training = [by_split[split] for split in ("train", UNSPLIT) if split in by_split]
        if not training or sum(training) >= FEW:
            continue
        number, total = sum(training), sum(by_split.values())
        if total == 0:
            remarks.append(Remark("untrained", f"{label}: no {what[0]} at all"))
        elif number == 0:
            others = ", ".join(f"{n} in {split}" for split, n in by_split.items() if n)
            remarks.append(Remark("untrained", f"{label}: no {what[0]} in train, {others}"))
        else:
            remarks.append(Remark("rare", f"{label}: {number} {what[number > 1]}"))
    return remarks
