"""From what a user names to single pictures and videos, one after another.

Nothing is opened here; a folder is listed only when the stream comes to it.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from cvtool.errors import CvtoolError, SourceError
from cvtool.pictures.contents import HEAD_BYTES, PICTURE_SUFFIXES, VIDEO_SUFFIXES, kind_of
from cvtool.pictures.urls import is_url


@dataclass(frozen=True, slots=True)
class Found:
    """One picture, video, address, webcam or stdin.

    `below` is its path below the folder or glob it was found through, or its bare name.
    """

    kind: Literal["picture", "video", "url", "webcam", "stdin"]
    source: str
    below: PurePath


def find(sources: Iterable[str | Path]) -> Iterator[Found | CvtoolError]:
    """Yield what each source stands for, in order; what is wrong with a source is yielded too.

    A folder is searched to the bottom for pictures and videos, in natural order (2 before 10),
    files before sub-folders, hidden ones skipped.
    """
    for source in sources:
        yield from _find_one(os.fspath(source), ())


def natural_key(name: str) -> list:
    """Sort key under which "a2" comes before "a10", and case does not matter."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(p), "") if n % 2 else (0, p) for n, p in enumerate(parts)] + [(0, name)]


def _find_one(source: str, lists: tuple[str, ...]) -> Iterator[Found | CvtoolError]:
    """Yield what one source stands for; `lists` are the .txt lists on the way to it."""
    if not source.strip():
        yield SourceError('"": an empty name; name a picture, a folder or -')
        return
    if source == "-":
        yield Found("stdin", source, PurePath("stdin.png"))
        return
    if is_url(source):
        yield Found("url", source, PurePath("picture"))
        return
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source):
        yield SourceError(f"{source}: only http and https addresses can be read; download it")
        return
    try:
        mode = os.stat(source).st_mode
    except (OSError, ValueError) as error:
        yield from _find_absent(source, error)
        return
    if stat.S_ISDIR(mode):
        yield from _find_in_folder(source)
    elif Path(source).suffix.lower() == ".txt" and stat.S_ISREG(mode):
        yield from _find_in_list(source, lists)
    else:
        yield _named_file(source)


def _find_absent(source: str, error: Exception) -> Iterator[Found | CvtoolError]:
    """Handle what is no path: a webcam's number, a glob, or a mistake."""
    if source.isascii() and source.isdigit():
        yield Found("webcam", source, PurePath(f"webcam-{int(source)}.mp4"))
    elif glob.has_magic(source):
        yield from _find_by_glob(source)
    elif isinstance(error, PermissionError):
        yield SourceError(f"{source}: no permission to look there; change its access rights")
    elif isinstance(error, FileNotFoundError | NotADirectoryError):
        yield SourceError(f"{source}: no such file or folder; check the path")
    else:
        reason = getattr(error, "strerror", None) or str(error)
        yield SourceError(f"{source}: cannot be opened ({reason}); check the path")


def _named_file(path: str, below: PurePath | None = None) -> Found:
    """Tell a video from a picture, by its name or, where that says nothing, by its content."""
    suffix = Path(path).suffix.lower()
    is_video = suffix in VIDEO_SUFFIXES
    if not is_video and suffix not in PICTURE_SUFFIXES:
        is_video = _holds_video(path)
    kind = "video" if is_video else "picture"
    return Found(kind, path, PurePath(Path(path).name) if below is None else below)


def _holds_video(path: str) -> bool:
    try:
        if not os.path.isfile(path):  # reading from a pipe would take away its first bytes
            return False
        with open(path, "rb") as stream:
            return kind_of(stream.read(HEAD_BYTES)) == "video"
    except OSError:
        return False


def _find_in_folder(folder: str) -> Iterator[Found | CvtoolError]:
    nothing = True
    for item in _walk(folder, folder):
        nothing = False
        yield item
    if nothing:
        yield SourceError(
            f"{folder}: no picture or video in this folder or below it (.jpg, .png, .webp, .tif, "
            ".gif, .bmp, .mp4 ...); check the path"
        )


