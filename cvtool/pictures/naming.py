"""Output paths for a stream of pictures, no two alike."""

from __future__ import annotations

from pathlib import Path, PurePath

from cvtool.pictures.contents import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from cvtool.pictures.writing import WRITABLE_SUFFIXES


class OutputNames:
    """Gives every picture of a stream an output path of its own."""

    def __init__(self) -> None:
        # Hashes instead of paths: a stream of millions stays small.
        self._taken: set[int] = set()

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
        number = 1
        name = stem
        while hash(str(below.with_name(name)).casefold()) in self._taken:
            number += 1
            name = f"{stem}-{number}"
        self._taken.add(hash(str(below.with_name(name)).casefold()))
        return Path(below.with_name(name + suffix))
