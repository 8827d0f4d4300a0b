"""Pictures of faces sorted into one folder for each person."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cvtool.datasets.class_folders import (
    class_name,
    find_splits,
    identity,
    list_folder,
    pictures_below,
    refuse_twins,
)
from cvtool.datasets.labelled import LabelledPictures
from cvtool.errors import DatasetError, few
from cvtool.pictures.finding import natural_key


def read_people(folder: str | Path) -> LabelledPictures:
    """Read `folder/PERSON/**/picture` or `folder/SPLIT/PERSON/**/picture`.

    Splits and what is left out are those of `class_folders.read_class_folders`. But a person may
    have no picture, and is in one split only: faces are measured on people not trained on.

    Returns:
        The pictures by split, then person, then natural order; `classes` are the people.
    Raises:
        DatasetError: there is no such folder, none in it, no picture, or only one person; two
            names differ only by case or by the encoding of their accents; a person is in two
            splits.
    """
    folder = Path(folder)
    if folder.is_file():
        raise DatasetError(f"{folder}: a file; give a folder that has a folder for each person")
    files, folders = list_folder(folder)
    found = []
    for split, split_folder in find_splits(folder, folders).items():
        names = folders if split_folder == folder else list_folder(split_folder)[1]
        if not names:
            beside = f", {len(files)} pictures directly in it" if files else ""
            raise DatasetError(
                f"{split_folder}: no folders of people{beside}; put the pictures of each person in "
                "a folder of its own"
            )
        found += [(split, split_folder / name) for name in names]
    refuse_twins(folder, [path for _, path in found])
    split_of: dict[str, str] = {}
    for split in dict.fromkeys(split for split, _ in found):
        these = {class_name(path): split for home, path in found if home == split}
        refuse_overlap(split_of, these, folder)
        split_of |= these
    people = sorted(split_of, key=natural_key)
    if len(people) == 1:
        raise DatasetError(
            f"{folder}: only one person ({people[0]}); put the pictures of each person in a folder "
            "of its own"
        )
    numbers = {name: number for number, name in enumerate(people)}
    # A link inside a person's folder that leads back above it would bring in the others.
    above = frozenset(identity(at) for at in (folder, *{path.parent for _, path in found}))
    pictures = [
        (picture, numbers[class_name(path)], split)
        for split, path in found
        for picture in pictures_below(path, above)
    ]
    if not pictures:
        raise DatasetError(f"{folder}: no picture in its folders (.jpg, .png, .webp ...)")
    paths, labels, splits = zip(*pictures, strict=True)
    return LabelledPictures(tuple(people), paths, np.array(labels, np.int64), splits)


def refuse_overlap(known: dict[str, str], more: dict[str, str], source: str | Path) -> None:
    """Refuse people who are in two splits.

    Args:
        known, more: the split of each person.
        source: what the error names.
    Raises:
        DatasetError: somebody is in both.
    """
    both = [name for name in more if name in known]
    if both:
        splits = known[both[0]] or "the people to train on", more[both[0]]
        raise DatasetError(
            f"{source}: {few(both)} in both {splits[0]} and {splits[1]}; a face model is measured "
            "on people that it was not trained on, so leave each person in one"
        )
