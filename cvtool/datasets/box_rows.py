"""From rows of label files to boxes inside of their pictures, with what is wrong told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.datasets.faults import Fault, OnFault, in_split
from cvtool.datasets.picture_sizes import read_sizes
from cvtool.errors import PictureError

# How far beyond its picture's edge a box is cut without a word: pixels, and share of the side.
SLACK_PIXELS, SLACK_SHARE = 2.0, 0.01
# A box of which less lies inside of the picture was probably meant for another one.
LEAST_INSIDE = 0.2
# Pixels; less is nothing to see, and little to float32.
LEAST_SIDE = 1e-3


class Row(NamedTuple):
    """One box as a label file gives it.

    Attributes:
        box: x1, y1, x2, y2, in pixels or, where `Labels.relative`, in shares of the picture.
        class_id: position in the classes.
        line: of the label file, from 1.
        place: what names the row where lines do not, such as "annotation 7: ".
        crowd: whether it is round a group.
    """

    box: tuple[float, float, float, float]
    class_id: int
    line: int | None = None
    place: str = ""
    crowd: bool = False


@dataclass(slots=True)
class Labels:
    """What a data set says of one picture.

    Attributes:
        picture: its file, which is there.
        file: where its boxes are listed.
        rows: the boxes.
        split: "train", "dev", "test" or "".
        size: width and height as stated; None where nothing is.
        picture_id: the data set's own number; None where it has none.
        relative: whether the boxes are in shares of the picture's width and height.
    """

    picture: Path
    file: Path
    rows: list[Row] = field(default_factory=list)
    split: str = ""
    size: tuple[int, int] | None = None
    picture_id: int | None = None
    relative: bool = False


def assemble(
    layout: str,
    classes: Sequence[str],
    labels: Sequence[Labels],
    on_fault: OnFault,
    *,
    category_ids: Sequence[int] | None = None,
    trust_sizes: bool = False,
) -> DetectionDataset:
    """Make the data set of what a reader found.

    A box is cut at the picture's edges: silently up to 2 pixels or 1 % of the side, else with a
    fault. It is left out if less than a fifth of it lies inside, if it has no area, or if it is
    there already. A picture is left out if its header cannot be read, if it has another size than
    stated, or if it is there already.

    Args:
        layout, classes, category_ids: of the data set; categories are numbered from 1 when None.
        labels: of the pictures, in order.
        on_fault: called with each fault.
        trust_sizes: take the sizes stated, and open no picture.
    """
    examples: list[Example] = []
    seen: dict[Path, Labels] = {}
    sizes = (one.size for one in labels)
    if not trust_sizes:
        sizes = read_sizes([one.picture for one in labels])
    for number, (one, size) in enumerate(zip(labels, sizes, strict=True), 1):
        report = in_split(on_fault, one.split)
        first = seen.setdefault(one.picture, one)
        if first is not one:
            report(_listed_twice(one, first))
            continue
        if isinstance(size, PictureError):
            words = str(size).removeprefix(f"{one.picture}: ")
            report(Fault("unreadable picture", one.picture, words, picture=one.picture))
            continue
        if one.size is not None and one.size != size:
            report(_wrong_size(one, size))
            continue
        boxes, class_ids, crowd = _fit_all(one, *size, report)
        examples.append(
            Example(
                path=one.picture,
                boxes=boxes,
                class_ids=class_ids,
                width=size[0],
                height=size[1],
                picture_id=number if one.picture_id is None else one.picture_id,
                crowd=crowd,
                split=one.split,
            )
        )
    if category_ids is None:
        category_ids = range(1, len(classes) + 1)
    return DetectionDataset(tuple(classes), tuple(examples), tuple(category_ids), layout)


def _listed_twice(labels: Labels, first: Labels) -> Fault:
    if labels.split != first.split:
        where = f"is in {first.split or 'no split'} and in {labels.split or 'no split'}"
    elif labels.file != first.file:
        where = f"has labels in {first.file.name} already"
    else:
        where = "is listed twice"
    message = f"picture {labels.picture.name} {where}; the first counts"
    return Fault("twice", labels.file, message, picture=labels.picture)


def _wrong_size(labels: Labels, size: tuple[int, int]) -> Fault:
    turned = size == labels.size[::-1]
    message = (
        f"the labels are for {labels.size[0]} x {labels.size[1]} pixels, but "
        f"{labels.picture.name} has {size[0]} x {size[1]}; "
        + ("it was turned: " if turned else "")
        + "put the labelled picture back, or label this one"
    )
    return Fault("wrong size", labels.file, message, picture=labels.picture)


def _fit_all(
    labels: Labels, width: int, height: int, on_fault: OnFault
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes inside of the picture float32 (N, 4), class ids int64 (N,) and crowd bool (N,)."""
    kept: dict[tuple, tuple[float, ...]] = {}
    for row in labels.rows:
        key = (row.box, row.class_id, row.crowd)
        kind, message, box = "", "", None
        if key in kept:
            kind, message = "twice", "the same box of the same class is there twice"
        else:
            x1, y1, x2, y2 = row.box
            scaled = (x1 * width, y1 * height, x2 * width, y2 * height)
            kind, message, box = _fit(scaled if labels.relative else row.box, width, height)
        if kind:
            on_fault(Fault(kind, labels.file, row.place + message, row.line, labels.picture))
        if box is not None:
            kept[key] = box
    return (
        np.array(list(kept.values()), np.float32).reshape(-1, 4),
        np.array([class_id for _, class_id, _ in kept], np.int64),
        np.array([crowd for _, _, crowd in kept], bool),
    )


def _fit(
    box: tuple[float, ...], width: int, height: int
) -> tuple[str, str, tuple[float, ...] | None]:
    """Kind and words of the fault, "" where there is none, and the box cut, None if left out."""
    x1, y1, x2, y2 = box
    if not all(map(math.isfinite, box)):
        return "unreadable label", f"the box {_words(box)} holds what is no number", None
    if x2 < x1 or y2 < y1:
        what = "ends left of its start" if x2 < x1 else "ends above its start"
        return "no area", f"the box {_words(box)} {what}; its corners are mixed up", None
    if min(x2 - x1, y2 - y1) < LEAST_SIDE:
        return "no area", f"the box {_words(box)} has no area; remove it or draw it again", None
    if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
        return "", "", box
    cut = (max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height)))
    inside = max(cut[2] - cut[0], 0) * max(cut[3] - cut[1], 0) / ((x2 - x1) * (y2 - y1))
    seen = min(cut[2] - cut[0], cut[3] - cut[1]) >= LEAST_SIDE
    picture = f"the picture's {width} x {height} pixels"
    slack_x = max(SLACK_PIXELS, SLACK_SHARE * width)
    slack_y = max(SLACK_PIXELS, SLACK_SHARE * height)
    if seen and max(-x1, x2 - width) <= slack_x and max(-y1, y2 - height) <= slack_y:
        return "", "", cut
    if not seen:
        return "outside", f"the box {_words(box)} lies outside of {picture}; left out", None
    if inside < LEAST_INSIDE:
        return "outside", f"the box {_words(box)} lies largely outside of {picture}; left out", None
    return "outside", f"the box {_words(box)} reaches out of {picture}; cut at the edge", cut


def _words(box: Iterable[float]) -> str:
    """For example 12, 5.5, 80, 64.25."""
    return ", ".join(f"{round(value, 2):.10g}" if math.isfinite(value) else "?" for value in box)
