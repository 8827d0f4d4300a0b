"""Files of masks: a class for every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from cvtool.datasets.mask_pixels import MaskError, MaskPixels, open_mask
from cvtool.datasets.masked import VOID
from cvtool.errors import OutputError
from cvtool.pictures.palette import MOST_COLOURS, VOC_VOID, voc_colours
from cvtool.pictures.writing import whole_file

Colour = tuple[int, int, int]


def read_mask(
    path: str | Path,
    colours: Sequence[Colour] | None = None,
    num_classes: int | None = None,
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Read a mask: PNG, BMP, TIFF or GIF.

    Without `colours` the pixels are class ids: grey values of 8 or 16 bits (65535 of 16 bits is
    void, as 255), numbers in a palette, and 1 for the set pixels of a picture of 1 bit. With
    `colours` they are what they look like, in a palette, in grey or in RGB; what is wholly
    transparent counts as black.

    Args:
        path: the file.
        colours: (R, G, B) of each class, in the order of the class ids. Those after the first
            `num_classes` are void, and so is Pascal VOC's colour of void, 224,224,192,
            unless it is among them.
        num_classes: ids from this one on, other than 255, are refused.
        shape: height and width of the picture; a mask of another size is refused.
    Returns:
        uint8 (H, W) class ids, 255 for void.
    Raises:
        MaskError: missing, damaged, a JPEG, of another size, or a pixel of an unknown class. The
            message names the file, and the first such pixel.
    """
    pixels = open_mask(path)
    if shape is not None and pixels.shape != tuple(shape):
        raise MaskError(path, "wrong size", _size_words(pixels.shape, shape))
    if colours is None:
        return _by_id(path, pixels, num_classes)
    return _by_colour(path, pixels, colours, num_classes)


def _size_words(mask: tuple[int, int], picture: tuple[int, int]) -> str:
    words = f"{mask[1]} x {mask[0]} px, but its picture is {picture[1]} x {picture[0]}"
    if mask == tuple(picture[::-1]):
        return f"{words}, turned upright as its EXIF data may ask for; turn the mask likewise"
    return f"{words}; put back the picture that was labelled, or make the mask again"


def _by_id(path: str | Path, pixels: MaskPixels, num_classes: int | None) -> np.ndarray:
    ids = pixels.ids()
    if ids is None:
        raise MaskError(
            path,
            "unreadable label",
            "its pixels are colours; name the colour of each class in the list of classes, a "
            "line each: name R G B",
        )
    classes = VOID if num_classes is None else num_classes
    wrong = (ids < 0) | ((ids >= classes) & (ids != VOID))
    if wrong.any():
        x, y, wrong_id = _first(wrong, ids)
        known = f"0 to {classes - 1}" if classes > 1 else "0 only"
        raise MaskError(
            path,
            "unknown class",
            f"class id {wrong_id} at pixel {x},{y} is none of {known}, nor 255 for void",
        )
    return ids.astype(np.uint8, copy=False)


def _by_colour(
    path: str | Path, pixels: MaskPixels, colours: Sequence[Colour], num_classes: int | None
) -> np.ndarray:
    classes = len(colours) if num_classes is None else num_classes
    ids = [number if number < classes else VOID for number in range(len(colours))]
    table = {VOC_VOID: VOID} | dict(zip(map(tuple, colours), ids, strict=True))
    known = np.array([_code(np.array(colour)) for colour in table], np.int32)
    order = np.argsort(known)
    codes = _code(pixels.colours())
    at = order[np.searchsorted(known, codes, sorter=order).clip(max=len(known) - 1)]
    wrong = known[at] != codes
    if wrong.any():
        x, y, code = _first(wrong, codes)
        rgb = f"{code >> 16},{code >> 8 & 255},{code & 255}"
        raise MaskError(
            path,
            "unknown class",
            f"the colour {rgb} at pixel {x},{y} is that of no class, nor of void",
        )
    return np.array(list(table.values()), np.uint8)[at]


def _code(rgb: np.ndarray) -> np.ndarray:
    """One number for each colour (..., 3), below 2 ** 24."""
    red, green, blue = np.moveaxis(rgb.astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue


def _first(wrong: np.ndarray, values: np.ndarray) -> tuple[int, int, int]:
    """x, y and value of the first pixel that is wrong."""
    y, x = divmod(int(wrong.argmax()), wrong.shape[1])
    return x, y, int(values[y, x])


def mask_of(dataset, example, shape):
    """The mask of one of a data set's pictures, which has that height and width.

    Args:
        dataset: MaskDataset.
        example: MaskedPicture of it.
        shape: (height, width) of the picture, pixels.
    Returns:
        uint8 (H, W) of class ids, 255 for void.
    Raises:
        MaskError: as `read_mask`.
    """
    return read_mask(example.mask, dataset.colours, len(dataset.classes), shape)


def write_mask(
    path: str | Path,
    mask: np.ndarray,
    colours: Sequence[Colour] | None = None,
    *,
    overwrite: bool = False,
    source: str | Path | None = None,
) -> None:
    """Write a mask as a PNG with a palette: the values are the class ids, seen in colour.

    Args:
        path: ends in .png.
        mask: uint8 (H, W) class ids, 255 for void.
        colours: (R, G, B) of each class id from 0; Pascal VOC's when None, and for the ids beyond.
        overwrite, source: as for `pictures.writing.whole_file`.
    Raises:
        OutputError: another ending, or as for `whole_file`.
        ValueError: a mask of another shape or type.
    """
    path = Path(path)
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"a mask must be uint8 (H, W), not {mask.dtype} {mask.shape}")
    if path.suffix.lower() != ".png":
        raise OutputError(f"{path}: a mask is written as .png only; change the ending")
    palette = [*(colours or ()), *voc_colours(MOST_COLOURS)[len(colours or ()) :]]
    image = Image.fromarray(np.ascontiguousarray(mask))
    image.putpalette([channel for colour in palette for channel in colour])
    with whole_file(path, overwrite=overwrite, source=source) as temporary:
        image.save(temporary, "PNG")
