"""The pixels of mask files: class ids, or colours that stand for classes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from cvtool.errors import DatasetError, PictureError
from cvtool.pictures.reading import MAX_PIXELS, read_picture

MASK_SUFFIXES = frozenset([".png", ".bmp", ".dib", ".tif", ".tiff", ".gif"])
LOSSY_SUFFIXES = frozenset([".jpg", ".jpeg", ".jpe", ".jfif"])
LOSSY = (
    "a JPEG, which blurs the class ids at every edge; export the masks as PNG from where they "
    "were drawn"
)
_JPEG_START = b"\xff\xd8\xff"
_READERS = {
    b"\x89PNG": PngImageFile,
    b"GIF8": GifImageFile,
    b"II*\0": TiffImageFile,
    b"II+\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"MM\0+": TiffImageFile,
    b"BM": BmpImageFile,
}
# Pillow spreads 2 and 4 bits over 0..255: what its values are multiples of then.
_STEPS = {"L;2": 85, "L;4": 17}
_NUMBERS = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N")
_COLOURS = ("RGB", "RGBA", "LA", "PA")
# Void in 16 bits, as 255 is in 8.
_VOID_16 = 65535


class MaskError(DatasetError):
    """A mask that cannot be used.

    Attributes:
        kind: a key of `faults.FAULTS`.
        reason: what is wrong, one line without the file.
    """

    def __init__(self, path: str | Path, kind: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.kind, self.reason = kind, reason


@dataclass(frozen=True, slots=True, eq=False)
class MaskPixels:
    """The pixels of a mask, upright.

    Attributes:
        image: as Pillow read it.
        step: of grey pixels of 2 or 4 bits: what `image` holds times over; else 1.
    """

    image: Image.Image
    step: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.image.height, self.image.width

    def ids(self) -> np.ndarray | None:
        """The class ids: grey values, numbers in the palette, or 1 where one bit is set.

        Returns:
            int of any kind (H, W); None where the pixels are colours other than grey.
        """
        if self.image.mode not in _COLOURS:
            values = np.array(self.image, np.uint8 if self.image.mode == "1" else None)
            if values.dtype.kind == "u" and values.itemsize == 2:
                values = np.where(values == _VOID_16, 255, values)
            return values // self.step if self.step > 1 else values
        colours = self.colours()
        grey = np.ascontiguousarray(colours[..., 0])
        if (colours == grey[..., None]).all():
            return grey
        return None

    def colours(self) -> np.ndarray:
        """The pixels as they look: uint8 (H, W, 3) RGB.

        What is wholly transparent is black; of 16 bits, values over 255 are white.
        """
        if self.image.mode.startswith("I"):
            grey = np.clip(self.ids(), 0, 255).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        if self.image.mode in ("RGBA", "LA", "PA"):
            rgba = np.array(self.image.convert("RGBA"))
            return rgba[..., :3] * (rgba[..., 3:] > 0)
        return np.array(self.image.convert("RGB"))


def open_mask(path: str | Path) -> MaskPixels:
    """Read the pixels of a mask in PNG, BMP, TIFF or GIF, the first of several pictures.

    Raises:
        MaskError: missing, damaged, too large, a JPEG or of another format, or with pixels that
            stand for no classes, such as fractions.
    """
    try:
        with open(path, "rb") as stream:
            start = stream.read(4)
            if start.startswith(_JPEG_START):
                raise MaskError(path, "unreadable label", LOSSY)
            reader = next((_READERS[at] for at in _READERS if start.startswith(at)), None)
            if reader is not None:
                stream.seek(0)
                return _read(reader(stream), path)
    except DatasetError:
        raise
    except FileNotFoundError:
        raise MaskError(path, "missing mask", "no such mask; check the path") from None
    except Exception:  # decoders meet damaged files with nearly any
        pass
    raise MaskError(path, "unreadable label", _why_unreadable(path))


def _read(image: Image.Image, path: str | Path) -> MaskPixels:
    if image.width * image.height > MAX_PIXELS:
        raise MaskError(
            path,
            "unreadable label",
            f"{image.width} x {image.height} pixels are over the limit of "
            f"{MAX_PIXELS / 1e6:g} megapixels; make picture and mask smaller",
        )
    if image.mode not in _NUMBERS + _COLOURS:
        raise MaskError(
            path,
            "unreadable label",
            f"its pixels ({image.mode}) are neither class ids nor RGB colours; write it as a PNG "
            "in grey or with a palette",
        )
    step = _step(image)
    image.load()
    with suppress(Exception):  # an unreadable tag means no orientation
        image = ImageOps.exif_transpose(image)
    return MaskPixels(image, step)


def _step(image: Image.Image) -> int:
    """What Pillow multiplies the grey values of a picture by that is not loaded yet."""
    raw_mode = image.tile[0][3] if image.tile else None
    raw_mode = raw_mode[0] if isinstance(raw_mode, tuple) else raw_mode
    return _STEPS.get(raw_mode, 1) if isinstance(raw_mode, str) else 1


def _why_unreadable(path: str | Path) -> str:
    """What the reader of pictures says of a file that is no mask."""
    try:
        read_picture(path)
    except PictureError as error:
        return str(error).removeprefix(f"{path}: ")
    return "not a mask: a picture of another kind than PNG, BMP, TIFF and GIF; write it as PNG"
