"""The one reader: any still picture to RGB uint8, upright, in sRGB."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from cvtool.errors import PictureError
from cvtool.pictures.colour import to_rgb
from cvtool.pictures.contents import HEAD_BYTES, kind_of, remedy_for

MAX_PIXELS = 100_000_000

# Named one by one: Pillow's full list includes formats that start other programs (EPS).
_PLUGINS = ("Jpeg", "Png", "WebP", "Bmp", "Tiff", "Gif", "Avif", "Jpeg2K", "Ppm")
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "AVIF", "JPEG2000", "PPM")
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_opening = threading.Lock()


def read_picture(
    source: str | Path | bytes, *, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Read one still picture: the first frame of an animation, the first page of a TIFF.

    EXIF orientation is applied, an ICC profile is converted to sRGB, transparency is laid over
    white, and grey, palette, CMYK, 16-bit and float pixels become RGB (see `colour.to_rgb`).

    Args:
        source: a path, or the bytes of a file.
        name: what error messages call it; the path when None.
        max_pixels: a picture of more pixels is refused before any of them is decoded.
    Returns:
        uint8 array (H, W, 3), RGB, writable.
    Raises:
        PictureError: missing, empty, damaged, too large, or not a picture.
    """
    if isinstance(source, bytes):
        return _decode(BytesIO(source), name or "picture", max_pixels)
    name = str(source) if name is None else name
    try:
        with open(source, "rb") as stream:
            mode = stat.S_IFMT(os.fstat(stream.fileno()).st_mode)
            if mode == stat.S_IFREG:
                return _decode(stream, name, max_pixels)
            if mode == stat.S_IFIFO:  # such as <(curl ...) in a shell: it cannot be rewound
                return _decode(BytesIO(stream.read()), name, max_pixels)
    except FileNotFoundError:
        raise PictureError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise PictureError(f"{name}: a folder, not a picture; name a file in it") from None
    except PermissionError:
        raise PictureError(f"{name}: no permission to read it; change its access rights") from None
    except (OSError, ValueError) as error:
        raise PictureError(f"{name}: cannot be opened ({_reason(error)}); check the path") from None
    raise PictureError(f"{name}: a device, not a picture file; name a file")


def _decode(stream: BinaryIO, name: str, max_pixels: int) -> np.ndarray:
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    if not head:
        raise PictureError(f"{name}: {remedy_for('empty file')}")
    # Decoders meet damaged files with nearly any exception (OSError, SyntaxError, struct.error,
    # IndexError ...), so whatever comes out of these few lines means a damaged picture.
    try:
        image = _open(stream)
    except UnidentifiedImageError:
        kind = kind_of(head)
        why = "damaged, or of a variant that cvtool cannot read; convert it to PNG"
        why = why if kind == "picture" else remedy_for(kind)
        raise PictureError(f"{name}: {why}") from None
    except Exception as error:
        raise _damaged(name, error) from None
    with image:
        _check_size(image, name, max_pixels)
        try:
            image.load()
            upright = _upright(image)
            return np.array(to_rgb(upright))
        except MemoryError:
            width, height = image.size
            raise PictureError(
                f"{name}: not enough memory for {width} x {height} pixels; make it smaller"
            ) from None
        except Exception as error:
            raise _damaged(name, error) from None


def _open(stream: BinaryIO) -> Image.Image:
    """Read the header only. Pillow's own pixel limit is one number for the whole process.

    It is lifted while the header is read, because `max_pixels` takes its place right after.
    """
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(stream, formats=_known_formats())
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@lru_cache(maxsize=1)
def _known_formats() -> tuple[str, ...]:
    """Load Pillow's plugins for our formats; an older Pillow has none for AVIF."""
    for plugin in _PLUGINS:
        with suppress(ImportError):
            import_module(f"PIL.{plugin}ImagePlugin")
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PictureError(
            f"{name}: {width} x {height} pixels are {width * height / 1e6:.3g} megapixels, over "
            f"the limit of {max_pixels / 1e6:g}; raise it (--max-pixels) if you trust the file"
        )


def _upright(image: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose: it writes the EXIF block anew, and fails where a camera left
    # an odd tag in it. An unreadable block means no orientation, not an unreadable picture.
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
        turn = _UPRIGHT.get(orientation)
    except Exception:
        return image
    if turn is None:
        return image
    turned = image.transpose(turn)
    turned.info = image.info
    return turned


def _damaged(name: str, error: Exception) -> PictureError:
    reason = _reason(error)
    word = "cut off" if "truncated" in reason or isinstance(error, EOFError) else "damaged"
    return PictureError(f"{name}: the file is {word} ({reason}); make or download it again")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
