"""Output paths for a stream of pictures, no two alike."""

from __future__ import annotations

from pathlib import Path, PurePath

from cvtool.pictures.contents import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from cvtool.pictures.writing import WRITABLE_SUFFIXES

# Bytes; a name has 255 at most, also while its file is being written under a longer one.
_ROOM = 120


class OutputNames:
    """Gives every picture of a stream an output path of its own."""

    def __init__(self) -> None:
        # From each path to the last number given to it; hashes keep a stream of millions small.
        self._numbers: dict[int, int] = {}

    def claim(self, below: PurePath, suffix: str) -> Path:
        """Return `below` with a suffix that can be written, numbered if it is taken.

        Case and suffix do not tell two paths apart: some file systems ignore the one, and
        results such as labels replace the other.
        """
        if below.suffix.lower() in WRITABLE_SUFFIXES and suffix != ".mp4":
            stem, suffix = below.stem, below.suffix
        else:
            known = below.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES
            stem = below.stem if known else below.name
        wanted = _key(below.with_name(stem))
        number = self._numbers.get(wanted, 0) + 1
        name = stem if number == 1 else f"{stem}-{number}"
        while number > 1 and _key(below.with_name(name)) in self._numbers:
            number += 1
            name = f"{stem}-{number}"
        self._numbers[wanted] = number
        self._numbers.setdefault(_key(below.with_name(name)), 1)
        return Path(below.with_name(name + suffix))


def part_of_name(text: str) -> str:
    """As much of a text as there is room for in the name of a file, with a number and an ending."""
    return text.encode()[:_ROOM].decode(errors="ignore")


def _key(path: PurePath) -> int:
    return hash(str(path).casefold())
