"""Which people train, which choose and which test: whole people, never parts of one."""

from __future__ import annotations

import numpy as np

from cvtool.datasets.splits import choose_shares, parse_split, stratified_split
from cvtool.errors import DatasetError, OptionError

SPLITS = ("train", "dev", "test")
# In each split: a pair of two people takes two of them, one of one person two pictures.
FEWEST = PICTURES = 2


def split_people(given, counts, split, seed, dataset):
    """Share people out to train, dev and test.

    Args:
        given: for each of N people "train", "dev", "test", or "" where it is open.
        counts: int (N,), pictures of each person; who has fewer than two is left out.
        split: shares such as "70/15/15", or None to choose them by the number of pictures.
        seed: of the random split.
        dataset: what error messages name.
    Returns:
        dict of split name -> sorted int array of positions, without empty ones; and in words
        how they were chosen.
    Raises:
        DatasetError: too few people.
        OptionError: shares that make no sense here.
    """
    given, counts = np.array(given, dtype=object), np.asarray(counts)
    usable = counts >= PICTURES
    splits = {name: np.flatnonzero(usable & (given == name)) for name in ("dev", "test")}
    dev_given, test_given = (bool((given == name).any()) for name in ("dev", "test"))
    for name, there in (("dev", dev_given), ("test", test_given)):
        if there and len(splits[name]) < FEWEST:
            raise DatasetError(
                f"{dataset}: {len(splits[name])} of the people for {name} have two pictures or "
                f"more that show a face; {FEWEST} are needed, so add some"
            )
    pool = np.flatnonzero(usable & (given != "dev") & (given != "test"))
    shares = shares_of(split, int(counts[pool].sum()), dev_given, test_given, dataset)
    if split is None and not test_given and len(pool) < FEWEST * (2 if dev_given else 3):
        shares = (1 - shares[1], shares[1], 0.0)  # too few to test on as well
    needed = FEWEST * sum(share > 0 for share in shares)
    if len(pool) < needed:
        raise DatasetError(
            f"{dataset}: {len(pool)} of its people have two pictures or more that show a face; "
            f"{needed} are needed to {purposes(shares)}, and twenty or more for a model of use"
        )
    parts = at_least(
        stratified_split(np.zeros(len(pool), np.int64), shares, seed), FEWEST, np.array(shares) > 0
    )
    for name, part in zip(SPLITS, parts, strict=True):
        if len(part):
            splits[name] = pool[part]
    splits = {name: splits[name] for name in SPLITS if len(splits.get(name, ()))}
    words = ", ".join(
        f"{len(part)} {name} ({counts[part].sum():,} pictures)" for name, part in splits.items()
    )
    if dev_given and test_given:
        return splits, f"{words}; as the data set says"
    asked = "as asked for" if split is not None else "chosen from the size of the set"
    share_text = "/".join(f"{100 * share:.4g}" for share in shares if share)
    return splits, f"{words}; split by people (random by seed {seed}, {share_text}, {asked})"


def shares_of(split, pictures, dev_given, test_given, dataset):
    """The shares of the people that are open, which sum to 1.

    Raises:
        OptionError: shares that make no sense here.
    """
    if split is None:
        return choose_shares(pictures, test_given=test_given, dev_given=dev_given)
    try:
        shares = parse_split(split)
    except ValueError as error:
        raise OptionError(f"--split: {error}") from None
    if test_given and shares[2]:
        raise OptionError(f"--split {split}: test people are given; leave its last part out")
    if dev_given:
        raise OptionError(f"--split {split}: {dataset} has dev people; leave --split out")
    return shares


def at_least(parts, fewest, wanted):
    """Move positions from the largest part to those that have too few.

    Args:
        parts: list of int arrays, together large enough.
        fewest: what each part should have.
        wanted: bool for each part: whether it is to have any.
    """
    parts = [list(part) for part in parts]
    for part, there in zip(parts, wanted, strict=True):
        while there and len(part) < fewest:
            part.append(max(parts, key=len).pop())
    return [np.sort(np.array(part, np.int64)) for part in parts]


def purposes(shares):
    """What the people are for, for example "train, choose and test"."""
    words = [word for word, share in zip(("train", "choose", "test"), shares, strict=True) if share]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