def _walk(
    folder: str, root: str, above: tuple[tuple[int, int], ...] = ()
) -> Iterator[Found | CvtoolError]:
    """Yield pictures and videos of a folder, then those of its sub-folders, as seen from `root`.

    `above` holds device and inode of the folders on the way, to leave a circle of links.
    """
    files, folders = [], []
    try:
        here = os.stat(folder)
        if (here.st_dev, here.st_ino) in above:
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif Path(entry.name).suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES:
                    files.append(entry.name)
    except OSError as error:
        yield SourceError(
            f"{folder}: the folder cannot be listed ({error.strerror}); change its access rights"
        )
        return
    for name in sorted(files, key=natural_key):
        path = os.path.join(folder, name)
        yield _named_file(path, PurePath(os.path.relpath(path, root)))
    above = (*above, (here.st_dev, here.st_ino))
    for name in sorted(folders, key=natural_key):
        yield from _walk(os.path.join(folder, name), root, above)


def _find_by_glob(pattern: str) -> Iterator[Found | CvtoolError]:
    """Yield the pictures and videos a pattern fits, and those in folders it fits.

    Other files are left out, unless the pattern spells out their ending, as *.dat does.
    """
    suffix = Path(pattern).suffix.lower()
    spelled_out = bool(suffix) and not glob.has_magic(suffix)
    wanted = PICTURE_SUFFIXES | VIDEO_SUFFIXES | ({suffix} if spelled_out else set())
    root = _fixed_part(pattern)
    nothing = True
    for match in sorted(glob.iglob(pattern, recursive=True), key=natural_key):
        if os.path.isdir(match):
            # With ** the files of the folder are matches of their own.
            if "**" not in pattern:
                for item in _walk(match, root):
                    nothing = False
                    yield item
        elif Path(match).suffix.lower() in wanted:
            nothing = False
            yield _named_file(match, PurePath(os.path.relpath(match, root)))
    if nothing:
        yield SourceError(f"{pattern}: no picture or video fits this pattern; check it")


def _fixed_part(pattern: str) -> str:
    """Return the folder above the first part of a pattern that holds a wildcard."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or os.curdir


def _find_in_list(path: str, lists: tuple[str, ...]) -> Iterator[Found | CvtoolError]:
    """Yield what the lines of a .txt list name: paths as seen from the list or from here, URLs.

    Blank lines and lines that begin with # are skipped.
    """
    if os.path.realpath(path) in lists:
        yield SourceError(f"{path}: lists name each other in a circle; take one of them out")
        return
    lists = (*lists, os.path.realpath(path))
    nothing = True
    try:
        with open(path, encoding="utf-8-sig") as lines:
            for line in lines:
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                nothing = False
                yield from _find_listed(line, path, lists)
    except UnicodeDecodeError:
        yield SourceError(f"{path}: not a list in UTF-8 text; save it as UTF-8")
        return
    except OSError as error:
        yield SourceError(f"{path}: cannot be read ({error.strerror}); check its access rights")
        return
    if nothing:
        yield SourceError(f"{path}: the list is empty; write one picture's path in each line")


def _find_listed(line: str, path: str, lists: tuple[str, ...]) -> Iterator[Found | CvtoolError]:
    if line == "-" or is_url(line) or os.path.isabs(line):
        yield from _find_one(line, lists)
        return
    beside = os.path.join(os.path.dirname(path), line)
    if not os.path.lexists(beside) and os.path.lexists(line):
        beside = line
    for item in _find_one(beside, lists):
        # The folders written in the list come back below the output folder.
        if isinstance(item, Found) and item.kind in ("picture", "video"):
            item = Found(item.kind, item.source, _below(line, item))
        yield item


def _below(line: str, item: Found) -> PurePath:
    written = PurePath(line)
    if ".." in written.parts or written.name != PurePath(item.source).name:
        return item.below
    return written
