"""Where the pictures and the masks of a data set lie, and which of them belong together."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvtool.datasets.labelled import SPLIT_NAMES
from cvtool.datasets.listed_pictures import is_picture, pictures_below
from cvtool.datasets.mask_pixels import LOSSY_SUFFIXES
from cvtool.datasets.split_files import entries, folders_named, split_folders
from cvtool.pictures.writing import same_file

PICTURE_FOLDERS = ("images", "jpegimages", "pictures", "image", "imgs", "img")
MASK_FOLDERS = ("masks", "mask", "segmentationclass", "segmentation", "annotations", "labels")
# What may follow the picture's name in that of its mask. The first that fits a mask fits all.
_ENDINGS = ("", "_mask", "-mask", "_masks", "_segmentation", "_seg", "_gt", "_label", "_L")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of pictures and that of their masks, and their split, "" if none is known."""

    pictures: Path
    masks: Path
    split: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and its mask, one of them perhaps None.

    Attributes:
        picture, mask: the files.
        split: "train", "dev" or "test", "" if none is known.
        spare: further files of the same name, left out, each with the one that is taken.
    """

    picture: Path | None
    mask: Path | None
    split: str = ""
    spare: tuple[tuple[Path, Path], ...] = ()


def find_places(path: Path, pictures: Path | None, masks: Path | None) -> list[Place]:
    """Find the folders of pictures and of masks.

    Args:
        path: of the data set: a folder with images and masks (see PICTURE_FOLDERS and
            MASK_FOLDERS for other names), or with folders named after the splits that have these,
            or with pictures and a folder of masks; or a folder of masks beside one of pictures,
            or the folder of a split in it.
        pictures, masks: folders where they are elsewhere. With `pictures`, the path may be the
            folder of the masks, with `masks` that of the pictures.
    Returns:
        The places; none where there are no such folders, or no pictures in them.
    """
    if masks is not None:
        pictures = pictures or _pictures_in(path, masks) or _pictures_beside(masks)
        return [Place(pictures, masks)] if pictures is not None else []
    if pictures is not None:
        masks = _inside(path, MASK_FOLDERS) or (path if _holds_pictures(path) else None)
        return [Place(pictures, masks)] if masks is not None else []
    for places in ({path: ""}, split_folders(path)):
        found = [
            Place(home, masks, split)
            for at, split in places.items()
            if (masks := _inside(at, MASK_FOLDERS)) and (home := _pictures_in(at, masks))
        ]
        if found:
            return found
    beside = _pictures_beside(path) if mask_root(path) is not None else None
    return [Place(beside, path)] if beside is not None else []


def mask_root(folder: Path) -> Path | None:
    """The folder of the whole set, of a folder of masks or of a split in it; None of others."""
    folder = folder.absolute()
    if folder.name.casefold() in MASK_FOLDERS:
        return folder.parent
    if folder.name.casefold() in SPLIT_NAMES and folder.parent.name.casefold() in MASK_FOLDERS:
        return folder.parent.parent
    return None


def _pictures_in(folder: Path, masks: Path) -> Path | None:
    if same_file(folder, masks):
        return None
    inside = _inside(folder, PICTURE_FOLDERS)
    return inside or (folder if entries(folder, is_picture) else None)


def _pictures_beside(masks: Path) -> Path | None:
    root = mask_root(masks) or masks.absolute().parent
    home = _inside(root, PICTURE_FOLDERS)
    if home is None or masks.absolute().parent == root:
        return home
    split = SPLIT_NAMES[masks.absolute().name.casefold()]
    return next((at for at, name in split_folders(home).items() if name == split), None)


def _inside(folder: Path, names: Sequence[str]) -> Path | None:
    """The folder in a folder with one of these names that holds pictures."""
    found = sorted(folders_named(folder, names), key=lambda at: names.index(at.name.casefold()))
    return next(filter(_holds_pictures, found), None)


def _holds_pictures(folder: Path) -> bool:
    return bool(entries(folder, is_picture)) or any(
        _holds_pictures(at) for at in entries(folder, lambda name: True) if at.is_dir()
    )


def pair_up(place: Place) -> Iterator[Pair]:
    """Pair the pictures of a place with the masks of the same name, in folders of the same name.

    Of all masks a common ending such as "_mask" is passed over where they have one. Where the
    folders differ, the names alone do if they are not there twice. The split is that of the
    place, or else of the first folder in it.

    Yields:
        pictures in natural order, with and without a mask, then masks without a picture.
    """
    pictures = _by_name(place.pictures, place.masks)
    masks = _by_name(place.masks, place.pictures)
    ending = _ending(pictures, masks)
    masks = {name.removesuffix(ending): files for name, files in masks.items()}
    elsewhere = _elsewhere(pictures, masks)
    for name, (picture, *others) in pictures.items():
        mask_name = name if name in masks else elsewhere.get(name, name)
        # Previews in JPEG often lie beside the masks.
        found = sorted(masks.pop(mask_name, []), key=lambda at: at.suffix.lower() in LOSSY_SUFFIXES)
        mask = found[0] if found else None
        spare = [(at, picture) for at in others]
        spare += [(at, mask) for at in found[1:] if at.suffix.lower() not in LOSSY_SUFFIXES]
        split = place.split or _split(name) or _split(mask_name)
        yield Pair(picture, mask, split, tuple(spare))
    for name, (mask, *_) in masks.items():
        yield Pair(None, mask, place.split or _split(name))


def _by_name(folder: Path, other: Path) -> dict[str, list[Path]]:
    """Pictures below a folder, but not in the other one, by their path without suffix."""
    nested = other.absolute().is_relative_to(folder.absolute())
    found: dict[str, list[Path]] = {}
    for path in pictures_below(folder):
        if nested and path.absolute().is_relative_to(other.absolute()):
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        found.setdefault(unicodedata.normalize("NFC", name), []).append(path)
    return found


def _ending(pictures: dict[str, list[Path]], masks: dict[str, list[Path]]) -> str:
    names = {_bare(name) for name in pictures}
    bare = [_bare(name) for name in masks]
    for ending in _ENDINGS:
        if any(name.endswith(ending) and name.removesuffix(ending) in names for name in bare):
            return ending
    return ""


def _elsewhere(pictures: dict[str, list[Path]], masks: dict[str, list[Path]]) -> dict[str, str]:
    """Name of a picture -> that of the mask in another folder that alone is called the same."""
    lone_pictures = [name for name in pictures if name not in masks]
    lone_masks = {_bare(name): name for name in masks if name not in pictures}
    counts = Counter(map(_bare, lone_pictures))
    mask_counts = Counter(_bare(name) for name in masks if name not in pictures)
    return {
        name: lone_masks[_bare(name)]
        for name in lone_pictures
        if counts[_bare(name)] == mask_counts[_bare(name)] == 1
    }


def _bare(name: str) -> str:
    return name.rpartition("/")[2]


def _split(name: str) -> str:
    folder, slash, _ = name.partition("/")
    return SPLIT_NAMES.get(folder.casefold(), "") if slash else ""
