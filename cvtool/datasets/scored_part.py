"""Which pictures of a data set a model is scored on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from cvtool.datasets.boxed import DetectionDataset
from cvtool.datasets.faults import Fault, OnFault
from cvtool.datasets.masked import MaskDataset
from cvtool.errors import DatasetError

Dataset = TypeVar("Dataset", DetectionDataset, MaskDataset)


def scored_part(
    data: Dataset,
    path: str | Path,
    split: str | None,
    faults: Iterable[Fault],
    on_fault: OnFault,
    pick: Callable[[Sequence[int]], Iterable[int]],
) -> Dataset:
    """The pictures of one split.

    Args:
        data: all that was read.
        path: where from, for messages.
        split: "train", "dev" or "test"; None takes the test pictures if there are any, or else
            dev, or else all.
        faults: of all that was read.
        on_fault: called with each of them, but for those of other splits or other pictures.
        pick: takes from the positions of the split's pictures those to score.
    Raises:
        DatasetError: no pictures of that split.
    """
    splits = [example.split for example in data.examples]
    if split is not None and split not in splits:
        others = ", ".join(sorted(set(splits) - {""})) or "none at all"
        raise DatasetError(f"{path}: has no split {split} (its splits: {others})")
    if split is None:
        split = next((name for name in ("test", "dev") if name in splits), None)
    part = data.subset(pick([at for at, name in enumerate(splits) if split in (None, name)]))
    others = {example.path for example in data.examples}
    others -= {example.path for example in part.examples}
    for fault in faults:
        if fault.split in ("", split or fault.split) and fault.picture not in others:
            on_fault(fault)
    return part


def split_of(data: DetectionDataset | MaskDataset) -> str | None:
    """The split that all pictures are in, None where there is none."""
    splits = {example.split for example in data.examples}
    return (splits.pop() or None) if len(splits) == 1 else None
