"""Looking through the boxes of a data set before a detector learns from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools import mask

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.datasets.class_counts import Counts, class_remarks, count_classes, splits_of
from cvtool.datasets.remarks import Remark

# Shares of the picture's area at which a box is no longer small, and no longer medium.
SMALL, LARGE = 0.01, 0.1
# The side of a usual detector's input, to which the longer side of a picture is resized, and that
# of the square which a box must fill there to be seen: a cell of the finest grid.
_INPUT_SIDE, _LEAST_SIDE = 320, 8
# Overlap (intersection over union) from which two boxes of a class are probably one object's.
_SAME_OBJECT = 0.9
_WHOLE_PICTURE = 0.98


@dataclass(frozen=True, slots=True, eq=False)
class BoxChecks:
    """What was found in the boxes of a data set. Boxes round groups (crowd) are left out.

    Attributes:
        counts: class -> split -> number of boxes.
        pictures: class -> split -> number of pictures with at least one.
        sizes: shares of the boxes that are "small" (under 1 % of their picture's area), "medium"
            and "large" (over 10 %); all 0 where there is no box.
        crowd: number of boxes round groups.
        remarks: by kind, then in the order of the pictures.
    """

    counts: Counts
    pictures: Counts
    sizes: dict[str, float]
    crowd: int
    remarks: list[Remark]


def check_boxes(data: DetectionDataset, affected: Collection[Path] = ()) -> BoxChecks:
    """Count the boxes, and remark on those that a person should look at.

    Remarked on are boxes that overlap an earlier one of their class by more than 0.9 (IoU); boxes
    that have an area under 8 x 8 px once the longer side of their picture is resized to 320 px, a
    usual detector's input; boxes that cover 98 % of their picture; pictures without
    boxes; and classes with fewer than 10 boxes to train on.

    Args:
        data: the data set; pictures are not opened.
        affected: pictures whose labels have faults: that boxes are missing there is known.
    """
    examples = data.examples
    names = tuple(splits_of([example.split for example in examples]))
    owners = np.repeat(np.arange(len(examples)), [len(example.boxes) for example in examples])
    single = ~_joined([example.crowd for example in examples], bool)
    boxes = _joined([example.boxes for example in examples], np.float64).reshape(-1, 4)[single]
    class_ids = _joined([example.class_ids for example in examples], np.int64)[single]
    owners = owners[single]
    splits = np.array([example.split for example in examples], str)
    # Of a class in a picture the first box only, to count pictures.
    _, firsts = np.unique(owners * len(data.classes) + class_ids, return_index=True)
    counts = count_classes(data.classes, class_ids, splits[owners], names)
    sizes = np.array([(e.width, e.height) for e in examples], np.float64).reshape(-1, 2)
    shares = _areas(boxes) / np.maximum(sizes[owners].prod(axis=1), 1)
    return BoxChecks(
        counts=counts,
        pictures=count_classes(data.classes, class_ids[firsts], splits[owners[firsts]], names),
        sizes={
            "small": _mean(shares < SMALL),
            "medium": _mean((shares >= SMALL) & (shares <= LARGE)),
            "large": _mean(shares > LARGE),
        },
        crowd=int((~single).sum()),
        remarks=[
            *class_remarks(counts, ("box", "boxes")),
            *(remark for example in examples for remark in _doubles(data, example)),
            *_tiny(data, boxes, class_ids, owners),
            *_whole(data, shares, class_ids, owners),
            *_empty(examples, affected),
        ],
    )


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *(part.ravel() for part in parts)])


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _mean(chosen: np.ndarray) -> float:
    return float(chosen.mean()) if len(chosen) else 0.0


def _doubles(data: DetectionDataset, example: Example) -> Iterator[Remark]:
    single = np.flatnonzero(~example.crowd)
    if len(single) < 2:
        return
    xywh = example.boxes[single].astype(np.float64)
    xywh[:, 2:] -= xywh[:, :2]
    class_ids = example.class_ids[single]
    overlaps = mask.iou(xywh, xywh, np.zeros(len(xywh), np.uint8))
    overlaps = np.tril(overlaps * (class_ids[:, None] == class_ids), -1)
    for later in np.flatnonzero((overlaps > _SAME_OBJECT).any(axis=1)):
        earlier = overlaps[later].argmax()
        pair = [_corners(example.boxes[single[place]]) for place in (earlier, later)]
        yield Remark(
            "double",
            f"{data.classes[class_ids[later]]} at {pair[0]} and at {pair[1]} "
            f"(IoU {overlaps[later, earlier]:.2f})",
            example.path,
            (example.path,),
        )


def _corners(box: np.ndarray) -> str:
    return ",".join(f"{value:.0f}" for value in box)


def _tiny(data, boxes, class_ids, owners) -> Iterator[Remark]:
    longer = np.array([max(e.width, e.height, 1) for e in data.examples], np.float64)
    scales = _INPUT_SIDE / longer[owners]
    for place in np.flatnonzero(_areas(boxes) * scales**2 < _LEAST_SIDE**2):
        example = data.examples[owners[place]]
        width, height = boxes[place, 2:] - boxes[place, :2]
        scale = scales[place]
        yield Remark(
            "tiny",
            f"{data.classes[class_ids[place]]} of {width:.0f} x {height:.0f} px, "
            f"{width * scale:.1f} x {height * scale:.1f} at size {_INPUT_SIDE}",
            example.path,
            (example.path,),
        )


def _whole(data, shares, class_ids, owners) -> Iterator[Remark]:
    for place in np.flatnonzero(shares >= _WHOLE_PICTURE):
        path = data.examples[owners[place]].path
        words = f"{data.classes[class_ids[place]]}, {100 * min(shares[place], 1):.0f} % of the area"
        yield Remark("whole picture", words, path, (path,))


def _empty(examples: tuple[Example, ...], affected: Collection[Path]) -> Iterator[Remark]:
    for example in examples:
        if not len(example.boxes) and example.path not in affected:
            yield Remark("empty", "no box", example.path, (example.path,))
