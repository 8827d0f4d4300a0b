"""Finding the picture that a label file means, in folders where it may lie."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from cvtool.errors import DatasetError
from cvtool.pictures.contents import PICTURE_SUFFIXES
from cvtool.pictures.finding import natural_key


class NoPictures(DatasetError):
    """Not one picture of a label file is there."""


FindPicture = Callable[..., Path | None]


def picture_finder(folders: Iterable[Path]) -> FindPicture:
    """Make the function that finds pictures by the names that label files give them.

    Tried are, in each folder in turn, the name as it is; then, for a path from another machine,
    ever shorter ends of it, down to the bare file name; then the same with the file name in
    another case or with its accents encoded otherwise. Backslashes separate folders as slashes do.

    Args:
        folders: where to look; those that do not exist are passed over. Their sub-folders are
            looked into only where the name says so.
    Returns:
        find(name, any_suffix=False) -> the file, or None. With `any_suffix` a picture of the
        same name with another suffix will do, or of the name with a suffix.
    """
    folders = [folder for folder in dict.fromkeys(folders) if folder.is_dir()]
    listings: dict[Path, dict[str, Path]] = {}

    def listing(folder: Path) -> dict[str, Path]:
        if folder not in listings:
            listings[folder] = _list_folded(folder)
        return listings[folder]

    def find(name: str, any_suffix: bool = False) -> Path | None:
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts or "\0" in name:
            return None
        ends = [parts[start:] for start in range(len(parts))]
        for end in ends:
            for folder in folders:
                path = os.path.join(folder, *end)
                if os.path.isfile(path):
                    return Path(path)
        names = [parts[-1]]
        if any_suffix:
            names += [os.path.splitext(parts[-1])[0] + _ANY, parts[-1] + _ANY]
        for folded in map(_folded, names):
            for end in ends:
                for folder in folders:
                    if found := listing(folder.joinpath(*end[:-1])).get(folded):
                        return found
        return None

    return find


# Stands for the suffix where any will do; no file name holds a slash.
_ANY = "/"


def _list_folded(folder: Path) -> dict[str, Path]:
    """Pictures of a folder by their folded names, and by their stems with `_ANY`."""
    found: dict[str, Path] = {}
    try:
        names = sorted(filter(is_picture, os.listdir(folder)), key=natural_key)
    except OSError:
        return found
    for name in names:
        found.setdefault(_folded(name), folder / name)
        found.setdefault(_folded(os.path.splitext(name)[0] + _ANY), folder / name)
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def pictures_below(folder: Path) -> list[Path]:
    """All pictures of a folder and of those in it, none hidden, in natural order."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=natural_key)
        below = Path(place)
        found += [below / n for n in sorted(names, key=natural_key) if is_picture(n)]
    return found


def is_picture(name: str) -> bool:
    """Whether a file's name is that of a picture, and not hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES
