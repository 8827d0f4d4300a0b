"""Labels of pictures in a table: a CSV file with a header."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvtool.datasets.labelled import SPLIT_NAMES, LabelledPictures, require_trained_classes
from cvtool.datasets.tables import FILE_COLUMNS, SPLIT_COLUMNS, find_column, read_rows
from cvtool.errors import DatasetError
from cvtool.pictures.finding import natural_key

_LABEL_NAMES = ("label", "class", "category")
_MARKS = {"": np.nan, "0": 0.0, "0.0": 0.0, "1": 1.0, "1.0": 1.0}


@dataclass(frozen=True, slots=True)
class _Table:
    """A header and the rows below it, each with its line number in the file."""

    path: Path
    header: list[str]
    rows: list[tuple[int, list[str]]]

    def column(self, names: tuple[str, ...]) -> int | None:
        """Position of the column with the first of these names that there is."""
        return find_column(self.header, names)

    def error(self, line: int, message: str) -> DatasetError:
        return DatasetError(f"{self.path}: line {line}: {message}")


def read_label_table(csv_path: str | Path, pictures: str | Path | None = None) -> LabelledPictures:
    """Read the labels of pictures from a CSV file with a header.

    With a column `label` (or class, category) each picture has that one label; other columns are
    left alone. Without one, every further column is a class and holds 1 (present), 0 (absent) or
    nothing (not labelled). A column `split` (or subset) may say train, val, dev or test.
    The column of the files is called file (or filename, path, image, picture). Commas, semicolons
    and tabs separate cells; the text is UTF-8.

    Args:
        csv_path: the file.
        pictures: folder that the files are relative to; the CSV file's own folder when None.
    Returns:
        The pictures in the order of the file, each once. With one label a picture the classes are
        in natural order, else in the order of the columns.
    Raises:
        DatasetError: the file is missing or no such table, a cell holds what it must not, two
            labels differ only by case, a file has two different labels, or pictures are missing;
            the message gives the line.
    """
    table = _read(Path(csv_path))
    file_at = table.column(FILE_COLUMNS)
    if file_at is None:
        raise DatasetError(
            f'{table.path}: no column "file" (its columns: {", ".join(table.header)}); the first '
            "line must name the columns: file,label or file and then one column a class"
        )
    label_at, split_at = table.column(_LABEL_NAMES), table.column(SPLIT_COLUMNS)
    if label_at is not None:
        classes, labels = _one_label(table, label_at)
    else:
        class_columns = [n for n in range(len(table.header)) if n not in (file_at, split_at)]
        classes, labels = _several_labels(table, class_columns)
    splits = _splits(table, split_at)
    paths, kept = _paths(table, file_at, labels, splits, pictures)
    data = LabelledPictures(
        classes, tuple(paths), labels[kept], tuple(splits[number] for number in kept)
    )
    if label_at is not None:
        require_trained_classes(table.path, data)
    return data


def _read(path: Path) -> _Table:
    (_, first), *rows = read_rows(path, "write file,label and the pictures below")
    header = [unicodedata.normalize("NFC", cell) for cell in first]
    for line, cells in rows:
        if len(cells) != len(header):
            raise DatasetError(
                f"{path}: line {line}: has {len(cells)} cells, but the header has "
                f"{len(header)}; put a name that holds the separator in quotation marks"
            )
    if not rows:
        raise DatasetError(
            f"{path}: only a header ({', '.join(header)}); write one line for each picture below it"
        )
    return _Table(path, header, rows)


def _one_label(table: _Table, at: int) -> tuple[tuple[str, ...], np.ndarray]:
    first_line: dict[str, int] = {}
    by_folded: dict[str, str] = {}
    found = [unicodedata.normalize("NFC", cells[at]) for _, cells in table.rows]
    for (line, _), label in zip(table.rows, found, strict=True):
        if not label:
            raise table.error(line, f'no label in the column "{table.header[at]}"; fill it in')
        like = by_folded.setdefault(label.casefold(), label)
        if like != label:
            raise table.error(
                line,
                f"the label {label!r} differs only in upper and lower case from {like!r} in line "
                f"{first_line[like]}; write both alike",
            )
        first_line.setdefault(label, line)
    classes = tuple(sorted(first_line, key=natural_key))
    if len(classes) < 2:
        raise DatasetError(f"{table.path}: only one label ({classes[0]}); it takes at least two")
    numbers = {name: number for number, name in enumerate(classes)}
    return classes, np.array([numbers[label] for label in found], np.int64)


def _several_labels(table: _Table, columns: list[int]) -> tuple[tuple[str, ...], np.ndarray]:
    if not columns:
        raise DatasetError(
            f'{table.path}: no column "label" and no column of a class '
            f"(its columns: {', '.join(table.header)}); add one"
        )
    classes = tuple(table.header[at] for at in columns)
    by_folded: dict[str, str] = {}
    for at, name in zip(columns, classes, strict=True):
        if not name:
            raise DatasetError(
                f"{table.path}: column {at + 1} has no name in the header; name or remove it"
            )
        if name.casefold() in by_folded:
            raise DatasetError(
                f"{table.path}: the columns {by_folded[name.casefold()]!r} and {name!r} have the "
                "same name but for upper and lower case; merge or rename them"
            )
        by_folded[name.casefold()] = name
    labels = np.empty((len(table.rows), len(columns)), np.float32)
    for row, (line, cells) in enumerate(table.rows):
        for column, at in enumerate(columns):
            if cells[at] not in _MARKS:
                raise table.error(
                    line,
                    f'the column "{classes[column]}" holds {cells[at]!r:.40}; it may hold 1, 0 or '
                    'nothing (for one label a picture, call its column "label")',
                )
            labels[row, column] = _MARKS[cells[at]]
    return classes, labels


def _splits(table: _Table, at: int | None) -> tuple[str, ...]:
    if at is None or not any(cells[at] for _, cells in table.rows):
        return ("",) * len(table.rows)
    splits = []
    for line, cells in table.rows:
        split = SPLIT_NAMES.get(cells[at].casefold())
        if split is None:
            what = (
                f"holds {cells[at]!r:.40}" if cells[at] else "is empty here, though not elsewhere"
            )
            raise table.error(
                line, f'the column "{table.header[at]}" {what}; write train, val or test'
            )
        splits.append(split)
    return tuple(splits)


def _paths(
    table: _Table,
    at: int,
    labels: np.ndarray,
    splits: tuple[str, ...],
    pictures: str | Path | None,
) -> tuple[list[Path], list[int]]:
    """Paths of the pictures and their rows, without lines that say the same again."""
    folder = table.path.parent if pictures is None else Path(pictures)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder of pictures; check the path")
    row_of: dict[str, int] = {}
    missing = []
    for row, (line, cells) in enumerate(table.rows):
        if not cells[at]:
            raise table.error(line, f'no file in the column "{table.header[at]}"; fill it in')
        path = _locate(folder, cells[at])
        first = row_of.setdefault(path, row)
        if first == row:
            if not os.path.isfile(path):
                missing.append(f"{cells[at]} (line {line})")
            continue
        first_line = table.rows[first][0]
        if not np.array_equal(labels[first], labels[row], equal_nan=labels.ndim == 2):
            raise table.error(
                line, f"{cells[at]} has other labels than in line {first_line}; remove one of them"
            )
        if splits[first] != splits[row]:
            raise table.error(
                line, f"{cells[at]} is in another split in line {first_line}; remove one of them"
            )
    if missing:
        remedy = "check the paths" if pictures else "check the paths, or name the pictures' folder"
        raise DatasetError(
            f"{table.path}: {len(missing)} of {len(row_of)} pictures are not in {folder}, the "
            f"first is {missing[0]}; {remedy}"
        )
    return [Path(path) for path in row_of], list(row_of.values())


def _locate(folder: Path, file: str) -> str:
    # A table made on Windows separates folders with backslashes.
    file = file.replace("\\", "/")
    path = os.path.normpath(os.path.join(folder, file))
    if os.path.exists(path):
        return path
    # The table may spell accents in one piece (NFC) and the file's name in two (NFD), as on a
    # Mac, or the other way round.
    for form in ("NFC", "NFD"):
        respelled = os.path.normpath(os.path.join(folder, unicodedata.normalize(form, file)))
        if os.path.exists(respelled):
            return respelled
    return path
