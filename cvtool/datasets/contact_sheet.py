"""Pictures of a data set on one sheet, with their labels drawn, for a person to look at."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cvtool.datasets.boxed import DetectionDataset
from cvtool.datasets.faults import FAULTS, Fault
from cvtool.datasets.labelled import LabelledPictures
from cvtool.datasets.mask_files import read_mask
from cvtool.datasets.masked import MaskDataset
from cvtool.datasets.picture_checks import short_names
from cvtool.errors import PictureError
from cvtool.pictures.drawing import draw_boxes
from cvtool.pictures.fonts import choose_font, font_of
from cvtool.pictures.mask_drawing import draw_mask
from cvtool.pictures.reading import read_picture

_GROUND, _TILE_GROUND = (255, 255, 255), (236, 236, 236)
_INK, _FAINT_INK, _FAULT_INK = (32, 32, 32), (110, 110, 110), (190, 20, 20)
_GAP = 10
_TEXT_SIZE, _LINE = 13, 17
_FAULT_LINES = 3
# A line of a caption and its colour.
Line = tuple[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture of a sheet.

    Attributes:
        path: the picture.
        name: of the picture, as the caption gives it.
        words: what its labels say of the whole picture.
        boxes: float (N, 4) x1, y1, x2, y2 in pixels of the picture.
        labels: N class names; with a mask, the names of the class ids.
        fault: what is wrong, "" where nothing is.
        mask: function that reads the class ids, uint8 (H, W); None where there are none.
    """

    path: Path
    name: str
    words: str
    boxes: np.ndarray
    labels: tuple[str, ...]
    fault: str = ""
    mask: Callable[[], np.ndarray] | None = None


