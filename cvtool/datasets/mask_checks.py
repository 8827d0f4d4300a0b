"""Looking through the masks of a data set before a network learns from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from cvtool.datasets.class_counts import Counts, class_remarks, splits_of
from cvtool.datasets.faults import Fault
from cvtool.datasets.mask_files import read_mask
from cvtool.datasets.mask_pixels import MaskError
from cvtool.datasets.masked import VOID, MaskDataset, MaskedPicture
from cvtool.datasets.remarks import Remark
from cvtool.engines import usable_cores

# Masks handed to the threads at a time, so that a break need not wait for all of them.
_BATCH = 256


@dataclass(frozen=True, slots=True, eq=False)
class MaskChecks:
    """What was found in the masks of a data set. Only sound masks are counted.

    Attributes:
        pixels: class -> split -> number of pixels.
        pictures: class -> split -> number of pictures that show it.
        void: split -> number of pixels that are void.
        sound: places in the data set of the masks without a fault.
        present: for each of these, the ids of the classes in it.
        faults: of the others, in their order.
        remarks: by kind, then in the order of the pictures.
    """

    pixels: Counts
    pictures: Counts
    void: dict[str, int]
    sound: list[int]
    present: list[set[int]]
    faults: list[Fault]
    remarks: list[Remark]


def check_masks(
    data: MaskDataset,
    shapes: Sequence[tuple[int, int]],
    on_mask: Callable[[], object] | None = None,
    threads: int | None = None,
) -> MaskChecks:
    """Read every mask and count its pixels.

    Faults are masks that `read_mask` refuses and those that are void everywhere. Remarked on are
    masks that show nothing but background (the first class), and classes other than that in fewer
    than 10 pictures to train on.

    Args:
        data: N pictures with masks.
        shapes: N heights and widths of the pictures.
        on_mask: called without arguments, in this thread, after each mask.
        threads: that read; as many as there are CPU cores when None.
    """
    pixels = np.zeros((len(data.examples), VOID + 1), np.int64)
    faults, sound = [], []
    with ThreadPoolExecutor(threads or usable_cores(), "cvtool-check") as pool:
        for start in range(0, len(data.examples), _BATCH):
            batch = slice(start, start + _BATCH)
            looks = pool.map(partial(_look, data), data.examples[batch], shapes[batch])
            for place, look in enumerate(looks, start):
                if isinstance(look, Fault):
                    faults.append(look)
                else:
                    sound.append(place)
                    pixels[place] = look
                if on_mask is not None:
                    on_mask()
    examples, pixels = [data.examples[place] for place in sound], pixels[sound]
    splits = [example.split for example in examples]
    counts, pictures, void = _count(data.classes, pixels, splits)
    foreground = {name: pictures[name] for name in data.classes[1:]}
    return MaskChecks(
        pixels=counts,
        pictures=pictures,
        void=void,
        sound=sound,
        present=[set(np.flatnonzero(row).tolist()) for row in pixels[:, :VOID]],
        faults=faults,
        remarks=[
            *class_remarks(foreground, ("picture", "pictures")),
            *(
                Remark("empty", "background only", example.path, (example.path,))
                for example, row in zip(examples, pixels, strict=True)
                if not row[1:VOID].any()
            ),
        ],
    )


def _look(data: MaskDataset, example: MaskedPicture, shape: tuple[int, int]) -> np.ndarray | Fault:
    """Pixels of each class id, int64 (256,), or what is wrong."""
    try:
        mask = read_mask(example.mask, data.colours, len(data.classes), shape)
    except MaskError as error:
        kind, reason = error.kind, error.reason
    else:
        counts = np.bincount(mask.ravel(), minlength=VOID + 1)
        if counts[:VOID].any():
            return counts
        kind, reason = "all void", "void everywhere"
    return Fault(kind, example.mask, reason, picture=example.path, split=example.split)


def _count(
    classes: Sequence[str], pixels: np.ndarray, splits: Sequence[str]
) -> tuple[Counts, Counts, dict[str, int]]:
    """Pixels and pictures of each class, and void pixels, by split; `pixels` is (N, 256)."""
    named = np.array([next(iter(splits_of([split]))) for split in splits], str)
    in_split = {split: pixels[named == split] for split in splits_of(splits)}

    def by_split(count: Callable[[np.ndarray], object]) -> dict[str, int]:
        return {split: int(count(rows)) for split, rows in in_split.items()}

    ids = range(len(classes))
    return (
        {classes[i]: by_split(lambda rows, i=i: rows[:, i].sum()) for i in ids},
        {classes[i]: by_split(lambda rows, i=i: (rows[:, i] > 0).sum()) for i in ids},
        by_split(lambda rows: rows[:, VOID].sum()),
    )
