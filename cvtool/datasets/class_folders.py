"""Pictures sorted into one folder for each class, with or without folders for the splits."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cvtool.datasets.labelled import SPLIT_NAMES, LabelledPictures, require_trained_classes
from cvtool.errors import DatasetError
from cvtool.pictures.contents import PICTURE_SUFFIXES
from cvtool.pictures.finding import natural_key

# Left behind by the Mac's archiver and by network drives; never a class.
_NOT_CLASSES = ("__MACOSX", "@eaDir")


def read_class_folders(folder: str | Path) -> LabelledPictures:
    """Read `folder/CLASS/**/picture` or `folder/SPLIT/CLASS/**/picture`.

    SPLIT is train or training; val, valid, validation or dev; test or testing; upper and lower
    case are alike. Folders named so are splits when they hold folders; a class may well be called
    "train". Hidden files and folders are left out, and so are pictures that lie beside the
    class folders.

    Returns:
        The pictures by split (train, dev, test), then class, then natural order. Classes are the
        folder names (in Unicode's composed form, NFC) in natural order: class 2 before class 10.
    Raises:
        DatasetError: there is no such folder, no picture, or only one class; a class is empty; two
            names differ only by case or by the encoding of their accents; a class is in val or
            test but not in train.
    """
    folder = Path(folder)
    files, folders = list_folder(folder)
    splits = find_splits(folder, folders)
    class_folders: list[tuple[str, Path]] = []
    for split, split_folder in splits.items():
        files, names = (files, folders) if split_folder == folder else list_folder(split_folder)
        if not names:
            raise DatasetError(_no_classes(split_folder, files, split))
        class_folders += [(split, split_folder / name) for name in names]
    refuse_twins(folder, [path for _, path in class_folders])

    classes = sorted({class_name(path) for _, path in class_folders}, key=natural_key)
    if len(classes) == 1:
        raise DatasetError(
            f"{folder}: only one class ({classes[0]}); put the pictures of at least two classes "
            "in a folder each"
        )
    paths, labels, split_of = [], [], []
    numbers = {name: number for number, name in enumerate(classes)}
    # A link inside a class that leads back above it would bring in the other classes.
    above = {identity(at) for at in (folder, *splits.values())}
    for split, path in class_folders:
        found = pictures_below(path, frozenset(above))
        if not found:
            raise DatasetError(
                f"{path}: no picture in this class folder (.jpg, .png, .webp ...); "
                "add some or remove the folder"
            )
        paths += found
        labels += [numbers[class_name(path)]] * len(found)
        split_of += [split] * len(found)
    data = LabelledPictures(
        tuple(classes), tuple(paths), np.array(labels, np.int64), tuple(split_of)
    )
    require_trained_classes(folder, data)
    return data


def list_folder(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the pictures and of the folders in a folder, in natural order, none hidden."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _NOT_CLASSES:
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif os.path.splitext(entry.name)[1].lower() in PICTURE_SUFFIXES:
                    files.append(entry.name)
    except FileNotFoundError:
        raise DatasetError(f"{folder}: no such folder; check the path") from None
    except NotADirectoryError:
        raise DatasetError(f"{folder}: a file; name the folder of the class folders") from None
    except OSError as error:
        raise DatasetError(
            f"{folder}: cannot be listed ({error.strerror}); change its access rights"
        ) from None
    return sorted(files, key=natural_key), sorted(folders, key=natural_key)


def find_splits(folder: Path, names: list[str]) -> dict[str, Path]:
    """Split -> its folder, train before dev before test; {"": folder} where there are none."""
    found: dict[str, str] = {}
    others = []
    # Where all of them are named so, one that holds pictures is a split filled wrongly.
    only_splits = all(name.casefold() in SPLIT_NAMES for name in names)
    for name in names:
        split = SPLIT_NAMES.get(name.casefold())
        if split is None or not (only_splits or _holds_only_folders(folder / name)):
            others.append(name)
        elif split in found:
            raise DatasetError(
                f"{folder}: the folders {found[split]} and {name} both hold the {split} split; "
                "merge them"
            )
        else:
            found[split] = name
    if not found:
        return {"": folder}
    if others:
        raise DatasetError(
            f"{folder}: holds the split {', '.join(found.values())} and beside it {others[0]}"
            f"{' and more' if len(others) > 1 else ''}; leave only folders named train, val and "
            "test, or only class folders that hold their pictures directly"
        )
    return {split: folder / found[split] for split in ("train", "dev", "test") if split in found}


def _holds_only_folders(folder: Path) -> bool:
    files, folders = list_folder(folder)
    return bool(folders) and not files


def _no_classes(folder: Path, files: list[str], split: str) -> str:
    if not files:
        return (
            f"{folder}: no picture in this folder or below it; put the pictures of each class in "
            "a folder of its own"
        )
    remedy = "put each class in a folder of its own"
    if split:
        remedy += f", or move {folder.name} elsewhere"
    else:
        tables = sorted(path.name for path in folder.glob("*.csv"))
        if tables:
            remedy += f", or name the file of their labels ({folder / tables[0]})"
    lie = "1 picture lies" if len(files) == 1 else f"{len(files):,} pictures lie"
    return f"{folder}: {lie} directly in it; {remedy}"


def class_name(path: Path) -> str:
    """The name of a class by its folder, in Unicode's composed form."""
    return unicodedata.normalize("NFC", path.name)


def refuse_twins(folder: Path, paths: Iterable[Path]) -> None:
    """Refuse class folders that only a computer tells apart."""
    seen: dict[str, Path] = {}
    for path in paths:
        name = class_name(path)
        first = seen.setdefault(unicodedata.normalize("NFC", name.casefold()), path)
        if class_name(first) != name:
            raise DatasetError(
                f"{folder}: the class folders {first.name!r} and {path.name!r} differ only in "
                "upper and lower case; merge or rename them"
            )
        if first.name != path.name and first.parent == path.parent:
            raise DatasetError(
                f"{folder}: the class folders {ascii(first.name)} and {ascii(path.name)} differ "
                "only in how their accents are encoded; merge or rename them"
            )


def identity(folder: Path) -> tuple[int, int]:
    """What tells a folder from others, whatever link led to it."""
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def pictures_below(folder: Path, above: frozenset[tuple[int, int]]) -> list[Path]:
    """Pictures of a folder, then those of its sub-folders.

    `above` identifies the folders on the way here, to leave a circle of links.
    """
    own = identity(folder)
    if own in above:
        return []
    files, folders = list_folder(folder)
    found = [folder / name for name in files]
    for name in folders:
        found += pictures_below(folder / name, above | {own})
    return found
