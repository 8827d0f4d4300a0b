"""From a data set as the user has it to the pictures of each split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvtool.datasets.labelled import LabelledPictures, read_labelled
from cvtool.datasets.picture_checks import check_pictures, describe_checks
from cvtool.datasets.splits import choose_shares, parse_split, stratified_split
from cvtool.errors import CvtoolError, DatasetError

SPLITS = ("train", "train-dev", "dev", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A data set, checked and split.

    Attributes:
        data: all readable pictures, those of --test and --target included.
        splits: split name -> int array of positions in `data`, without empty ones.
        remarks: what was found, a line each.
        how: in words, how the splits were made.
        short_side: median of the shorter sides of the training pictures, pixels.
    """

    data: LabelledPictures
    splits: dict[str, np.ndarray]
    remarks: list[str]
    how: str
    short_side: int


def prepare(dataset, *, pictures=None, split=None, test=None, target=None, seed=0, on_picture=None):
    """Read, check and split a data set. Nothing of it is changed.

    Args:
        dataset: folder of class folders, CSV file, or Tiny-ImageNet's folder.
        pictures: folder of the CSV's files, or None.
        split: shares such as "70/15/15", or None to choose them by the size.
        test: another data set, all of it for testing, or None.
        target: another data set from where the model will be used: its pictures become
            dev and test, and part of `dataset` train-dev; or None.
        seed: of the random split.
        on_picture: called after each picture is checked, for a progress bar.
    Returns:
        Prepared.
    Raises:
        DatasetError: see `datasets.labelled.read_labelled`; or nothing readable, a class
            without enough pictures, or classes that do not fit together.
        CvtoolError: shares that make no sense.
    """
    data = read_labelled(dataset, pictures)
    if target is not None and any(name in ("dev", "test") for name in data.splits):
        raise CvtoolError(
            f"{dataset}: has dev or test pictures of its own, which --target replaces; give its "
            "train folder"
        )
    origin = ["own"] * len(data)
    for name, path in (("test", test), ("target", target)):
        if path is not None:
            more = with_classes(read_labelled(path), data.classes, path)
            data = joined(data, more, path)
            origin += [name] * len(more)
    checks = check_pictures(data.paths, on_picture=on_picture)
    remarks = describe_checks(checks, data.paths, homes(data, origin))
    bad = {index for index, _ in checks.corrupt}
    kept = np.array([i for i in range(len(data)) if i not in bad], np.int64)
    if not len(kept):
        raise DatasetError(f"{dataset}: not one of its {len(data)} pictures can be read")
    number = {int(old): new for new, old in enumerate(kept)}
    groups = [[number[i] for i in group if i in number] for group in checks.duplicates]
    data, origin = data.subset(kept), np.array(origin)[kept]
    check_classes(data, dataset)
    splits, how = split_up(data, origin, split, seed, groups, dataset)
    check_training_classes(data, splits["train"], dataset)
    sides = checks.sizes[kept][splits["train"]].min(axis=1)
    return Prepared(data, splits, remarks, how, int(np.median(sides)))


def homes(data, origin):
    """The split of each picture as far as it is known before splitting."""
    known = {"test": "test", "target": "target"}
    # Next to pictures for testing, all others are for training or choosing.
    rest = "train" if any(o != "own" for o in origin) else ""
    return tuple(known.get(o, name or rest) for o, name in zip(origin, data.splits, strict=True))