def choose_tiles(
    data: DetectionDataset | LabelledPictures | MaskDataset,
    faults: Sequence[Fault] = (),
    count: int = 24,
    seed: int = 0,
    *,
    present: Sequence[set[int]] = (),
) -> list[Tile]:
    """Choose pictures that show what is in a data set.

    First those with faults, of each kind in turn, but at most half of all; then, for each class
    that is not shown yet, rare ones first, one of its pictures as far as there is room; then any.

    Args:
        data: the data set.
        faults: found in it; those of pictures that are not in `data` are passed over.
        count: of pictures, where the data set has so many.
        seed: of the choice.
        present: for masks, the ids of the classes in each picture.
    """
    labelled = isinstance(data, LabelledPictures)
    paths = list(data.paths) if labelled else [example.path for example in data.examples]
    names = short_names(paths)
    wrong = _one_fault_each(faults)
    position = {path: number for number, path in enumerate(paths)}
    faulty = [position[path] for path in wrong if path in position][: count // 2]
    classes_of = present if isinstance(data, MaskDataset) else _classes_of(data)
    chosen = _covering(classes_of, len(data.classes), faulty, count, seed)
    tiles = []
    for number in chosen:
        fault = wrong.get(paths[number])
        message = fault.message if fault else ""
        if isinstance(data, MaskDataset):
            tiles.append(_masked_tile(data, number, names[number], message, present[number]))
        elif labelled:
            tiles.append(_labelled_tile(data, number, names[number], message))
        else:
            tiles.append(_boxed_tile(data, number, names[number], message))
    return tiles


def _one_fault_each(faults: Sequence[Fault]) -> dict[Path, Fault]:
    """Picture -> its first fault; pictures of the different kinds in turn."""
    by_kind = [[fault for fault in faults if fault.kind == kind] for kind in FAULTS]
    found: dict[Path, Fault] = {}
    for fault in chain.from_iterable(zip_longest(*by_kind)):
        if fault is not None and fault.picture is not None:
            found.setdefault(fault.picture, fault)
    return found


def _classes_of(data: DetectionDataset | LabelledPictures) -> list[set[int]]:
    if isinstance(data, DetectionDataset):
        return [set(example.class_ids.tolist()) for example in data.examples]
    if data.several:
        return [set(np.flatnonzero(row == 1).tolist()) for row in data.labels]
    return [{label} for label in data.labels.tolist()]


def _covering(
    classes_of: Sequence[set[int]],
    classes: int,
    first: Sequence[int],
    count: int,
    seed: int,
) -> list[int]:
    """Places of up to `count` pictures, after those that come first, covering the classes."""
    order = np.random.default_rng(seed).permutation(len(classes_of)).tolist()
    pictures_of: list[list[int]] = [[] for _ in range(classes)]
    for number in order:
        for label in classes_of[number]:
            pictures_of[label].append(number)
    chosen = dict.fromkeys(first)
    shown = set().union(*(classes_of[number] for number in chosen))
    for label in sorted(range(classes), key=lambda label: len(pictures_of[label])):
        if label not in shown and pictures_of[label] and len(chosen) < count:
            chosen[pictures_of[label][0]] = None
            shown |= classes_of[pictures_of[label][0]]
    for number in order:
        if len(chosen) >= count:
            break
        chosen[number] = None
    return list(chosen)


def _boxed_tile(data: DetectionDataset, number: int, name: str, fault: str) -> Tile:
    example = data.examples[number]
    boxes = f"{len(example.boxes)} box{'' if len(example.boxes) == 1 else 'es'}"
    return Tile(
        path=example.path,
        name=name,
        words=f"{example.split}, {boxes}" if example.split else boxes,
        boxes=example.boxes,
        labels=tuple(data.classes[label] for label in example.class_ids),
        fault=fault,
    )


def _labelled_tile(data: LabelledPictures, number: int, name: str, fault: str) -> Tile:
    if data.several:
        present = np.flatnonzero(data.labels[number] == 1)
        words = ", ".join(data.classes[label] for label in present) or "no label"
    else:
        words = data.classes[data.labels[number]]
    return Tile(data.paths[number], name, words, np.zeros((0, 4)), (), fault)


def _masked_tile(data: MaskDataset, number: int, name: str, fault: str, present: set[int]) -> Tile:
    example = data.examples[number]
    shown = ", ".join(data.classes[label] for label in sorted(present - {0})) or "background only"
    return Tile(
        path=example.path,
        name=name,
        words=f"{example.split}, {shown}" if example.split else shown,
        boxes=np.zeros((0, 4)),
        labels=data.classes,
        fault=fault,
        mask=partial(read_mask, example.mask, data.colours, len(data.classes)),
    )


def contact_sheet(tiles: Sequence[Tile], columns: int = 6, side: int = 320) -> np.ndarray | None:
    """Lay out pictures with their boxes or masks and captions, row by row.

    Args:
        tiles: the pictures; those that cannot be read are left out.
        columns: pictures a row, at most.
        side: of the square that each picture is fitted into, pixels.
    Returns:
        uint8 (H, W, 3) RGB; None where not one of the pictures can be read.
    """
    shown = []
    for tile in tiles:
        try:
            shown.append((_drawn(tile, side), _caption(tile, side)))
        except PictureError:
            continue
    if not shown:
        return None
    rows = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    talls = [max(pixels.shape[0] for pixels, _ in row) for row in rows]
    heights = [
        tall + _LINE * max(len(lines) for _, lines in row) + _GAP
        for row, tall in zip(rows, talls, strict=True)
    ]
    size = (_GAP + min(columns, len(shown)) * (side + _GAP), _GAP + sum(heights))
    sheet = Image.new("RGB", size, _GROUND)
    top = _GAP
    for row, tall, height in zip(rows, talls, heights, strict=True):
        for column, (pixels, lines) in enumerate(row):
            left = _GAP + column * (side + _GAP)
            _place(sheet, pixels, (left, top, left + side, top + tall))
            _write(sheet, lines, left, top + tall)
        top += height
    return np.array(sheet)


def _place(sheet: Image.Image, pixels: np.ndarray, area: tuple[int, int, int, int]) -> None:
    """Put a picture in the middle of an area: left, top, right, bottom."""
    left, top, right, bottom = area
    height, width = pixels.shape[:2]
    sheet.paste(_TILE_GROUND, area)
    corner = ((left + right - width) // 2, (top + bottom - height) // 2)
    sheet.paste(Image.fromarray(pixels), corner)


def _write(sheet: Image.Image, lines: Sequence[Line], left: int, top: int) -> None:
    canvas = ImageDraw.Draw(sheet)
    for number, (text, ink) in enumerate(lines):
        text, face = choose_font(text)
        place = (left, top + _LINE * number + _LINE // 2 + 2)
        canvas.text(place, text, font=font_of(face, _TEXT_SIZE), fill=ink, anchor="lm")


def _drawn(tile: Tile, side: int) -> np.ndarray:
    """The picture fitted into a square, with its labels; lines and letters suit that size."""
    pixels = read_picture(tile.path)
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fitted = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    if tile.mask is not None:
        mask = Image.fromarray(tile.mask()).resize(size, Image.Resampling.NEAREST)
        return draw_mask(fitted, np.asarray(mask), tile.labels)
    return draw_boxes(fitted, tile.boxes * scale, tile.labels)


def _caption(tile: Tile, room: int) -> list[Line]:
    """Lines of text with their colours, each no wider than `room` pixels."""
    lines = [(line, _INK) for line in _wrapped(tile.words, room, 1)]
    lines.append((_end_of(tile.name, room), _FAINT_INK))
    return lines + [(line, _FAULT_INK) for line in _wrapped(tile.fault, room, _FAULT_LINES)]


def _wrapped(text: str, room: int, most: int) -> list[str]:
    """The text in at most so many lines of `room` pixels, cut at its end if it is too long."""
    for width in range(room // 3, 1, -1):
        lines = textwrap.wrap(text, width, max_lines=most, placeholder=" …")
        if all(_length(line) <= room for line in lines):
            return lines
    return []


def _end_of(text: str, room: int) -> str:
    """The text, cut at its start if it is too long: of a path, the end tells more."""
    shorter = (f"…{text[start:]}" for start in range(1, len(text) + 1))
    return next(line for line in chain([text], shorter) if _length(line) <= room)


def _length(text: str) -> float:
    """Width in pixels."""
    text, face = choose_font(text)
    return font_of(face, _TEXT_SIZE).getlength(text)
