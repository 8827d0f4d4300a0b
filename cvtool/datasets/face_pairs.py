"""Pairs of pictures, each of one person or of two: LFW's lists, and plain CSV files."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvtool.errors import DatasetError

# LFW's pictures are NAME/NAME_0001.jpg; somebody's own may be of another kind.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SAME = {"1": True, "true": True, "yes": True, "same": True}
DIFFERENT = {"0": False, "false": False, "no": False, "different": False}


@dataclass(frozen=True, slots=True)
class FacePair:
    """Two pictures.

    Attributes:
        one, other: their files, which may not exist.
        same: whether they show one person.
        fold: the part of the list that they belong to, from 0.
    """

    one: Path
    other: Path
    same: bool
    fold: int = 0


@dataclass(frozen=True, slots=True)
class FacePairs:
    """A list of pairs.

    Attributes:
        pairs: in the list's order.
        folds: parts for cross-validation, at least 1.
    """

    pairs: tuple[FacePair, ...]
    folds: int

    @property
    def paths(self) -> list[Path]:
        """The different pictures, in the order in which they come up."""
        return list(dict.fromkeys(path for pair in self.pairs for path in (pair.one, pair.other)))


def some_of(data: FacePairs, limit: int) -> FacePairs:
    """So many of the pairs, spread evenly over those of one person and over those of two.

    Args:
        data: with pairs of both kinds.
        limit: how many; there is at least one of each kind.
    """
    if limit >= len(data.pairs):
        return data
    kinds = [
        [i for i, pair in enumerate(data.pairs) if pair.same is same] for same in (True, False)
    ]
    same = max(1, round(limit * len(kinds[0]) / len(data.pairs)))
    counts = (same, max(1, limit - same))
    chosen = [
        kind[at]
        for kind, count in zip(kinds, counts, strict=True)
        for at in np.linspace(0, len(kind) - 1, min(count, len(kind))).round().astype(int)
    ]
    return FacePairs(tuple(data.pairs[i] for i in sorted(chosen)), data.folds)


def read_pairs(path: str | Path, pictures: str | Path | None = None) -> FacePairs:
    """Read a list of pairs.

    LFW's format: the first line is the number of pairs of one person, which as many of two
    follow (pairsDevTrain.txt), or the number of folds and that of each (pairs.txt). Then lines
    "NAME 1 4" for two pictures of one person and "NAME 1 OTHER 2" for pictures of two, which are
    NAME/NAME_0001.jpg and so on. CSV: two files and 1 or 0 (also true, yes, same, ...) a line,
    with or without a line of headings; a fourth column may be the fold.

    Args:
        path: the file.
        pictures: the folder of the pictures. None for the folder of the list; for LFW's format,
            also one in it that holds the people's folders.
    Raises:
        DatasetError: missing, unreadable, neither of the formats, or without pairs of one person
            and pairs of two; the message names the line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise DatasetError(f"{path}: is a folder; give the file that lists the pairs") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is no text; give a list of pairs") from None
    if pictures is not None and not Path(pictures).is_dir():
        raise DatasetError(f"{pictures}: no such folder of pictures")
    folder = path.parent if pictures is None else Path(pictures)
    first = lines[0].split() if lines else []
    if first and len(first) <= 2 and all(re.fullmatch(r"\d{1,7}", number) for number in first):
        found = _read_lfw(path, lines, folder, search=pictures is None)
    else:
        found = _read_csv(path, lines, folder)
    kinds = {pair.same for pair in found.pairs}
    if kinds != {True, False}:
        missing = "of two people" if True in kinds else "of one person"
        raise DatasetError(f"{path}: lists no pairs {missing}; both kinds are needed")
    return found


