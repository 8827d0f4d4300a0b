"""Tables that people keep their labels in: CSV files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from cvtool.errors import DatasetError

# Headers that tables found in the wild give these columns, in lower case.
FILE_COLUMNS = (
    "file",
    "filename",
    "file_name",
    "file name",
    "filepath",
    "file_path",
    "path",
    "image",
    "image_path",
    "image_name",
    "picture",
)
SPLIT_COLUMNS = ("split", "subset")

# Characters of the first line that tell the separator.
_TOLD_BY = 10_000


def find_column(header: list[str], names: tuple[str, ...]) -> int | None:
    """Position of the column with the first of these names (lower case) that there is."""
    folded = [name.casefold() for name in header]
    return next((folded.index(name) for name in names if name in folded), None)


def read_rows(path: Path, remedy: str) -> list[tuple[int, list[str]]]:
    """Read a CSV file in UTF-8, with commas, semicolons or tabs.

    Args:
        path: the file.
        remedy: what to do if it is empty.
    Returns:
        The lines that hold something: number of the line, and its cells without white space
        round them; the header, if there is one, first. At least one line.
    Raises:
        DatasetError: it cannot be read, is empty or is no CSV; the message names the line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file; name the CSV file of the labels") from None
    except IsADirectoryError:
        raise DatasetError(f"{path}: a folder; name the CSV file in it") from None
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror}); change its access rights"
        ) from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: not text in UTF-8; save it as CSV UTF-8") from None
    rows = rows_of(path, text)
    if not rows:
        raise DatasetError(f"{path}: the file is empty; {remedy}")
    return rows


def rows_of(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """The lines of a CSV file's text, as `read_rows` gives them; `path` is for the error."""
    if not text.strip():
        return []
    rows = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise DatasetError(f"{path}: line {reader.line_num}: not CSV ({error}); mend it") from None
    return rows


def _delimiter(text: str) -> str:
    """The separator that cuts the first line into the most cells; a comma where none does."""
    # Of a cell that is too long for a CSV, the reader tells the line.
    first_line = next(line for line in text.splitlines() if line.strip())[:_TOLD_BY]
    return max(",;\t", key=lambda mark: len(next(csv.reader([first_line], delimiter=mark))))
