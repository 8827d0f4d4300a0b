"""Files with the names of a model's classes."""

from __future__ import annotations

from pathlib import Path

from cvtool.errors import ModelError


def read_names(path: str | Path) -> list[str]:
    """The classes of a file with one name a line; empty lines at its end do not count.

    Raises:
        ModelError: it cannot be read, or has an empty line or a name twice.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().split("\n")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path}: not text in UTF-8; save it as such") from None
    names = [line.strip() for line in lines]
    for number, name in enumerate(names, 1):
        if not name:
            raise ModelError(f"{path}, line {number}: empty; write a class's name on each line")
        first = names.index(name) + 1
        if first < number:
            raise ModelError(
                f'{path}, line {number}: "{name}" is on line {first} already; '
                "give each class a name of its own"
            )
    return names
