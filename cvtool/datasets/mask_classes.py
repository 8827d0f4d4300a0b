"""The classes of a set of masks, and whether its masks hold class ids or colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cvtool.datasets.mask_files import Colour
from cvtool.datasets.mask_pixels import MaskError, open_mask
from cvtool.datasets.masked import VOID
from cvtool.engines import usable_cores
from cvtool.errors import DatasetError
from cvtool.pictures.palette import VOC_VOID

# CVAT calls its list labelmap.txt.
LIST_NAMES = ("classes.txt", "labels.txt", "labelmap.txt")
BACKGROUND = "background"
BLACK_AND_WHITE = ((0, 0, 0), (255, 255, 255))
# In a list with colours, a class of such a name is none.
_VOID_NAMES = ("void", "ignore", "ignored", "unlabeled", "unlabelled")
# Masks that are looked at, of those that show more than background.
_SAMPLE = 16
# With a higher id than this and no list, soft edges or greys are likelier than so many classes.
_MOST_UNNAMED = 64
_MOST_COLOURS = 65536
_COLOURED = re.compile(
    r"(.*?)(?:\s*[:,]\s*|\s+)(\d+)(?:\s*,\s*|\s+)(\d+)(?:\s*,\s*|\s+)(\d+)(?::.*)?"
)


@dataclass(frozen=True, slots=True)
class ClassList:
    """Classes as a user lists them.

    Attributes:
        names: at least two, in the order of the class ids.
        colours: (R, G, B) of each, and after these of what is void; None where none are given.
        file: the list; None where the names came without one.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...] | None = None
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class _Content:
    """What a mask holds: class ids, None if it is coloured; colours, none if they are countless."""

    path: Path
    ids: frozenset[int] | None
    colours: frozenset[Colour]


def find_class_list(folders: Iterable[Path]) -> Path | None:
    """The list of classes in the first of these folders that has one."""
    places = (folder / name for folder in dict.fromkeys(folders) for name in LIST_NAMES)
    return next((place for place in places if place.is_file()), None)


def class_list(names: Sequence[str]) -> ClassList:
    """A list of these names; before a single one, the background is put."""
    return ClassList((BACKGROUND, *names) if len(names) == 1 else tuple(names))


def read_class_list(file: str | Path) -> ClassList:
    """Read the classes of masks: a line `name` or `name R G B` each, in the order of their ids.

    CVAT's labelmap.txt, `name:R,G,B::`, is read too; lines that begin with # are passed over. With
    colours, classes called void, ignore or unlabelled are void. Before a single class the
    background is put, in black.

    Raises:
        DatasetError: the file cannot be read, or a line of it is wrong.
    """
    file = Path(file)
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise DatasetError(f"{file}: cannot be read as a list of classes ({reason})") from None
    colours: dict[str, Colour | None] = {}
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colour = _parse(line, f"{file}:{number}")
        if name in colours:
            raise DatasetError(f"{file}:{number}: the class {name} is listed twice")
        if colours and (colour is None) != (None in colours.values()):
            raise DatasetError(
                f"{file}:{number}: give every class a colour (name R G B), or none of them"
            )
        if colour is not None and colour in colours.values():
            raise DatasetError(f"{file}:{number}: another class has this colour already")
        colours[name] = colour
    listed = _with_colours(colours) if None not in colours.values() else class_list([*colours])
    if len(listed.names) < 2:
        raise DatasetError(f"{file}: lists no class; write a name a line, the background first")
    if len(listed.names) > VOID:
        raise DatasetError(f"{file}: lists {len(listed.names)} classes; masks hold up to {VOID}")
    return ClassList(listed.names, listed.colours, file)


def _parse(line: str, place: str) -> tuple[str, Colour | None]:
    match = _COLOURED.fullmatch(line)
    if match is None:
        return line, None
    name, *channels = match.groups()
    colour = tuple(int(channel) for channel in channels)
    if not name or max(colour) > 255:
        raise DatasetError(f"{place}: {line!r} is not name R G B, the colours from 0 to 255")
    return name, colour


def _with_colours(colours: dict[str, Colour]) -> ClassList:
    void = [name for name in colours if name.casefold() in _VOID_NAMES]
    names = [name for name in colours if name not in void]
    if len(names) == 1 and (0, 0, 0) not in colours.values():
        names, colours = [BACKGROUND, *names], {BACKGROUND: (0, 0, 0)} | colours
    return ClassList(tuple(names), tuple(colours[name] for name in (*names, *void)))


