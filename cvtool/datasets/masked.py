"""Pictures with a class for every pixel: the one form that every reader of masks returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# The id of pixels that belong to no class, or to one that is not known.
VOID = 255


@dataclass(frozen=True, slots=True)
class MaskedPicture:
    """A picture and the file of its mask; neither has been opened for good.

    Attributes:
        path: the picture's file.
        mask: the mask's file, of the picture's size.
        split: "train", "dev", "test", or "" where the data set does not say.
    """

    path: Path
    mask: Path
    split: str = ""


@dataclass(frozen=True, slots=True)
class MaskDataset:
    """Pictures for segmentation.

    Attributes:
        classes: names, in the order of the class ids; the first is the background.
        examples: MaskedPicture, N of them.
        colours: for masks in colours, each class's (R, G, B), in the order of the class ids;
            None where the masks hold class ids.
    """

    classes: tuple[str, ...]
    examples: tuple[MaskedPicture, ...]
    colours: tuple[tuple[int, int, int], ...] | None = None

    def subset(self, positions: Iterable[int]) -> MaskDataset:
        """The examples at those positions, in that order."""
        kept = tuple(self.examples[position] for position in positions)
        return MaskDataset(self.classes, kept, self.colours)
