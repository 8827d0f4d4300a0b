"""Which of a folder's label files belong to the set, and to which split."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

from cvtool.datasets.labelled import SPLIT_NAMES
from cvtool.errors import DatasetError
from cvtool.pictures.finding import natural_key

SPLIT_ORDER = ("train", "dev", "test")


def split_of_name(name: str) -> str:
    """The split that the first or last word of a name says: "dev" for "instances_val2017"."""
    words = [word for word in re.split(r"[^a-z]+", name.casefold()) if word]
    ends = [words[0], words[-1]] if words else []
    return next((SPLIT_NAMES[word] for word in reversed(ends) if word in SPLIT_NAMES), "")


def split_of_lone_file(path: Path) -> str:
    """The split of a label file that has no others beside it.

    Whoever has one file only may well have called it test.json without a split in mind; only
    COCO's own instances_val.json means one.
    """
    return split_of_name(path.stem) if path.stem.startswith("instances_") else ""


def entries(folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """What a folder holds of the names wanted, hidden things left out, in natural order.

    A folder that cannot be listed, or is none, holds nothing.
    """
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".") and wanted(name)]
    except OSError:
        return []
    return [folder / name for name in sorted(names, key=natural_key)]


def folders_named(folder: Path, names: Collection[str]) -> list[Path]:
    """The folders in a folder that have one of these names in any case."""
    found = entries(folder, lambda name: name.casefold() in names)
    return [at for at in found if at.is_dir()]


def split_folders(folder: Path) -> dict[Path, str]:
    """The folders in a folder that are named after a split, train before dev before test."""
    found = {at: SPLIT_NAMES[at.name.casefold()] for at in folders_named(folder, SPLIT_NAMES)}
    return dict(sorted(found.items(), key=lambda pair: SPLIT_ORDER.index(pair[1])))


def files_by_split(
    folder: Path,
    inner: tuple[str, ...],
    suffixes: tuple[str, ...],
    fits: Callable[[Path], bool],
) -> list[tuple[Path, str]]:
    """Label files of a folder with their splits, train before dev before test.

    Looked for in the folder, or else in its folders called `inner`, or else in those named after
    a split. Of a file that is alone in the set see `split_of_lone_file`, unless its folder is
    named after a split.

    Args:
        folder: of the data set.
        inner: lower-case names.
        suffixes: of the files, lower-case.
        fits: whether a file is such a label file.
    Returns:
        The files; none where there is none.
    Raises:
        DatasetError: there are several, and the names do not tell their splits.
    """

    def files_in(place: Path) -> list[Path]:
        named = entries(place, lambda name: os.path.splitext(name)[1].lower() in suffixes)
        return [at for at in named if fits(at)]

    for place in (folder, *folders_named(folder, inner)):
        if files := files_in(place):
            return _by_name(folder, files)
    found = []
    for place, split in split_folders(folder).items():
        files = files_in(place)
        if len(files) > 1:
            raise DatasetError(
                f"{place}: holds {len(files)} label files ({', '.join(at.name for at in files)}); "
                "leave one, or name the one to use"
            )
        found += [(at, split) for at in files]
    return found


def _by_name(folder: Path, files: list[Path]) -> list[tuple[Path, str]]:
    if len(files) == 1:
        return [(files[0], split_of_lone_file(files[0]))]
    # COCO's own folder holds instances_*.json beside captions and key points of the same pictures.
    files = [at for at in files if at.stem.startswith("instances")] or files
    splits = {at: split_of_name(at.stem) for at in files}
    doubtful = [at for at in files if not splits[at]]
    if doubtful:
        names = ", ".join(at.name for at in files)
        raise DatasetError(
            f"{folder}: holds several label files ({names}), and the name of {doubtful[0].name} "
            "does not say train, val or test; name the file to use"
        )
    return sorted(splits.items(), key=lambda pair: SPLIT_ORDER.index(pair[1]))