def split_up(data, origin, split, seed, groups, dataset):
    """Positions of each split, and in words how they were chosen.

    Args:
        data: LabelledPictures.
        origin: str array (N,): "own", "test" or "target".
        split: as for `prepare`.
        seed: of the random split.
        groups: lists of positions of like pictures, which stay together.
        dataset: what error messages name.
    """
    given = np.array(data.splits)
    own = origin == "own"
    dev = np.flatnonzero(own & (given == "dev"))
    test = np.flatnonzero((own & (given == "test")) | (origin == "test"))
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
            raise CvtoolError(f"--split: {error}") from None
        if test_given and shares[2]:
            raise CvtoolError(f"--split {split}: test pictures are given; leave its last part out")
        if dev_given and shares[1]:
            raise CvtoolError(f"--split {split}: the data set has dev pictures; leave --split out")
    parts = divided(data, pool, shares, seed, groups)
    splits = {"train": parts[0], "train-dev": parts[1][:0], "dev": dev, "test": test}
    if len(target):
        # Dev and test must come from where the model will be used; what is held out of the
        # training distribution then tells variance from data mismatch.
        halves = (1.0, 0.0) if len(test) else (0.5, 0.5)
        target_parts = divided(data, target, (*halves, 0.0), seed, groups)
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
        how = f"{counts} (as the folders say)"
    return splits, how


def divided(data, positions, shares, seed, groups):
    """Split some of the pictures; returns three arrays of positions in the whole set."""
    number = {int(old): new for new, old in enumerate(positions)}
    inside = [[number[i] for i in group if i in number] for group in groups]
    inside = [group for group in inside if len(group) > 1]
    parts = stratified_split(data.labels[positions], shares, seed, inside)
    parts = [positions[part] for part in parts]
    return parts + [positions[:0]] * (3 - len(parts))


def with_classes(more, classes, path):
    """Another set's labels in the order of the first set's classes.

    Raises:
        DatasetError: it has a class that the first has not.
    """
    unknown = [name for name in more.classes if name not in classes]
    if unknown:
        raise DatasetError(
            f'{path}: class "{unknown[0]}" is not among the classes to train '
            f"({', '.join(classes[:5])}{', ...' if len(classes) > 5 else ''}); rename the folder"
        )
    order = np.array([classes.index(name) for name in more.classes])
    if more.several:
        labels = np.full((len(more), len(classes)), np.nan, np.float32)
        labels[:, order] = more.labels
    else:
        labels = order[more.labels]
    return LabelledPictures(tuple(classes), more.paths, labels, more.splits)


def joined(first, second, path):
    """Two sets of the same classes as one; `path` is what an error names."""
    if first.several != second.several:
        kinds = ("one label", "several labels")
        raise DatasetError(
            f"{path}: has {kinds[second.several]} a picture, the data set {kinds[first.several]}; "
            "use one kind"
        )
    return LabelledPictures(
        first.classes,
        first.paths + second.paths,
        np.concatenate([first.labels, second.labels]),
        first.splits + second.splits,
    )


def check_classes(data, dataset):
    """Refuse a class with a single readable picture: it could not be split."""
    if data.several:
        return
    counts = np.bincount(data.labels, minlength=len(data.classes))
    for name, count in zip(data.classes, counts, strict=True):
        if count < 2:
            found = "one readable picture" if count else "no readable picture"
            raise DatasetError(
                f'{dataset}: class "{name}" has {found}; give it two or more, or leave it out'
            )


def check_training_classes(data, train, dataset):
    """Refuse a class that no training picture shows."""
    if data.several:
        present = np.nan_to_num(data.labels[train]).any(axis=0)
    else:
        present = np.bincount(data.labels[train], minlength=len(data.classes)) > 0
    for name, there in zip(data.classes, present, strict=True):
        if not there:
            raise DatasetError(
                f'{dataset}: class "{name}" has no picture to train on; add some, or leave it out'
            )


def split_lists(prepared):
    """The splits as run.json keeps them: files, absolute, with their labels."""
    data = prepared.data
    return {
        name: {
            "files": [str(data.paths[i].absolute()) for i in part],
            "labels": [label_of(data, i) for i in part],
        }
        for name, part in prepared.splits.items()
    }


def label_of(data, index):
    """A label as JSON keeps it: a class id, or a row of 0, 1 and null."""
    if not data.several:
        return int(data.labels[index])
    return [None if np.isnan(value) else int(value) for value in data.labels[index]]
