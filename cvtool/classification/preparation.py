"""From a data set as the user has it to the pictures of each split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvtool.datasets.labelled import LabelledPictures, read_labelled
from cvtool.datasets.picture_checks import check_pictures, describe_checks
from cvtool.datasets.splitting import homes, split_up
from cvtool.errors import CvtoolError, DatasetError


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
    remarks = describe_checks(checks, data.paths, homes(data.splits, origin))
    bad = {index for index, _ in checks.corrupt}
    kept = np.array([i for i in range(len(data)) if i not in bad], np.int64)
    if not len(kept):
        raise DatasetError(f"{dataset}: not one of its {len(data)} pictures can be read")
    number = {int(old): new for new, old in enumerate(kept)}
    groups = [[number[i] for i in group if i in number] for group in checks.duplicates]
    data, origin = data.subset(kept), np.array(origin)[kept]
    check_classes(data, dataset)
    splits, how = split_up(data.labels, data.splits, origin, split, seed, groups, dataset)
    check_training_classes(data, splits["train"], dataset)
    sides = checks.sizes[kept][splits["train"]].min(axis=1)
    return Prepared(data, splits, remarks, how, int(np.median(sides)))


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