def _read_lfw(path: Path, lines: Sequence[str], folder: Path, *, search: bool) -> FacePairs:
    numbers = [int(number) for number in lines[0].split()]
    folds, each = (numbers[0], numbers[1]) if len(numbers) == 2 else (1, numbers[0])
    rows = [(n, line.split("\t") if "\t" in line else line.split()) for n, line in _rows(lines)]
    if len(rows) != 2 * folds * each:
        raise DatasetError(
            f"{path}: has {len(rows)} pairs where its first line announces {2 * folds * each}"
        )
    names = [fields[0].strip() for _, fields in rows]
    if search:
        folder = _people_folder(folder, names)
    pairs = []
    for position, (number, fields) in enumerate(rows):
        fields = [field.strip() for field in fields]
        if len(fields) == 3:
            fields = [fields[0], fields[1], fields[0], fields[2]]
            same = True
        else:
            same = False
        if len(fields) != 4 or not (fields[1].isdecimal() and fields[3].isdecimal()):
            raise DatasetError(
                f'{path}: line {number}: neither "NAME 1 4" nor "NAME 1 OTHER 2"; correct it'
            )
        one, other = (_picture(folder, *fields[at : at + 2]) for at in (0, 2))
        pairs.append(FacePair(one, other, same, position // (2 * each)))
    return FacePairs(tuple(pairs), folds)


def _people_folder(folder: Path, names: Sequence[str]) -> Path:
    """The folder that holds the first people's folders: this one, or one in it."""
    wanted = [name for name in dict.fromkeys(names) if _plain(name)][:20]
    inside = sorted(each for each in folder.iterdir() if each.is_dir())
    for candidate in (folder, *inside):
        if any((candidate / name).is_dir() for name in wanted):
            return candidate
    return folder


def _picture(folder: Path, name: str, number: str) -> Path:
    """The file of a person's picture; the usual one where there is none."""
    stem = f"{name}_{int(number):04d}"
    if not _plain(name):
        raise DatasetError(f'{folder}: "{name}" is no name of a folder of a person')
    files = [folder / name / f"{stem}{suffix}" for suffix in SUFFIXES]
    return next((file for file in files if file.exists()), files[0])


def _plain(name: str) -> bool:
    """Whether a name stays inside the folder that it is looked for in."""
    return name not in ("", ".", "..") and "/" not in name and "\\" not in name


def _read_csv(path: Path, lines: Sequence[str], folder: Path) -> FacePairs:
    pairs, folds = [], 1
    try:
        rows = list(csv.reader(lines))
    except csv.Error as error:
        raise DatasetError(f"{path}: not a CSV file ({error})") from None
    known = SAME | DIFFERENT
    for number, fields in enumerate(rows, 1):
        fields = [field.strip() for field in fields]
        if not any(fields):
            continue
        answer = fields[2].casefold() if len(fields) in (3, 4) else None
        # One of the headings may be the word "same".
        no_answer = answer is not None and (answer == "same" or answer not in known)
        if number == 1 and no_answer and not Path(fields[0]).suffix:
            continue
        if answer not in known:
            raise DatasetError(
                f"{path}: line {number}: not two files and 1 (one person) or 0 (two); correct it"
            )
        fold = 0
        if len(fields) == 4 and fields[3]:
            if not re.fullmatch(r"\d{1,4}", fields[3]):
                raise DatasetError(f'{path}: line {number}: the fold "{fields[3]}" is no number')
            fold = int(fields[3])
        pairs.append(FacePair(folder / fields[0], folder / fields[1], known[answer], fold))
    if not pairs:
        raise DatasetError(f"{path}: lists no pairs")
    # Folds may be counted from 0 or from 1, or be only some.
    order = {fold: n for n, fold in enumerate(sorted({pair.fold for pair in pairs}))}
    folds = len(order)
    return FacePairs(tuple(FacePair(p.one, p.other, p.same, order[p.fold]) for p in pairs), folds)


def _rows(lines: Sequence[str]):
    """The lines after the first that hold anything, with their numbers."""
    return [(number, line) for number, line in enumerate(lines[1:], 2) if line.strip()]
