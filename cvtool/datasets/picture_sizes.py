"""Sizes of picture files, from their headers."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from PIL import Image

from cvtool.errors import PictureError
from cvtool.pictures.reading import read_picture

# Of these the header tells what `read_picture` will make of the pixels. In TIFF and others, the tag
# of the orientation may stand anywhere, or be applied already.
_QUICK_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_ORIENTATION_TAG = 0x0112
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_TAGS = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
_TURNED_SIDEWAYS = (5, 6, 7, 8)


def read_sizes(paths: Iterable[str | os.PathLike]) -> Iterator[tuple[int, int] | PictureError]:
    """Width and height in pixels of each picture, upright, as `read_picture` would give it.

    Pixels are decoded only where the header does not say enough, so that damaged ones are not
    found.

    Yields:
        for each path its size, or why it cannot be read.
    """
    with _large_pictures():
        for path in paths:
            yield _read_size(path)


@contextmanager
def _large_pictures() -> Iterator[None]:
    """Pillow's limit is against decoding, and its warning would reach the terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _read_size(path: str | os.PathLike) -> tuple[int, int] | PictureError:
    # Whatever goes wrong here, the project's reader judges whether the file is damaged.
    with suppress(Exception), Image.open(path, formats=_QUICK_FORMATS) as image:
        width, height = image.size
        if image.format != "PNG" or not _tagged_at_its_end(path):
            if _is_turned(image):
                width, height = height, width
            return width, height
    try:
        height, width = read_picture(os.fspath(path)).shape[:2]
    except PictureError as error:
        return error
    return width, height


def _tagged_at_its_end(path: str | os.PathLike) -> bool:
    """Whether a PNG has, after its pixels, a chunk that may hold the tag of the orientation."""
    with open(path, "rb") as stream:
        stream.seek(len(_PNG_START))
        pixels = False
        while len(head := stream.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            pixels |= kind == b"IDAT"
            if pixels and kind in _PNG_TAGS:
                return True
            stream.seek(length + 4, os.SEEK_CUR)  # the checksum too
    return False


def _is_turned(image: Image.Image) -> bool:
    if "exif" not in image.info and "Raw profile type exif" not in image.info:
        return False
    with suppress(Exception):
        # Of the base class: PNG's own method decodes the pixels first.
        return Image.Image.getexif(image).get(_ORIENTATION_TAG, 1) in _TURNED_SIDEWAYS
    return False
