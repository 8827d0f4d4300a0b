"""A font that can write a label, at any size, on any machine."""

from __future__ import annotations

import importlib.util
import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

# Looked for by name where the system keeps fonts; each covers more alphabets than Pillow's own.
_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "msyh.ttc",
    "PingFang.ttc",
)
_PROBE_SIZE = 16
_NO_CHARACTER = "\U0010ffff"


def choose_font(text: str) -> tuple[str, str | None]:
    """Choose a font for a label.

    Pillow's bundled font writes plain Latin letters. For others a font of the system is looked
    for that has them all; where there is none, accents are left out ("café" becomes "cafe").

    Returns:
        (text to write, font name for `font_of`).
    """
    missing = frozenset(text) - _covered(None, frozenset(text))
    if not missing:
        return text, None
    for name in _found_fonts():
        if _covered(name, missing) == missing:
            return text, name
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)), None


@lru_cache(maxsize=64)
def font_of(name: str | None, size: int) -> ImageFont.FreeTypeFont:
    """Open a font at a size in pixels; None is the font bundled with Pillow."""
    return ImageFont.load_default(size=size) if name is None else ImageFont.truetype(name, size)


@lru_cache(maxsize=1024)
def _covered(name: str | None, characters: frozenset[str]) -> frozenset[str]:
    """Return those characters that do not come out as the font's box for missing ones."""
    font = font_of(name, _PROBE_SIZE)
    empty = bytes(font.getmask(_NO_CHARACTER))
    return frozenset(c for c in characters if c.isspace() or bytes(font.getmask(c)) != empty)


@lru_cache(maxsize=1)
def _found_fonts() -> tuple[str, ...]:
    found = []
    for name in (*_SYSTEM_FONTS, *_fonts_of_opencv()):
        try:
            font_of(name, _PROBE_SIZE)
        except OSError:
            continue
        found.append(name)
    return tuple(found)


def _fonts_of_opencv() -> list[str]:
    """The Linux wheels of opencv-python carry DejaVu; looked for without importing cv2."""
    spec = importlib.util.find_spec("cv2")
    folders = spec.submodule_search_locations if spec else None
    return [str(Path(folder, "qt", "fonts", "DejaVuSans.ttf")) for folder in folders or ()]
