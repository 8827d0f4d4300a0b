"""Which of a folder's label files belong to the set, and to which split."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from cvtool.datasets.labelled import SPLIT_NAMES
from cvtool.errors import DatasetError
from cvtool.pictures.finding import natural_key


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


def split_folders(folder: Path) -> dict[Path, str]:
    """The folders in a folder that are named after a split, train before dev before test."""
    order = ("train", "dev", "test")
    found = {
        at: SPLIT_NAMES[at.name.casefold()]
        for at in children(folder)
        if at.name.casefold() in SPLIT_NAMES and at.is_dir()
    }
    return dict(sorted(found.items(), key=lambda pair: order.index(pair[1])))


def children(folder: Path) -> list[Path]:
    """What a folder holds, hidden things left out, in natural order; nothing if unreadable."""
    try:
        found = [at for at in folder.iterdir() if not at.name.startswith(".")]
    except OSError:
        return []
    return sorted(found, key=lambda at: natural_key(at.name))


def files_by_split(
    folder: Path, inner: tuple[str, ...], fits: Callable[[Path], bool]
) -> list[tuple[Path, str]]:
    """Label files of a folder with their splits, train before dev before test.

    Looked for in the folder, or else in its folders called `inner`, or else in those named after
    a split. Of a file that is alone in the set see `split_of_lone_file`, unless its folder is
    named after a split.

    Args:
        folder: of the data set.
        inner: lower-case names.
        fits: whether a file is such a label file.
    Returns:
        The files; none where there is none.
    Raises:
        DatasetError: there are several, and the names do not tell their splits.
    """
    named = [at for at in children(folder) if at.name.casefold() in inner and at.is_dir()]
    for place in (folder, *named):
        files = [at for at in children(place) if fits(at)]
        if files:
            return _by_name(folder, files)
    found = []
    for place, split in split_folders(folder).items():
        files = [at for at in children(place) if fits(at)]
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
    order = ("train", "dev", "test")
    return sorted(splits.items(), key=lambda pair: order.index(pair[1]))
