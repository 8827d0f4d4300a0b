"""Draw what a detector's network thinks: its grid cells, and its boxes before suppression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from cvtool.detection.decoding import probabilities, sigmoid
from cvtool.detection.grid import OWN_DECODING, Decoding
from cvtool.detection.letterbox import unletterbox_boxes
from cvtool.pictures.drawing import class_colour
from cvtool.pictures.fonts import choose_font, font_of

# Cells and boxes that score less are not shown: nearly every one of thousands scores a little.
FLOOR = 0.05
# Longer side of a panel, pixels: at an input of 320, a cell of stride 8 is 16 wide.
PANEL = 640
MARGIN, LETTERS, LINE = 16, 17, 26
PAPER, INK = (255, 255, 255), (30, 30, 30)
# Boxes drawn and classes named at most; a floor of 0 would let thousands through.
MOST_BOXES, MOST_CLASSES = 1000, 20


@dataclass(frozen=True, slots=True)
class Scale:
    """What the cells of one scale say.

    Attributes:
        stride: side of a cell in pixels of the network's input.
        scores: float array (R, R): the largest objectness x class probability of each cell's
            anchors and classes, in [0, 1].
        class_ids: int array (R, R): the class that scores so.
    """

    stride: int
    scores: np.ndarray
    class_ids: np.ndarray


def read_scales(
    raw, size: int, anchors, strides: Sequence[int], decodings: Sequence[Decoding] = ()
) -> list[Scale]:
    """The most likely class of every grid cell.

    Args:
        raw: float array (P, 5 + C), the network's output, from `Detector.predict`.
        size: side of the square input, pixels.
        anchors: float array-like (S, A, 2); only A matters.
        strides: S strides in pixels.
        decodings: S `Decoding`; empty for that of cvtool's own YOLO.
    """
    scales, start = [], 0
    decodings = decodings or [OWN_DECODING] * len(strides)
    for stride, shapes, decoding in zip(strides, anchors, decodings, strict=True):
        side = size // stride
        end = start + side * side * len(shapes)
        rows = raw[start:end]
        scores = sigmoid(rows[:, 4:5]) * probabilities(rows[:, 5:], decoding)
        # The best anchor first, then the best class.
        cells = scores.reshape(side, side, len(shapes), -1).max(axis=2)
        scales.append(Scale(stride, cells.max(axis=2), cells.argmax(axis=2)))
        start = end
    return scales


def draw_grid(detector, pixels: np.ndarray, *, floor: float = FLOOR) -> np.ndarray:
    """Draw what the network thinks of a picture, seen as a whole.

    One panel a scale shows the grid cells, each in the colour of its most likely class, the more
    opaque the higher objectness x class probability. The last panel shows all boxes before
    suppression, the wider and more opaque the higher their score. Below stand the classes with
    their colours and highest scores.

    Args:
        detector: a `Detector`.
        pixels: uint8 RGB array (H, W, 3).
        floor: cells and boxes that score less are not shown, in [0, 1].
    Returns:
        uint8 RGB array of its own size: two columns of panels, 640 pixels on the longer side.
    """
    height, width = pixels.shape[:2]
    square, scale, padding = detector.fit(pixels)
    raw = detector.predict(square)
    geometry = (detector.size, detector.anchors, detector.preset.strides, detector.decodings)
    boxes, scores, class_ids = detector.decode(raw, floor)
    boxes = unletterbox_boxes(boxes, scale, padding, height, width)
    colours = np.array([class_colour(label) for label in detector.classes])

    enlarged = PANEL / max(height, width)
    ground = _dimmed(pixels, max(1, round(height * enlarged)), max(1, round(width * enlarged)))
    panels, highest = [], {}
    for cells in read_scales(raw, *geometry):
        # Where in the network's input the panel's pixels lie.
        xs, ys = (
            (np.arange(length) + 0.5) / enlarged * each + offset
            for length, each, offset in zip(
                reversed(ground.shape[:2]), np.broadcast_to(scale, 2), padding, strict=True
            )
        )
        side = len(cells.scores)
        columns, rows = (np.minimum(p // cells.stride, side - 1).astype(int) for p in (xs, ys))
        title = f"stride {cells.stride}: {side} x {side} cells, highest {cells.scores.max():.2f}"
        panels.append((title, _colour_cells(ground, cells, rows, columns, colours, floor)))
    title = f"{len(scores)} boxes before suppression"
    panels.append((title, _draw_boxes(ground, boxes * enlarged, scores, colours[class_ids])))
    for score, number in zip(scores, class_ids, strict=True):
        label = detector.classes[number]
        highest[label] = max(highest.get(label, 0.0), float(score))
    return _assemble(panels, highest, floor)


def _dimmed(pixels, height: int, width: int) -> np.ndarray:
    """The picture in dark grey, so that all colour on it is the grid's; uint8 (H, W, 3)."""
    how = cv2.INTER_AREA if height < pixels.shape[0] else cv2.INTER_LINEAR
    grey = cv2.cvtColor(cv2.resize(pixels, (width, height), interpolation=how), cv2.COLOR_RGB2GRAY)
    return np.repeat((20 + 0.5 * grey)[..., None], 3, axis=2).astype(np.uint8)


