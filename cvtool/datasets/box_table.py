"""Object boxes in a table: a CSV file with a line for each box."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cvtool.datasets.box_rows import Labels, Row, assemble
from cvtool.datasets.boxed import DetectionDataset
from cvtool.datasets.faults import Fault, OnFault, in_split, refuse
from cvtool.datasets.labelled import SPLIT_NAMES
from cvtool.datasets.listed_pictures import NoPictures, picture_finder
from cvtool.datasets.split_files import files_by_split
from cvtool.datasets.tables import FILE_COLUMNS, SPLIT_COLUMNS, find_column, read_rows, rows_of
from cvtool.errors import DatasetError
from cvtool.pictures.finding import natural_key

_SUFFIXES = (".csv", ".tsv")
_CLASS_COLUMNS = (
    "class",
    "label",
    "category",
    "class_name",
    "classname",
    "label_name",
    "category_name",
    "name",
    "cell_type",
    "type",
)
_CORNER_COLUMNS = (
    ("x1", "xmin", "x_min", "left"),
    ("y1", "ymin", "y_min", "top"),
    ("x2", "xmax", "x_max", "right"),
    ("y2", "ymax", "y_max", "bottom"),
)
_SIDE_COLUMNS = (
    ("x", "bbox_x", "left"),
    ("y", "bbox_y", "top"),
    ("width", "w", "bbox_width", "box_width"),
    ("height", "h", "bbox_height", "box_height"),
)
_PICTURE_FOLDERS = ("", "images", "JPEGImages", "pictures")
_HEAD = 16384


@dataclass(frozen=True, slots=True)
class _Columns:
    """Positions of the columns; None for those that a table lacks."""

    file: int
    box: tuple[int, int, int, int]
    label: int
    corners: bool = True
    split: int | None = None
    size: tuple[int, int] | None = None


def is_box_table(path: Path) -> bool:
    """Whether a file is a table of boxes, from its name and first lines."""
    if path.suffix.lower() not in _SUFFIXES or not path.is_file():
        return False
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
        # The last line may be cut.
        whole = head if len(head) < _HEAD else head[: head.rfind(b"\n") + 1]
        rows = rows_of(path, whole.decode("utf-8-sig"))
        return bool(rows) and _columns(rows[0][1]) is not None
    except (OSError, UnicodeDecodeError, DatasetError):
        return False


def find_box_tables(folder: Path) -> list[tuple[Path, str]]:
    """The tables of boxes in a folder, each with its split; see `files_by_split`."""
    return files_by_split(folder, ("annotations", "labels"), _SUFFIXES, is_box_table)


def read_box_table(
    path: str | Path, pictures: str | Path | None = None, *, on_fault: OnFault = refuse
) -> DetectionDataset:
    """Read the boxes of a CSV file, or of those of a folder.

    The header names, in any order, the picture's file (file, filename, image, path ...), the class
    (class, label, category, name, cell_type ...) and the box in pixels: x1, y1, x2, y2, or xmin,
    ymin, xmax, ymax, or x, y, width, height. A column split (or subset) may say train, val or
    test, and width and height beside corners the picture's size. Without a header the columns are
    file, x1, y1, x2, y2, class. A line without coordinates is a picture without boxes. Classes
    are in natural order.

    Args:
        path: a file; or a folder with one, or with one for each split.
        pictures: folder that the files are relative to; when None, the table's own, or images or
            JPEGImages in it or beside it.
        on_fault: called with each fault.
    Raises:
        DatasetError: no such table, none of its pictures is there, or no line has a box.
    """
    path = Path(path)
    files = find_box_tables(path) if path.is_dir() else [(path, "")]
    if not files:
        raise DatasetError(f"{path}: no .csv file with columns of boxes in it; name the file")
    if pictures is not None and not Path(pictures).is_dir():
        raise DatasetError(f"{pictures}: no such folder of pictures")
    found: dict[tuple[Path, Path, str], Labels] = {}
    names: list[str] = []
    for file, split in files:
        try:
            _read_table(file, split, pictures, in_split(on_fault, split), found, names)
        except NoPictures as error:
            if len(files) == 1:
                raise
            message = str(error).removeprefix(f"{file}: ")
            on_fault(Fault("missing picture", file, message, split=split))
    if not found:
        raise DatasetError(
            f"{files[0][0]}: none of its pictures is there; name the folder of the pictures "
            "(--pictures)"
        )
    classes = sorted(set(names), key=natural_key)
    if not classes:
        raise DatasetError(f"{files[0][0]}: no line has a box and a class")
    position = {name: number for number, name in enumerate(classes)}
    renumbered = [position[name] for name in names]
    for labels in found.values():
        labels.rows = [row._replace(class_id=renumbered[row.class_id]) for row in labels.rows]
    return assemble("CSV", classes, list(found.values()), on_fault)


def _read_table(
    file: Path,
    split: str,
    pictures: str | Path | None,
    on_fault: OnFault,
    found: dict[tuple[Path, Path, str], Labels],
    names: list[str],
) -> None:
    """Add the table's pictures to `found`; a row's class_id is the position in `names`."""
    rows = read_rows(file, "write file,x1,y1,x2,y2,class and the boxes below")
    columns = _columns(rows[0][1])
    if columns is None:
        raise DatasetError(
            f"{file}: no table of boxes (its columns: {', '.join(rows[0][1])}); the first line "
            "must name the columns: file,x1,y1,x2,y2,class"
        )
    width = len(rows[0][1])
    if not _is_headless(rows[0][1]):
        rows = rows[1:]
    find = _finder(file, pictures)
    where_is: dict[str, Path | None] = {}
    missing = []
    for line, cells in rows:
        if len(cells) != width:
            message = f"has {len(cells)} cells, but the first line {width}"
            on_fault(Fault("unreadable label", file, message, line))
            continue
        name = cells[columns.file]
        if not name:
            on_fault(Fault("unreadable label", file, "names no picture; fill it in", line))
            continue
        if name not in where_is:
            where_is[name] = find(name)
            if where_is[name] is None:
                missing.append((line, name))
        picture = where_is[name]
        if picture is None:
            continue
        kind, message, own_split = _split(cells, columns, split)
        size = _size(cells, columns)
        key = (picture, file, own_split)
        labels = found.setdefault(key, Labels(picture, file, split=own_split, size=size))
        if not message and any(cells[at] for at in columns.box):
            message, box = _box(cells, columns)
            label = unicodedata.normalize("NFC", cells[columns.label])
            if not message and not label:
                message = "names no class; fill it in"
            if not message:
                names.append(label)
                labels.rows.append(Row(box, len(names) - 1, line))
        if message:
            on_fault(Fault(kind, file, message, line, picture))
    if missing and len(missing) == len(where_is):
        raise NoPictures(
            f"{file}: none of its {len(missing)} pictures is there, the first is {missing[0][1]} "
            f"(line {missing[0][0]}); name the folder of the pictures (--pictures)"
        )
    for line, name in missing:
        message = f"picture {name} is not there; check the path"
        on_fault(Fault("missing picture", file, message, line, file.parent / name))


def _columns(first: list[str]) -> _Columns | None:
    """The columns that the first line tells; None if it tells of no boxes."""
    if _is_headless(first):
        return _Columns(0, (1, 2, 3, 4), 5)
    file, label = find_column(first, FILE_COLUMNS), find_column(first, _CLASS_COLUMNS)
    corners = [find_column(first, names) for names in _CORNER_COLUMNS]
    sides = [find_column(first, names) for names in _SIDE_COLUMNS]
    box = sides if None in corners else corners
    if file is None or label is None or None in box:
        return None
    has_corners = box is corners
    size = (
        (find_column(first, ("width",)), find_column(first, ("height",)))
        if has_corners
        else (None, None)
    )
    return _Columns(
        file,
        tuple(box),
        label,
        has_corners,
        find_column(first, SPLIT_COLUMNS),
        None if None in size else size,
    )


def _is_headless(cells: list[str]) -> bool:
    """Whether a first line is a box already, or a picture without one, as keras-retinanet has."""
    if len(cells) != 6 or "." not in cells[0]:
        return False
    return not any(cells[1:]) or (all(map(_is_number, cells[1:5])) and not _is_number(cells[5]))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _finder(file: Path, pictures: str | Path | None) -> Callable[[str], Path | None]:
    if pictures is not None:
        return picture_finder([Path(pictures)])
    roots = (file.parent, file.absolute().parent.parent)
    return picture_finder([root / name for root in roots for name in _PICTURE_FOLDERS])


def _split(cells: list[str], columns: _Columns, split: str) -> tuple[str, str, str]:
    """Kind and words of a fault, and the split of a line."""
    kind = "unreadable label"
    if columns.split is None or not (text := cells[columns.split]):
        return kind, "", split
    own = SPLIT_NAMES.get(text.casefold())
    if own is None:
        return kind, f"the split {text!r:.40} is unknown; write train, val or test", split
    return kind, "", own


def _size(cells: list[str], columns: _Columns) -> tuple[int, int] | None:
    if columns.size is None:
        return None
    try:
        width, height = (int(float(cells[at])) for at in columns.size)
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _box(cells: list[str], columns: _Columns) -> tuple[str, tuple[float, ...]]:
    """Words of a fault, and x1, y1, x2, y2."""
    texts = [cells[at] for at in columns.box]
    try:
        numbers = tuple(float(text) for text in texts)
    except ValueError:
        return f"the box {', '.join(texts)} does not hold four numbers", ()
    x, y, right, bottom = numbers
    return "", numbers if columns.corners else (x, y, x + right, y + bottom)
