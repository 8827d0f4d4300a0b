"""What is wrong in a data set, a finding at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cvtool.errors import DatasetError

# Kind -> words for a summary's headings. The order is that of a listing.
FAULTS = {
    "missing picture": "pictures that are not there",
    "unreadable picture": "pictures that cannot be read",
    "missing mask": "pictures without a mask",
    "wrong size": "pictures of another size than their labels say",
    "unreadable label": "labels that cannot be understood",
    "unknown class": "boxes or pixels of unknown classes",
    "all void": "masks that are void everywhere",
    "outside": "boxes outside of their picture",
    "no area": "boxes without area",
    "twice": "pictures, masks or boxes that are there twice",
    "one picture": "sets of a single picture",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, with its place.

    Attributes:
        kind: a key of FAULTS.
        file: the file to mend: a label file, or a picture.
        message: what is wrong, one line without the place.
        line: of a text file, counted from 1; None where lines mean nothing.
        picture: the picture whose labels are affected; None if it concerns none.
        split: "train", "dev" or "test" where only that split is concerned; "" where that is not
            known, or the data set has none.
    """

    kind: str
    file: Path
    message: str
    line: int | None = None
    picture: Path | None = None
    split: str = ""

    def __str__(self):
        place = f"{self.file}:{self.line}" if self.line is not None else f"{self.file}"
        return f"{place}: {self.message}"


OnFault = Callable[[Fault], object]


def in_split(on_fault: OnFault, split: str) -> OnFault:
    """Hand on faults as ones of this split, where they do not name one."""
    return lambda fault: on_fault(fault if fault.split else replace(fault, split=split))


def refuse(fault: Fault) -> None:
    """The way to meet faults where none is tolerated.

    Raises:
        DatasetError: always.
    """
    raise DatasetError(str(fault))
