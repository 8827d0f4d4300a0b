"""Boxes and labels on a picture, at a size that suits the picture."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from cvtool.pictures.fonts import choose_font, font_of

# Hue tells classes apart first, then tone; dark colours are lifted until they show on a photograph.
_HUES = 18
_TONES = ((0.50, 1.00), (0.72, 1.00), (0.42, 0.85))  # (lightness, saturation)
_LEAST_LUMINANCE = 0.22
# Chosen so that the classes of the default detector get colours far apart.
_COLOUR_SALT = 22946

Rect = tuple[int, int, int, int]


def class_colour(label: str) -> tuple[int, int, int]:
    """Return the colour of a class: the same one for a label in every run and picture.

    Returns:
        (red, green, blue), each 0..255.
    """
    number = zlib.crc32(label.encode("utf-8", "surrogatepass"), _COLOUR_SALT)
    hue, tone = number % _HUES, number // _HUES % len(_TONES)
    lightness, saturation = _TONES[tone]
    while True:
        channels = colorsys.hls_to_rgb(hue / _HUES, lightness, saturation)
        colour = tuple(round(channel * 255) for channel in channels)
        if _luminance(colour) >= _LEAST_LUMINANCE:
            return colour
        lightness += 0.02


@lru_cache(maxsize=16)
def class_colours(labels: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
    """Return the colours of a model's classes: that of `class_colour` for most of them.

    Of two classes that would have the same one, the later gets another, as long as there are
    any left.
    """
    colours: list[tuple[int, int, int]] = []
    for label in labels:
        # Other texts have other colours, and those of a few hundred are all there are.
        tries = (class_colour(label + number * "'") for number in range(500))
        scarce = len(colours) >= _HUES * len(_TONES)
        free = (colour for colour in tries if scarce or colour not in colours)
        colours.append(next(free, class_colour(label)))
    return tuple(colours)


def text_colour(background: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return black or white, whichever reads better (contrast at least 4.5, WCAG 2.1)."""
    # Where both give the same contrast: (L + 0.05) / 0.05 = 1.05 / (L + 0.05).
    return (0, 0, 0) if _luminance(background) > 0.179 else (255, 255, 255)


def _luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance of an sRGB colour, 0..1 (WCAG 2.1)."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (channel / 255 for channel in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def line_width(height: int, width: int) -> int:
    """Return the width of a box's line in pixels for a picture of this size."""
    return max(1, round(1 + (height * width) ** 0.5 / 400))


def text_size(height: int, width: int) -> int:
    """Return the size of a label's letters in pixels for a picture of this size."""
    return max(11, round(5 + (height * width) ** 0.5 / 65))


