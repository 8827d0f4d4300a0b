"""Tiny ImageNet in its own layout (Stanford CS231N: 200 classes of ImageNet at 64 x 64).

wnids.txt                    the classes: one WordNet id a line
words.txt                    WordNet id TAB synonyms, separated by commas
train/WNID/images/*.JPEG
val/images/*.JPEG
val/val_annotations.txt      file TAB WordNet id TAB box
test/images/*.JPEG           without labels, so it is not read
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np

from cvtool.datasets.labelled import LabelledPictures
from cvtool.errors import DatasetError
from cvtool.pictures.contents import PICTURE_SUFFIXES
from cvtool.pictures.finding import natural_key

_CLASSES = "wnids.txt"
_ANNOTATIONS = "val_annotations.txt"


def is_tiny_imagenet(folder: str | Path) -> bool:
    """Whether a folder is such a set, or the val folder of one."""
    folder = Path(folder)
    return (folder / _CLASSES).is_file() or (folder / _ANNOTATIONS).is_file()


def read_tiny_imagenet(folder: str | Path) -> LabelledPictures:
    """Read the train split and, as the dev split, val; whichever of them is there.

    Args:
        folder: the set, or its val folder, which gives the pictures of val only.
    Returns:
        The pictures: train by class and natural order, then val in the order of its list. The
        class ids are positions in `sorted` WordNet ids, and the names those of `class_names`.
    Raises:
        DatasetError: a list is missing or wrong, or pictures are missing.
    """
    folder = Path(folder)
    root = _root(folder)
    wnids = _wnids(root)
    only_val = root != folder
    val = folder if only_val else folder / "val"
    paths, labels, splits = [], [], []
    if not only_val and (folder / "train").is_dir():
        for number, wnid in enumerate(wnids):
            found = _train_pictures(folder / "train" / wnid)
            paths += found
            labels += [number] * len(found)
        splits += ["train"] * len(paths)
    if only_val or val.is_dir():
        found, numbers = _val_pictures(val, wnids)
        paths += found
        labels += numbers
        splits += ["dev"] * len(found)
    if not paths:
        raise DatasetError(f"{folder}: has neither a train nor a val folder; unpack the set again")
    return LabelledPictures(
        class_names(folder), tuple(paths), np.array(labels, np.int64), tuple(splits)
    )


def class_names(folder: str | Path) -> tuple[str, ...]:
    """Names of the classes, in the order of the sorted WordNet ids.

    A name is the first synonym of words.txt. Among the set's own 200 classes no two agree; where
    two of another selection do (ImageNet has two cranes), each gets its WordNet id in brackets.
    A class that words.txt lacks, or all of them without that file, is called by its id.

    Args:
        folder: the set, or its val folder.
    Raises:
        DatasetError: wnids.txt is missing or wrong.
    """
    root = _root(Path(folder))
    wnids = _wnids(root)
    synonyms = {}
    if (root / "words.txt").is_file():
        for line in _lines(root / "words.txt"):
            wnid, _, words = line.partition("\t")
            synonyms[wnid] = words.partition(",")[0].strip()
    names = [synonyms.get(wnid) or wnid for wnid in wnids]
    count = Counter(name.casefold() for name in names)
    return tuple(
        name if count[name.casefold()] == 1 else f"{name} ({wnid})"
        for name, wnid in zip(names, wnids, strict=True)
    )


def _root(folder: Path) -> Path:
    """The folder of wnids.txt: this one, or the one above."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; check the path")
    for root in (folder, folder.absolute().parent):
        if (root / _CLASSES).is_file():
            return root
    raise DatasetError(
        f"{folder}: neither this folder nor the one above holds {_CLASSES}; unpack the set again"
    )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file; unpack the set again") from None
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror}); change its access rights"
        ) from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: not text in UTF-8; unpack the set again") from None


def _wnids(root: Path) -> list[str]:
    path = root / _CLASSES
    wnids = sorted(line.strip() for line in _lines(path) if line.strip())
    if len(wnids) < 2:
        raise DatasetError(f"{path}: names {len(wnids)} classes; it needs at least two")
    for first, second in zip(wnids, wnids[1:], strict=False):
        if first == second:
            raise DatasetError(f"{path}: names the class {first} twice; remove one of the lines")
    return wnids


def _train_pictures(class_folder: Path) -> list[Path]:
    folder = class_folder / "images"
    found = sorted((name for name in _names(folder) if _is_picture(name)), key=natural_key)
    if not found:
        raise DatasetError(
            f"{folder}: no picture in it, though {_CLASSES} names the class; unpack the set again"
        )
    return [folder / name for name in found]


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(f"{folder}: no such folder; unpack the set again") from None
    except OSError as error:
        raise DatasetError(
            f"{folder}: cannot be listed ({error.strerror}); change its access rights"
        ) from None


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES


def _val_pictures(val: Path, wnids: list[str]) -> tuple[list[Path], list[int]]:
    table, folder = val / _ANNOTATIONS, val / "images"
    numbers = {wnid: number for number, wnid in enumerate(wnids)}
    lines = _lines(table)
    present = set(_names(folder))
    label_of: dict[str, int] = {}
    missing = []
    for line_number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) < 2:
            raise DatasetError(f"{table}: line {line_number}: needs a file, a tab and a WordNet id")
        name, wnid = cells[:2]
        if wnid not in numbers:
            raise DatasetError(
                f"{table}: line {line_number}: the class {wnid} is not in {_CLASSES}; add it there"
            )
        if label_of.setdefault(name, numbers[wnid]) != numbers[wnid]:
            raise DatasetError(
                f"{table}: line {line_number}: {name} has had another class before; "
                "remove one of the lines"
            )
        if name not in present:
            missing.append(f"{name} (line {line_number})")
    if missing:
        raise DatasetError(
            f"{table}: {len(missing)} of {len(label_of)} pictures are not in {folder}, the first "
            f"is {missing[0]}; unpack the set again"
        )
    if not label_of:
        raise DatasetError(f"{table}: lists no picture; unpack the set again")
    return [folder / name for name in label_of], list(label_of.values())
