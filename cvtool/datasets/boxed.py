"""Pictures with the boxes of their objects: one form, whatever the layout on disk."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One picture with its true boxes.

    Attributes:
        path: the picture's file.
        boxes: float32 (N, 4) x1, y1, x2, y2 in pixels, inside the picture.
        class_ids: int64 (N,), positions in the data set's `classes`.
        width, height: pixels, as the data set states them.
        picture_id: the data set's own number of the picture.
        crowd: bool (N,), True for a box round a group, which training leaves out
            and evaluation ignores. Empty means that no box is one.
        split: "train", "dev" or "test" as the data set says, "" where it says nothing.
    """

    path: Path
    boxes: np.ndarray
    class_ids: np.ndarray
    width: int
    height: int
    picture_id: int
    crowd: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    split: str = ""

    def __post_init__(self):
        if len(self.crowd) != len(self.boxes):
            object.__setattr__(self, "crowd", np.zeros(len(self.boxes), bool))


@dataclass(frozen=True, slots=True, eq=False)
class DetectionDataset:
    """Pictures with boxes.

    Attributes:
        classes: names, in the order of class_ids.
        examples: the pictures, in the order of the file.
        category_ids: the data set's own number of each class.
        layout: in words, such as "YOLO" or "COCO".
    """

    classes: tuple[str, ...]
    examples: tuple[Example, ...]
    category_ids: tuple[int, ...]
    layout: str = "COCO"

    def subset(self, positions) -> DetectionDataset:
        """The data set with the examples at these positions only, in their order."""
        return replace(self, examples=tuple(self.examples[i] for i in positions))