def choose_classes(
    folder: Path, masks: Sequence[Path], listed: ClassList | None
) -> tuple[tuple[str, ...], tuple[Colour, ...] | None]:
    """Tell the classes of masks, and the colours that stand for them, if any do.

    Where there are two classes, or no list, and most masks that show more than the background are
    of black and white (0 and 255) only, white is the second class and not void. Colours in the
    list count unless more masks fit as class ids. A few masks of another kind do not count: they
    are refused when they are read.

    Args:
        folder: of the set, for messages.
        masks: the files; a few of them are read, all of them without a list.
        listed: the classes; None if they are not known. Then they are called class1, class2 ... up
            to the highest id, after the background.
    Returns:
        class names, and colours as in `ClassList`; None where the masks hold class ids.
    Raises:
        DatasetError: most masks are coloured and the colours' classes are not known; or, without
            a list, no mask can be read or shows a class.
    """
    if listed is None:
        return _classes_found(folder, _read_all(masks))
    contents = list(_sample(masks))
    if listed.colours is not None:
        known = {*listed.colours, VOC_VOID}
        by_colour = sum(content.colours <= known for content in contents)
        by_id = sum(_fit(content, len(listed.names)) for content in contents)
        return listed.names, listed.colours if by_colour >= by_id else None
    _refuse_colours(contents, f"and {listed.file or 'the list of classes'} gives no colours")
    two = len(listed.names) == 2 and _black_and_white(contents)
    return listed.names, BLACK_AND_WHITE if two else None


def _fit(content: _Content, classes: int) -> bool:
    return content.ids is not None and all(
        0 <= number < classes or number == VOID for number in content.ids
    )


def _classes_found(
    folder: Path, contents: list[_Content]
) -> tuple[tuple[str, ...], tuple[Colour, ...] | None]:
    _refuse_colours(contents, f"and there is no list of classes ({LIST_NAMES[0]})")
    if _black_and_white(contents):
        return (BACKGROUND, "class1"), BLACK_AND_WHITE
    found = frozenset().union(*(content.ids for content in contents if content.ids is not None))
    ids = [number for number in found if 0 <= number < VOID]
    if not any(ids):
        void = " and void (255)" if VOID in found else ""
        raise DatasetError(f"{folder}: its masks show background (0){void} only, and no class")
    if max(ids) > _MOST_UNNAMED:
        raise DatasetError(
            f"{folder}: its masks hold {len(ids)} values up to {max(ids)}; list the classes in "
            f"{LIST_NAMES[0]}, with their greys (name R G B) where these are no class ids; values "
            "in between come from soft edges: write the masks without"
        )
    return (BACKGROUND, *(f"class{number}" for number in range(1, max(ids) + 1))), None


def _refuse_colours(contents: Sequence[_Content], why: str) -> None:
    coloured = [content for content in contents if content.ids is None]
    if 2 * len(coloured) <= len(contents):
        return
    found = sorted(coloured[0].colours)
    words = "; ".join(" ".join(map(str, colour)) for colour in found[:6])
    holds = f" (it holds {words}{' ...' if len(found) > 6 else ''})" if found else ""
    raise DatasetError(
        f"{coloured[0].path}: its pixels are colours, {why}; list the classes there, a line each: "
        f"name R G B{holds}"
    )


def _black_and_white(contents: Sequence[_Content]) -> bool:
    telling = [content for content in contents if content.ids not in (None, frozenset([0]))]
    fitting = [
        VOID in content.ids and content.ids <= {0, VOID} and content.colours <= {*BLACK_AND_WHITE}
        for content in telling
    ]
    return 2 * sum(fitting) > len(telling)


def _sample(masks: Sequence[Path]) -> Iterator[_Content]:
    """Some masks from all over the set, until enough of them showed more than the first class."""
    telling = 0
    for number in np.random.default_rng(0).permutation(len(masks)):
        content = _content(masks[number])
        if isinstance(content, _Content):
            yield content
            telling += content.ids != frozenset([0])
        if telling == _SAMPLE:
            return


def _read_all(masks: Sequence[Path]) -> list[_Content]:
    with ThreadPoolExecutor(usable_cores(), "cvtool-masks") as pool:
        contents = list(pool.map(_content, masks))
    readable = [content for content in contents if isinstance(content, _Content)]
    if not readable:
        raise contents[0]
    return readable


def _content(path: Path) -> _Content | MaskError:
    try:
        pixels = open_mask(path)
    except MaskError as error:
        return error
    ids = pixels.ids()
    colours = Image.fromarray(pixels.colours()).getcolors(_MOST_COLOURS) or []
    return _Content(
        path,
        None if ids is None else frozenset(np.unique(ids).tolist()),
        frozenset(colour for _, colour in colours),
    )
