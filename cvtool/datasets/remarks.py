"""What a person should know of a data set, though nothing in it is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Kind -> words for a summary's headings. The order is that of a listing: what spoils scores first.
REMARKS = {
    "across splits": "pictures in more than one split, the same or nearly so",
    "two classes": "pictures under more than one class, the same or nearly so",
    "untrained": "classes with nothing to train on",
    "rare": "classes with little to train on",
    "double": "boxes nearly on top of another of their class",
    "duplicate": "pictures that are there more than once, the same or nearly so",
    "tiny": "boxes under 8 x 8 px at size 320, which a detector of that size can hardly see",
    "whole picture": "boxes that fill the whole picture",
    "empty": "pictures without boxes, or whose mask is background only",
    "unmasked": "pictures without a mask, where that is no fault",
    "odd": "pictures of an odd size or shape",
}


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding that may be as it should be.

    Attributes:
        kind: a key of REMARKS.
        message: one line; names what it is about where `file` is None.
        file: the one file that it is about, not in the message.
        pictures: all pictures that it is about.
    """

    kind: str
    message: str
    file: Path | None = None
    pictures: tuple[Path, ...] = ()

    def __str__(self):
        return self.message if self.file is None else f"{self.file}: {self.message}"
