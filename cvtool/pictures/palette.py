"""The colours that masks are shown in, a colour a class id."""

from __future__ import annotations

# A palette picture has no room for more.
MOST_COLOURS = 256
# That of id 255.
VOC_VOID = (224, 224, 192)


def voc_colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """The colours of Pascal VOC's masks (devkit, VOClabelcolormap), which most tools know.

    The bits of the id, lowest first, become the highest bits of red, green and blue in turn: 0 is
    black, 1 dark red, and 255, which stands for void, a light beige.

    Args:
        count: of class ids from 0, at most 256.
    Returns:
        for each id (R, G, B), 0..255, all of them different.
    Raises:
        ValueError: no such count.
    """
    if not 0 <= count <= MOST_COLOURS:
        raise ValueError(f"{count} colours; there are {MOST_COLOURS}")
    return tuple(_voc_colour(number) for number in range(count))


def _voc_colour(number: int) -> tuple[int, int, int]:
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (number >> bit & 1) << (7 - bit // 3)
    return tuple(channels)
