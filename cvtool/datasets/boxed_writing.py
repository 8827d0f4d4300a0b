"""Writing a data set with boxes into a new folder, whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cvtool.datasets.box_files import SPLIT_WORDS, WRITERS
from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.errors import DatasetError, OutputError
from cvtool.pictures.contents import PICTURE_SUFFIXES
from cvtool.pictures.writing import write_json

# What tells a folder that `write_boxed` made, and may replace, from any other.
MARK_FILE = "converted.json"
_WRITTEN = {MARK_FILE, "data.yaml", "images", "labels", "annotations"} | {
    "Annotations",
    "JPEGImages",
    "ImageSets",
}
# What file systems, lists and XML cannot hold, or read in another way.
_NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\\\\/]")

Transfer = Literal["copy", "link", "none"]


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_boxed` did.

    Attributes:
        folder: of the new data set.
        renamed: number of pictures that have another name than before.
        crowd: number of boxes round groups that became ordinary ones.
        unassigned: number of pictures in no split that went to train.
        copied: number of pictures that could not be linked.
    """

    folder: Path
    renamed: int = 0
    crowd: int = 0
    unassigned: int = 0
    copied: int = 0


def write_boxed(
    data: DetectionDataset,
    layout: str,
    folder: str | Path,
    *,
    pictures: Transfer = "copy",
    overwrite: bool = False,
    on_picture: Callable[[], object] | None = None,
) -> Written:
    """Write a data set in a layout, with its pictures.

    It is written beside `folder` under a hidden name, which is then changed; an interruption
    leaves nothing, or the hidden folder. Boxes, classes and splits are kept, but for: boxes round
    groups (crowd), which only COCO tells from others; pictures in no split where others are in
    one, which go to train but in Pascal VOC; the classes' order and classes without boxes in
    Pascal VOC. Pictures of the same name are told apart by a number: a.jpg, a-2.jpg.

    Args:
        data: the data set.
        layout: "YOLO", "COCO" or "Pascal VOC".
        folder: must not be there, or be empty.
        pictures: "copy" them, "link" them (hard links, or copies where the file system has
            none), or "none": write labels only.
        overwrite: replace a folder that this function wrote.
        on_picture: called after each picture.
    Raises:
        DatasetError: no picture, or a class name that the layout cannot hold.
        OutputError: the folder holds something else or cannot be written.
        PictureError: a picture cannot be read.
    """
    folder = Path(folder)
    check_new_folder(folder, overwrite)
    for number, name in enumerate(data.classes):
        if not name.strip():
            raise DatasetError(f"class {number} of the data set has no name; give it one")
    if not data.examples:
        raise DatasetError("the data set has no picture that could be written")
    splits = {example.split for example in data.examples}
    unassigned = 0
    if len(splits) > 1 and "" in splits and layout != "Pascal VOC":
        unassigned = sum(not example.split for example in data.examples)
        examples = (replace(one, split=one.split or "train") for one in data.examples)
        data = replace(data, examples=tuple(examples))
    write_files, home = WRITERS[layout]
    divided = layout != "Pascal VOC"
    names = _new_names(data, divided)
    copied = 0
    with _new_folder(folder) as new:
        write_json(new / MARK_FILE, _mark(data, layout))
        write_files(new, data, names)
        for example, name in zip(data.examples, names, strict=True):
            place = new / home / (SPLIT_WORDS.get(example.split, "") if divided else "") / name
            if pictures != "none":
                copied += _transfer(example.path, place, pictures == "link")
            if on_picture is not None:
                on_picture()
    return Written(
        folder,
        sum(one.path.name != name for one, name in zip(data.examples, names, strict=True)),
        0 if layout == "COCO" else sum(int(one.crowd.sum()) for one in data.examples),
        unassigned,
        copied,
    )


def check_new_folder(folder: Path, overwrite: bool = False) -> None:
    """Refuse a folder that a data set cannot be written to, before any work is done.

    Raises:
        OutputError: it is a file, or holds something that may not be replaced.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder}: is no folder; name a new one")
    try:
        inside = {at.name for at in folder.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{folder}: cannot be listed ({error.strerror}); name another") from None
    if not inside:
        return
    if not overwrite:
        raise OutputError(f"{folder}: is not empty; name a new folder, or use --overwrite")
    foreign = sorted(inside - _WRITTEN)
    if MARK_FILE not in inside or foreign:
        what = foreign[0] if foreign else f"no {MARK_FILE}"
        raise OutputError(
            f"{folder}: holds {what}, so it is not what convert wrote; name a new folder"
        )


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Lend a hidden folder beside `folder`; it takes its place when the block ends well."""
    folder = folder.absolute()
    token = secrets.token_hex(4)
    new, old = (folder.with_name(f".{folder.name[:40]}-{token}.{end}") for end in ("part", "old"))
    try:
        new.mkdir(parents=True)
        try:
            yield new
            if folder.exists():
                os.rename(folder, old)
            try:
                os.rename(new, folder)
            except OSError:
                if old.exists():
                    os.rename(old, folder)
                raise
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _mark(data: DetectionDataset, layout: str) -> dict:
    return {
        "written_by": "cvtool convert",
        "from": data.layout,
        "to": layout,
        "pictures": len(data.examples),
        "boxes": sum(len(example.boxes) for example in data.examples),
    }


def _new_names(data: DetectionDataset, divided: bool) -> list[str]:
    """A name for each picture, with a stem that no other in its folder has in any case."""
    taken: dict[str, set[str]] = {}
    names = []
    for example in data.examples:
        used = taken.setdefault(example.split if divided else "", set())
        stem, suffix = _clean(example)
        name, number = stem, 1
        while (key := unicodedata.normalize("NFC", name).casefold()) in used:
            number += 1
            name = f"{stem}-{number}"
        used.add(key)
        names.append(name + suffix)
    return names


def _clean(example: Example) -> tuple[str, str]:
    """Stem and suffix that every layout can say."""
    stem, suffix = os.path.splitext(example.path.name)
    if suffix.lower() not in PICTURE_SUFFIXES:
        stem, suffix = example.path.name, _suffix_of_content(example.path)
    stem = _NOT_IN_NAMES.sub("_", stem).strip()
    if not stem or stem.startswith("."):
        stem = f"_{stem}"
    return stem, suffix


def _suffix_of_content(path: Path) -> str:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return {"JPEG": ".jpg", "TIFF": ".tif"}.get(image.format, f".{image.format.lower()}")
    except Exception:  # the header was readable a moment ago
        raise DatasetError(f"{path}: cannot be read any more; try again") from None


def _transfer(source: Path, place: Path, link: bool) -> bool:
    """Put a picture to its place; whether it was copied though a link was wanted."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(os.path.realpath(source), place)
            return False
        except (OSError, NotImplementedError):
            pass
    try:
        shutil.copyfile(source, place)
    except OSError as error:
        if Path(error.filename or "") != source:  # not the picture, but where it should go
            raise
        raise DatasetError(f"{source}: cannot be read ({error.strerror})") from None
    return link