def _opacity(scores):
    """How opaque a score is drawn; the root, for most of what is to be told apart scores low."""
    return 0.95 * np.sqrt(scores)


def _colour_cells(ground, cells: Scale, rows, columns, colours, floor: float) -> np.ndarray:
    """One scale's panel; `rows` and `columns` say which cell each pixel's row and column is in."""
    scores = cells.scores[rows][:, columns]
    class_ids = cells.class_ids[rows][:, columns]
    opacity = np.where(scores >= floor, _opacity(scores), 0.0)[..., None]
    panel = ground * (1 - opacity) + colours[class_ids] * opacity
    # Thin lines between cells: what has no colour was looked at too.
    line = (np.diff(rows, prepend=rows[:1]) > 0)[:, None] | (
        np.diff(columns, prepend=columns[:1]) > 0
    )
    panel[line] = 0.85 * panel[line] + 0.15 * 255
    return np.round(panel).astype(np.uint8)


def _draw_boxes(ground, boxes, scores, colours) -> np.ndarray:
    """The panel of boxes, given in the panel's pixels; the best are drawn last."""
    picture = Image.fromarray(ground)
    canvas = ImageDraw.Draw(picture, "RGBA")
    order = np.argsort(scores, kind="stable")[-MOST_BOXES:]
    for number in order:
        score = float(scores[number])
        colour = (*(int(c) for c in colours[number]), round(255 * _opacity(score)))
        x1, y1, x2, y2 = (float(edge) for edge in boxes[number])
        canvas.rectangle(
            (x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour, width=1 + round(3 * score)
        )
    return np.array(picture)


def _assemble(panels, highest: dict[str, float], floor: float) -> np.ndarray:
    """Panels two by two, each under its title, and the legend below them."""
    tall, wide = panels[0][1].shape[:2]
    # A narrow picture still needs room for its titles.
    column = max(wide, PANEL // 2)
    width = 3 * MARGIN + 2 * column
    legend = _legend(highest, floor, width - 2 * MARGIN)
    below = MARGIN + -(-len(panels) // 2) * (LINE + tall + MARGIN)
    sheet = Image.new("RGB", (width, below + len(legend) * LINE + MARGIN), PAPER)
    canvas = ImageDraw.Draw(sheet)
    for number, (title, pixels) in enumerate(panels):
        left = MARGIN + number % 2 * (column + MARGIN)
        top = MARGIN + number // 2 * (LINE + tall + MARGIN)
        canvas.text((left, top), title, font=font_of(None, LETTERS), fill=INK)
        sheet.paste(Image.fromarray(pixels), (left, top + LINE))
    for number, entries in enumerate(legend):
        for entry in entries:
            left, top = MARGIN + entry.left, below + number * LINE
            if entry.colour is not None:
                canvas.rectangle((left, top, left + LETTERS, top + LETTERS), fill=entry.colour)
                left += LETTERS + LETTERS // 2
            canvas.text((left, top), entry.text, font=font_of(entry.face, LETTERS), fill=INK)
    return np.array(sheet)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A text of the legend, with the colour it explains."""

    left: int
    text: str
    face: str | None
    colour: tuple[int, int, int] | None


def _legend(highest: dict[str, float], floor: float, width: int) -> list[list[_Entry]]:
    """The lines of the legend: the classes by falling score, as many a line as the width allows."""
    best = sorted(highest.items(), key=lambda item: -item[1])
    texts = [(f"{label} {score:.2f}", class_colour(label)) for label, score in best[:MOST_CLASSES]]
    if len(best) > MOST_CLASSES:
        texts.append((f"and {len(best) - MOST_CLASSES} more", None))
    note = f"Highest score of each class; what scores less than {floor:g} is not shown."
    lines = [[_Entry(0, note if texts else f"Nothing scores {floor:g} or more.", None, None)]]
    left = width  # so that the first one begins a line
    for words, colour in texts:
        text, face = choose_font(words)
        wide = 4 * LETTERS + round(font_of(face, LETTERS).getlength(text))
        if left + wide > width:
            lines.append([])
            left = 0
        lines[-1].append(_Entry(left, text, face, colour))
        left += wide
    return lines
