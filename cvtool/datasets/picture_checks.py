"""Looking through the pictures of a data set before a model learns from them.

Finds files that cannot be read, pictures that are there twice, and pictures of an odd size or
shape. Nothing is changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from cvtool.datasets.near_duplicates import HASH_SHAPE, THUMBNAIL_SIDE, find_near_duplicates
from cvtool.datasets.remarks import Remark
from cvtool.engines import usable_cores
from cvtool.errors import PictureError
from cvtool.pictures.reading import MAX_PIXELS, read_picture

# A JPEG is decoded at the smallest of its scales (1, 1/2, 1/4, 1/8) that leaves this many pixels
# a side: enough for the thumbnail to come out as if made from the whole picture.
_DRAFT_SIDE = 4 * THUMBNAIL_SIDE
_JPEG_START = b"\xff\xd8\xff"
_ORIENTATION_TAG = 0x0112
_TURNED_SIDEWAYS = (5, 6, 7, 8)

_ODD_ASPECT = 3.0
_SMALL_SIDE = 16
_ODD_AREA = 20.0

# Pictures handed to the threads at a time, so that a break need not wait for all of them.
_BATCH = 256

# Files that a line of a description names.
_SHOWN = 3
# Kind of finding -> words for one and for many, in the order of the description.
_DESCRIPTIONS = {
    "corrupt": ("picture cannot be read", "pictures cannot be read"),
    "duplicate": (
        "picture is there more than once, the same or nearly so",
        "pictures are there more than once, the same or nearly so",
    ),
    "across splits": (
        "picture is in more than one split, the same or nearly so",
        "pictures are in more than one split, the same or nearly so",
    ),
    "odd": ("picture has an odd size or shape", "pictures have an odd size or shape"),
}


@dataclass(frozen=True, slots=True, eq=False)
class PictureChecks:
    """What was found in N pictures.

    Attributes:
        corrupt: index of each picture that cannot be read, and why, in one line.
        duplicates: groups of indices of the same or nearly the same picture, each sorted.
        odd: index of each picture unlike the rest in size or shape, and how, in one line.
        sizes: int64 (N, 2) width and height in pixels of the upright picture; 0, 0 if corrupt.
    """

    corrupt: list[tuple[int, str]]
    duplicates: list[list[int]]
    odd: list[tuple[int, str]]
    sizes: np.ndarray


def check_pictures(
    paths: Sequence[str | Path],
    on_picture: Callable[[], object] | None = None,
    threads: int | None = None,
) -> PictureChecks:
    """Read every picture once and say what is wrong with it.

    Every file is decoded to its end, so one that is cut off is found. Duplicates are told from
    the grey, upright picture (see `near_duplicates`): they survive another size or compression,
    but not a crop or a mirror image.
    A picture is odd when its longer side is over 3 times the shorter one, when a side is under
    16 px, or when its area is over 20 times the median area or under a twentieth of it; the
    first two do not count where the median picture is so too.

    Args:
        paths: N files.
        on_picture: called without arguments, in this thread, after each picture.
        threads: that read; as many as there are CPU cores when None.
    """
    readable, corrupt = [], []
    sizes = np.zeros((len(paths), 2), np.int64)
    gradients = np.zeros((len(paths), *HASH_SHAPE), np.uint8)
    thumbnails = np.zeros((len(paths), THUMBNAIL_SIDE, THUMBNAIL_SIDE), np.uint8)
    with ThreadPoolExecutor(threads or usable_cores(), "cvtool-check") as pool:
        for start in range(0, len(paths), _BATCH):
            looks = pool.map(_look, paths[start : start + _BATCH])
            for index, look in enumerate(looks, start):
                if isinstance(look, PictureError):
                    corrupt.append((index, _without_name(look, paths[index])))
                else:
                    readable.append(index)
                    sizes[index], gradients[index], thumbnails[index] = look
                if on_picture is not None:
                    on_picture()
    at = np.array(readable, np.int64)
    groups = find_near_duplicates(gradients[at], thumbnails[at])
    return PictureChecks(
        corrupt=corrupt,
        duplicates=[at[group].tolist() for group in groups],
        odd=_find_odd(sizes, at),
        sizes=sizes,
    )


def _look(path: str | Path) -> tuple[tuple[int, int], np.ndarray, np.ndarray] | PictureError:
    """Upright width and height, and the grey picture shrunk for the hash and as a thumbnail."""
    try:
        grey, size = _read_grey(path)
    except PictureError as error:
        return error
    rows, columns = HASH_SHAPE
    return size, _shrink(grey, columns, rows), _shrink(grey, THUMBNAIL_SIDE, THUMBNAIL_SIDE)


def _shrink(grey: Image.Image, width: int, height: int) -> np.ndarray:
    # Overlapping windows: with plain averages a copy of another size gives another hash.
    return np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0))


def _read_grey(path: str | Path) -> tuple[Image.Image, tuple[int, int]]:
    """The upright picture in grey, perhaps smaller, and the size of the whole one."""
    source: str | Path | bytes = path
    try:
        with open(path, "rb") as stream:
            if (start := stream.read(len(_JPEG_START))) == _JPEG_START:
                source = start + stream.read()
    except (OSError, ValueError):
        pass  # read_picture says what is wrong
    if isinstance(source, bytes):
        # Whatever goes wrong here, the project's reader judges whether the file is damaged.
        with suppress(Exception):
            return _read_grey_jpeg(source)
    grey = Image.fromarray(read_picture(source, name=str(path))).convert("L")
    return grey, grey.size


def _read_grey_jpeg(data: bytes) -> tuple[Image.Image, tuple[int, int]]:
    """Decode all of a JPEG's data, but compute only the pixels that a small picture needs.

    Raises:
        Exception: of nearly any kind, if the file is damaged.
    """
    with JpegImageFile(BytesIO(data)) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError("too many pixels")
        image.draft("L", (_DRAFT_SIDE, _DRAFT_SIDE))
        image.load()
        if image.getexif().get(_ORIENTATION_TAG, 1) in _TURNED_SIDEWAYS:
            width, height = height, width
        return ImageOps.exif_transpose(image).convert("L"), (width, height)


def _without_name(error: PictureError, path: str | Path) -> str:
    return " ".join(str(error).removeprefix(f"{path}: ").split())


def _find_odd(sizes: np.ndarray, readable: np.ndarray) -> list[tuple[int, str]]:
    if not len(readable):
        return []
    long, short = sizes[readable].max(axis=1), sizes[readable].min(axis=1)
    aspect, area = long / short, sizes[readable].prod(axis=1)
    median_area = float(np.median(area))
    long_and_thin = (aspect > _ODD_ASPECT) & (np.median(aspect) <= _ODD_ASPECT)
    tiny = (short < _SMALL_SIDE) & (np.median(short) >= _SMALL_SIDE)
    large, small = area > _ODD_AREA * median_area, area * _ODD_AREA < median_area
    odd = []
    for place in np.flatnonzero(long_and_thin | tiny | large | small):
        reasons = []
        if long_and_thin[place]:
            reasons.append(f"sides {aspect[place]:.1f} to 1")
        if tiny[place]:
            reasons.append(f"a side under {_SMALL_SIDE} px")
        if large[place]:
            reasons.append(f"{area[place] / median_area:.0f} times the usual area")
        if small[place]:
            reasons.append(f"1/{median_area / area[place]:.0f} of the usual area")
        width, height = sizes[readable[place]]
        odd.append((int(readable[place]), f"{width} x {height} px: {', '.join(reasons)}"))
    return odd


def picture_remarks(
    checks: PictureChecks, paths: Sequence[str | Path], splits: Sequence[str] | None = None
) -> list[Remark]:
    """What was found in the pictures that can be read: one remark a finding, by kind.

    Args:
        checks: of the pictures at `paths`.
        paths: N files.
        splits: of each picture, "train", "dev", "test" or ""; duplicates in two of them are a
            kind of their own.
    """
    names = short_names(paths)
    across, within = [], []
    for group in checks.duplicates:
        homes = [splits[index] if splits is not None else "" for index in group]
        pictures = tuple(Path(paths[index]) for index in group)
        if len(set(homes) - {""}) > 1:
            words = _across(group, homes, names)
            across.append(Remark("across splits", words, pictures=pictures))
        else:
            words = _few([names[index] for index in group], " = ")
            within.append(Remark("duplicate", words, pictures=pictures))
    odd = [(Path(paths[index]), reason) for index, reason in checks.odd]
    return [*across, *within, *(Remark("odd", reason, path, (path,)) for path, reason in odd)]


def describe_checks(
    checks: PictureChecks, paths: Sequence[str | Path], splits: Sequence[str] | None = None
) -> list[str]:
    """Say what was found, one line for each kind of finding, with the first few files of each.

    Args:
        checks, paths, splits: as for `picture_remarks`.
    Returns:
        The lines; none where nothing was found.
    """
    names = short_names(paths)
    found = {
        kind: [remark.message for remark in remarks]
        for kind, remarks in groupby(picture_remarks(checks, paths, splits), lambda r: r.kind)
    }
    found["corrupt"] = [f"{names[index]} ({reason})" for index, reason in checks.corrupt]
    found["odd"] = [f"{names[index]} ({reason})" for index, reason in checks.odd]
    return [
        f"{len(found[kind]):,} {one if len(found[kind]) == 1 else many}: {_few(found[kind], '; ')}"
        for kind, (one, many) in _DESCRIPTIONS.items()
        if found.get(kind)
    ]


def _few(items: list[str], separator: str) -> str:
    text = separator.join(items[:_SHOWN])
    return text if len(items) <= _SHOWN else f"{text}{separator}{len(items) - _SHOWN:,} more"


def _across(group: list[int], homes: list[str], names: list[str]) -> str:
    """For example: a.jpg (train), also in test: b.jpg."""
    by_split: dict[str, list[str]] = {}
    for index, home in sorted(zip(group, homes, strict=True), key=lambda pair: _rank(pair[1])):
        by_split.setdefault(home, []).append(names[index])
    (first, files), *others = [(split, files) for split, files in by_split.items() if split]
    text = f"{_few(files, ' = ')} ({first})"
    return text + "".join(f", also in {split}: {_few(f, ' = ')}" for split, f in others)


def _rank(split: str) -> tuple[int, str]:
    known = ("train", "dev", "test")
    return (known.index(split) if split in known else len(known), split)


def short_names(paths: Sequence[str | Path]) -> list[str]:
    """The paths below the folder that they have in common."""
    texts = [os.fspath(path) for path in paths]
    try:
        common = os.path.commonpath([os.path.dirname(text) for text in texts])
    except ValueError:  # no paths, or not all of them absolute
        return texts
    return [text[len(common) :].lstrip(os.sep) for text in texts]