def draw_boxes(
    pixels: np.ndarray,
    boxes: np.ndarray,
    labels: Sequence[str],
    scores: Sequence[float] | None = None,
) -> np.ndarray:
    """Draw labelled boxes on a copy of a picture.

    Lines and letters scale with the picture; every label lies wholly inside it, and off the
    other labels where there is room. Earlier boxes are drawn on top of later ones.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        boxes: float (N, 4), corners x1, y1, x2, y2 in pixels; parts outside are cut off, and
            boxes wholly outside or with NaN are left out.
        labels: N class names; an empty one gets no label.
        scores: N numbers 0..1 shown behind the names, or None.
    Returns:
        uint8 (H, W, 3), a new array.
    Raises:
        ValueError: lengths that differ.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if len(labels) != len(boxes) or (scores is not None and len(scores) != len(boxes)):
        raise ValueError(f"{len(boxes)} boxes need as many labels and scores")
    height, width = pixels.shape[:2]
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3])).copy()
    canvas = ImageDraw.Draw(picture)
    line = line_width(height, width)
    edge = line // 4
    shown = [(n, _inside(box, height, width)) for n, box in enumerate(boxes)]
    shown = [(n, rect) for n, rect in shown if rect is not None]
    for n, rect in reversed(shown):
        colour = class_colour(labels[n])
        # A dark edge keeps the line visible on a ground of its own colour.
        canvas.rectangle(_grown(rect, edge), outline=_darker(colour), width=line + 2 * edge)
        canvas.rectangle(rect, outline=colour, width=line)
    tags, taken = [], []
    for n, rect in shown:
        text = labels[n] if scores is None else f"{labels[n]} {scores[n]:.2f}".strip()
        tag = fit_tag(text, height, width) if text else None
        if tag is None:
            continue
        place = place_tag(rect, tag[2], line, height, width, taken)
        taken.append(place)
        tags.append((place, tag, class_colour(labels[n])))
    for place, tag, colour in reversed(tags):
        draw_tag(canvas, place, tag, colour)
    return np.array(picture)


def draw_tag(
    canvas: ImageDraw.ImageDraw, place: Rect, tag: tuple, colour: tuple[int, int, int]
) -> None:
    """Draw a label that `fit_tag` made, where `place_tag` says."""
    text, font, _, offset = tag
    canvas.rectangle(place, fill=colour)
    corner = (place[0] + offset[0], place[1] + offset[1])
    canvas.text(corner, text, font=font, fill=text_colour(colour))


def _grown(rect: Rect, by: int) -> Rect:
    return rect[0] - by, rect[1] - by, rect[2] + by, rect[3] + by


def _darker(colour: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(channel // 4 for channel in colour)


def _inside(box: np.ndarray, height: int, width: int) -> Rect | None:
    """Cut a box to the picture; None where nothing of it is left."""
    x1, y1, x2, y2 = box
    if not np.isfinite(box).all() or x2 < x1 or y2 < y1:
        return None
    if x2 < 0 or y2 < 0 or x1 > width or y1 > height:
        return None
    left, top = min(max(round(x1), 0), width - 1), min(max(round(y1), 0), height - 1)
    right, bottom = min(round(x2), width) - 1, min(round(y2), height) - 1
    return left, top, max(right, left), max(bottom, top)


def fit_tag(text: str, height: int, width: int) -> tuple | None:
    """Choose text and font so that the tag fits in the picture.

    Returns:
        (text, font, (tag width, tag height), (x, y) of the text in the tag), or None where not
        even one letter fits.
    """
    text, face = choose_font(" ".join(text.split()))
    size = text_size(height, width)
    while True:
        font = font_of(face, size)
        pad = max(2, round(size * 0.3))
        # The height is that of the font, not of these letters, so that all tags are alike.
        ascent, descent = font.getmetrics()
        tall = ascent + descent + 2 * (pad // 2)
        wide = int(np.ceil(font.getlength(text))) + 2 * pad
        if wide <= width and tall <= height:
            return text, font, (wide, tall), (pad, pad // 2)
        if size > 8:
            size -= max(1, size // 10)
        elif tall <= height and len(text) > 1:
            text = text[:-2].rstrip() + "…" if text.endswith("…") else text[:-1].rstrip() + "…"
            if text == "…":
                return None
        else:
            return None


def place_tag(
    rect: Rect, size: tuple[int, int], line: int, height: int, width: int, taken: list[Rect]
) -> Rect:
    """Find the place for a tag: by its box, inside the picture, off the tags placed before."""
    left, top, right, bottom = rect
    wide, tall = size
    corners = [
        (left, top - tall),  # on top of the box, from its left edge
        (left, top),  # inside, top left
        (right - wide + 1, top - tall),
        (right - wide + 1, top),
        (left, bottom + 1),
        (left, bottom - tall + 1),
        (right - wide + 1, bottom + 1),
        (right - wide + 1, bottom - tall + 1),
    ]
    best, least = None, None
    for x, y in corners:
        inside_x, inside_y = min(max(x, 0), width - wide), min(max(y, 0), height - tall)
        place = (inside_x, inside_y, inside_x + wide - 1, inside_y + tall - 1)
        # Being pushed back into the picture counts like covering something: little but something.
        cost = sum(overlap(place, other) for other in taken)
        cost += abs(inside_y - y) * wide
        if least is None or cost < least:
            best, least = place, cost
    return best


def overlap(a: Rect, b: Rect) -> int:
    """Return how many pixels two rectangles share."""
    across = min(a[2], b[2]) - max(a[0], b[0]) + 1
    down = min(a[3], b[3]) - max(a[1], b[1]) + 1
    return max(across, 0) * max(down, 0)
