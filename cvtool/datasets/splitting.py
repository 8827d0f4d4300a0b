"""Which pictures of a data set train and which test, from what it says and what was asked for."""

from __future__ import annotations

import numpy as np

from cvtool.datasets.splits import choose_shares, parse_split, stratified_split
from cvtool.errors import DatasetError, OptionError

SPLITS = ("train", "train-dev", "dev", "test")


def homes(given, origin):
    """The split of each picture as far as it is known before splitting.

    Args:
        given: N names, "train", "dev", "test" or "", as the data set says.
        origin: N words: "own", "test" or "target" (of --test and --target).
    """
    known = {"test": "test", "target": "target"}
    # Next to pictures for testing, all others are for training or choosing.
    rest = "train" if any(o != "own" for o in origin) else ""
    return tuple(known.get(o, name or rest) for o, name in zip(origin, given, strict=True))


def split_up(labels, given, origin, split, seed, groups, dataset):
    """Positions of each split, and in words how they were chosen.

    Args:
        labels: class ids int (N,), or float (N, C) of 0, 1 and NaN.
        given, origin: as for `homes`.
        split: shares such as "70/15/15", or None to choose them by the size.
        seed: of the random split.
        groups: lists of positions of like pictures, which stay together.
        dataset: what error messages name.
    Returns:
        dict of split name -> sorted int array of positions, without empty ones; and a sentence.
    Raises:
        DatasetError: nothing is left for train or for dev.
        OptionError: shares that make no sense here.
    """
    given, origin = np.array(given), np.array(origin)
    own = origin == "own"
    dev = np.flatnonzero(own & (given == "dev"))
    # --test is in place of the data set's own test pictures, which are left out then.
    unused = own & (given == "test") & (origin == "test").any()
    test = np.flatnonzero(((own & (given == "test")) | (origin == "test")) & ~unused)
    target = np.flatnonzero(origin == "target")
    pool = np.flatnonzero(own & ~np.isin(given, ("dev", "test")))
    if not len(pool):
        raise DatasetError(
            f"{dataset}: no pictures to train on, all are for dev or test; add a train folder"
        )
    dev_given, test_given = bool(len(dev)), bool(len(test) or len(target))
    if split is None:
        shares = choose_shares(len(pool), test_given=test_given, dev_given=dev_given)
    else:
        try:
            shares = parse_split(split)
        except ValueError as error:
            raise OptionError(f"--split: {error}") from None
        if test_given and shares[2]:
            raise OptionError(f"--split {split}: test pictures are given; leave its last part out")
        if dev_given and shares[1]:
            raise OptionError(f"--split {split}: the data set has dev pictures; leave --split out")
    parts = divided(labels, pool, shares, seed, groups)
    splits = {"train": parts[0], "train-dev": parts[1][:0], "dev": dev, "test": test}
    if len(target):
        # Dev and test must come from where the model will be used; what is held out of the
        # training distribution then tells variance from data mismatch.
        halves = (1.0, 0.0) if len(test) else (0.5, 0.5)
        target_parts = divided(labels, target, (*halves, 0.0), seed, groups)
        splits["train-dev"], splits["dev"] = parts[1], target_parts[0]
        splits["test"] = np.concatenate([test, target_parts[1]])
    else:
        if not dev_given:
            splits["dev"] = parts[1]
        splits["test"] = np.concatenate([test, parts[2]]).astype(np.int64)
    splits = {name: np.sort(splits[name]) for name in SPLITS if len(splits[name])}
    if "dev" not in splits:
        raise DatasetError(
            f"{dataset}: no pictures are left for dev; add more pictures that differ, or give a "
            "--split with a larger dev share"
        )
    counts = ", ".join(f"{len(part)} {name}" for name, part in splits.items())
    asked = "as asked for" if split is not None else "chosen from the size of the set"
    share_text = "/".join(f"{100 * share:.4g}" for share in shares if share)
    how = f"{counts} (random by seed {seed}, stratified, {share_text}, {asked})"
    if dev_given and test_given:
        how = f"{counts} (as the data set says)"
    if unused.any():
        how += f"; the data set's own test pictures, {unused.sum():,}, are left out for --test"
    return splits, how


def divided(labels, positions, shares, seed, groups):
    """Split some of the pictures; returns three arrays of positions in the whole set."""
    number = {int(old): new for new, old in enumerate(positions)}
    inside = [[number[i] for i in group if i in number] for group in groups]
    inside = [group for group in inside if len(group) > 1]
    parts = stratified_split(labels[positions], shares, seed, inside)
    parts = [positions[part] for part in parts]
    return parts + [positions[:0]] * (3 - len(parts))
