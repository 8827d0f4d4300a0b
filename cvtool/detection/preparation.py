"""From a data set as the user has it to the pictures with boxes of each split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.datasets.boxed_layouts import read_boxed
from cvtool.datasets.faults import Fault
from cvtool.datasets.picture_checks import check_pictures, describe_checks
from cvtool.datasets.splitting import homes, split_up
from cvtool.errors import DatasetError
from cvtool.training.faults import affected, check_commands, judge_faults, key_of
from cvtool.training.page import counted


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A data set, checked and split.

    Attributes:
        classes: names, in the order of class ids.
        splits: split name -> DetectionDataset, without empty ones.
        remarks: what was found, a line each.
        how: in words, how the splits were made.
    """

    classes: tuple[str, ...]
    splits: dict[str, DetectionDataset]
    remarks: list[str]
    how: str


def prepare(
    dataset, *, pictures=None, split=None, test=None, seed=0, force=False, say, on_picture=None
):
    """Read, check and split a data set with boxes. Nothing of it is changed.

    Pictures with a fault are left out, whatever the fault: a picture whose object has lost
    its box would teach that there is none.

    Args:
        dataset: in any layout of `datasets.boxed_layouts`.
        pictures: folder of its pictures, or None to look for them.
        split: shares such as "70/15/15", or None to choose them by the size.
        test: another data set, all of it for testing, or None.
        seed: of the random split.
        force: go on whatever the share of pictures with faults.
        say: function(str), which gets the faults.
        on_picture: called after each picture is checked, for a progress bar.
    Returns:
        Prepared.
    Raises:
        DatasetError: it cannot be read, too much of it has faults, nothing to train on.
        CvtoolError: shares that make no sense.
    """
    faults: list[Fault] = []
    data = read_boxed(dataset, pictures, on_fault=faults.append)
    origin = ["own"] * len(data.examples)
    if test is not None:
        more = with_classes(read_boxed(test, on_fault=faults.append), data.classes, test)
        data = replace(data, examples=data.examples + more.examples)
        origin += ["test"] * len(more.examples)
    paths = [example.path for example in data.examples]
    checks = check_pictures(paths, on_picture=on_picture)
    faults += [
        Fault("unreadable picture", paths[index], reason, picture=paths[index])
        for index, reason in checks.corrupt
    ]
    commands = check_commands(dataset, test, {"--pictures": pictures})
    remarks = judge_faults(faults, paths, dataset, commands, force=force, say=say)
    bad = {affected(fault) for fault in faults}
    kept = np.array([i for i, path in enumerate(paths) if key_of(path) not in bad], np.int64)
    given = [example.split for example in data.examples]
    # The corrupt ones are among the faults already.
    checks = replace(checks, corrupt=[])
    remarks += describe_checks(checks, paths, homes(given, origin))
    data, origin = data.subset(kept), [origin[i] for i in kept]
    shown = present(data)
    if not shown.any():
        every = " and ".join(commands)
        raise DatasetError(f"{dataset}: not one box to learn from; see what is wrong with: {every}")
    number = {int(old): new for new, old in enumerate(kept)}
    groups = [[number[i] for i in group if i in number] for group in checks.duplicates]
    splits, how = split_up(shown, [given[i] for i in kept], origin, split, seed, groups, dataset)
    parts = {name: data.subset(positions) for name, positions in splits.items()}
    check_training_classes(parts["train"], dataset)
    check_dev(parts["dev"], dataset)
    empty = sum(not len(example.boxes) for example in parts["train"].examples)
    if empty:
        words = counted(empty, "training picture", "training pictures")
        remarks.append(f"background: {words} without boxes")
    return Prepared(data.classes, parts, remarks, how)


def present(data):
    """Which classes each picture shows, float (N, C) of 0 and 1; groups do not count."""
    shown = np.zeros((len(data.examples), len(data.classes)), np.float32)
    for row, example in zip(shown, data.examples, strict=True):
        row[example.class_ids[~example.crowd]] = 1
    return shown


def with_classes(more, classes, path):
    """Another set's boxes in the order of the first set's classes.

    Raises:
        DatasetError: it has boxes of a class that the first has not.
    """
    used = {more.classes[i] for example in more.examples for i in example.class_ids}
    unknown = sorted(used - set(classes))
    if unknown:
        raise DatasetError(
            f'{path}: class "{unknown[0]}" is not among the classes to train '
            f"({', '.join(classes[:5])}{', ...' if len(classes) > 5 else ''}); rename it"
        )
    number = {i: classes.index(name) for i, name in enumerate(more.classes) if name in classes}
    examples = tuple(
        replace(e, class_ids=np.array([number[i] for i in e.class_ids.tolist()], np.int64))
        for e in more.examples
    )
    return replace(more, classes=tuple(classes), examples=examples)


def check_training_classes(train, dataset):
    """Refuse a class that no training picture shows."""
    for name, there in zip(train.classes, present(train).any(axis=0), strict=True):
        if not there:
            raise DatasetError(
                f'{dataset}: class "{name}" has no box to train on; add some, or take the class out'
            )


def check_dev(dev, dataset):
    """Refuse dev pictures without a box: nothing could be chosen by them."""
    if not any((~example.crowd).any() for example in dev.examples):
        raise DatasetError(
            f"{dataset}: the {len(dev.examples)} dev pictures show no object; give a --split with "
            "a larger dev share, or add pictures"
        )


def split_lists(splits):
    """The splits as run.json keeps them: files, absolute, with sizes, boxes and class ids."""
    return {
        name: {
            "files": [str(e.path.absolute()) for e in data.examples],
            "sizes": [[e.width, e.height] for e in data.examples],
            "boxes": [np.round(e.boxes.astype(float), 3).tolist() for e in data.examples],
            "labels": [e.class_ids.tolist() for e in data.examples],
            "crowd": [np.flatnonzero(e.crowd).tolist() for e in data.examples],
        }
        for name, data in splits.items()
    }


def dataset_from(part, classes, split):
    """The DetectionDataset of one split of run.json."""
    examples = []
    rows = zip(*(part[key] for key in ("files", "sizes", "boxes", "labels", "crowd")), strict=True)
    for number, (file, (width, height), boxes, labels, crowd) in enumerate(rows, 1):
        marks = np.zeros(len(boxes), bool)
        marks[crowd] = True
        examples.append(
            Example(
                path=Path(file),
                boxes=np.array(boxes, np.float32).reshape(-1, 4),
                class_ids=np.array(labels, np.int64),
                width=width,
                height=height,
                picture_id=number,
                crowd=marks,
                split=split,
            )
        )
    return DetectionDataset(tuple(classes), tuple(examples), tuple(range(1, len(classes) + 1)))
