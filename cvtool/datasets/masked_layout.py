"""Pictures with masks: a folder of pictures, and one of masks with the same names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cvtool.datasets.boxed_layouts import recognise
from cvtool.datasets.faults import Fault, OnFault, in_split, refuse
from cvtool.datasets.mask_classes import (
    ClassList,
    choose_classes,
    class_list,
    find_class_list,
    read_class_list,
)
from cvtool.datasets.mask_pairs import (
    PICTURE_FOLDERS,
    Pair,
    Place,
    find_places,
    mask_root,
    pair_up,
)
from cvtool.datasets.mask_pixels import LOSSY, LOSSY_SUFFIXES
from cvtool.datasets.masked import MaskDataset, MaskedPicture
from cvtool.datasets.remarks import Remark
from cvtool.datasets.split_files import SPLIT_ORDER
from cvtool.datasets.split_lists import find_split_lists, read_split_lists
from cvtool.errors import DatasetError
from cvtool.pictures.writing import same_file

LAYOUT = "pictures and masks"


def recognise_masks(
    path: str | Path, pictures: str | Path | None = None, masks: str | Path | None = None
) -> bool:
    """Whether a data set is one of masks. Only names are looked at.

    Where there are boxes beside the masks, it is one of boxes, unless `masks` is given.

    Args:
        path, pictures, masks: as for `read_masked`; paths that do not exist will do.
    """
    if masks is not None:
        return True
    path = Path(path)
    try:
        if not path.is_dir() or recognise(path) is not None:
            return False
        places = find_places(path, None if pictures is None else Path(pictures), None)
        if pictures is None and any(
            place.pictures.name.casefold() in PICTURE_FOLDERS for place in places
        ):
            return True
        # Class folders may well be called mask and no_mask, and pictures lie beside them.
        return any(pair.picture and pair.mask for place in places for pair in pair_up(place))
    except (OSError, ValueError):  # a path that no file can have
        return False


def read_masked(
    path: str | Path,
    *,
    pictures: str | Path | None = None,
    masks: str | Path | None = None,
    classes: str | Path | Sequence[str] | None = None,
    on_fault: OnFault = refuse,
    on_remark: Callable[[Remark], object] = lambda remark: None,
) -> MaskDataset:
    """Read a data set of pictures with masks.

    The picture images/a.jpg has the mask masks/a.png; see `mask_pairs` for other names of the
    folders. Splits are told by folders called train, val and test, or by lists of that name in
    ImageSets/Segmentation or in the folder itself. Every fault is handed to `on_fault`, and the
    rest is read. Pictures are not opened; of the masks a few are, or all of them where there is
    no list of classes, see `mask_classes.choose_classes`.

    Args:
        path: the folder with both; or that of the masks, with the pictures beside it or
            in `pictures`.
        pictures, masks: other folders of them.
        classes: the list of classes (see `mask_classes.read_class_list`), or their names;
            classes.txt, labels.txt or labelmap.txt in the folder when None.
        on_fault: called with each fault: a picture without a mask, a mask without a picture, a
            JPEG mask, two files of one name, or no more than one picture in all.
        on_remark: called where pictures without a mask are no faults: where most have none, or
            where they are in no list of a split.
    Raises:
        DatasetError: there are no such folders, no picture has a mask, or the classes cannot
            be told.
    """
    path = Path(path)
    pictures, masks = (None if at is None else Path(at) for at in (pictures, masks))
    _check_folders(path, pictures, masks)
    places = find_places(path, pictures, masks)
    if not places:
        raise DatasetError(_no_layout(path, pictures, masks))
    root = mask_root(path) or path
    listed = _class_list(classes, (path, root))
    pairs = [pair for place in places for pair in pair_up(place)]
    both = [pair for pair in pairs if pair.picture and pair.mask]
    if not both:
        raise DatasetError(_no_pairs(pairs, places[0]))
    if all(_lossy(pair.mask) for pair in both):
        raise DatasetError(f"{both[0].mask}: {LOSSY} (all masks here are such)")
    lists = find_split_lists((root / "ImageSets" / "Segmentation", root))
    if lists and not any(pair.split for pair in pairs):
        pairs = _with_splits(pairs, lists, on_fault)
    else:
        lists = {}
    _report(pairs, places, bool(lists), on_fault, on_remark)
    examples = [
        MaskedPicture(pair.picture, pair.mask, pair.split)
        for pair in pairs
        if pair.picture and pair.mask and not _lossy(pair.mask)
    ]
    if len(examples) == 1:
        message = "the only picture with a mask; there is none to measure on"
        on_fault(Fault("one picture", examples[0].path, message, picture=examples[0].path))
    order = (*SPLIT_ORDER, "")
    examples.sort(key=lambda example: order.index(example.split))
    names, colours = choose_classes(path, [example.mask for example in examples], listed)
    return MaskDataset(names, tuple(examples), colours)


def _check_folders(path: Path, pictures: Path | None, masks: Path | None) -> None:
    if not path.exists():
        raise DatasetError(f"{path}: no such folder; check the path")
    if not path.is_dir():
        raise DatasetError(f"{path}: not a folder; name that of the pictures and masks")
    for folder, what in ((pictures, "pictures"), (masks, "masks")):
        if folder is not None and not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder of {what}")
    if pictures is not None and same_file(pictures, masks or path):
        raise DatasetError(f"{pictures}: named for the pictures and for the masks; correct one")


def _no_layout(path: Path, pictures: Path | None, masks: Path | None) -> str:
    if masks is not None:
        return f"{path}: no folder of pictures for {masks} in it; name it (--pictures)"
    if pictures is not None:
        return f"{path}: no masks in it, nor in a folder masks there; name their folder (--masks)"
    return (
        f"{path}: no folders images and masks that hold pictures; name them with --pictures and "
        "--masks"
    )


def _no_pairs(pairs: list[Pair], place: Place) -> str:
    picture = next((pair.picture for pair in pairs if pair.picture), None)
    mask = next((pair.mask for pair in pairs if pair.mask), None)
    if picture is None or mask is None:
        return f"{place.masks if picture else place.pictures}: no picture in this folder"
    return (
        f"{place.masks}: no mask has the name of a picture in {place.pictures}; that of "
        f"{picture.name} would be {picture.stem}.png, but there are such as {mask.name}"
    )


def _with_splits(pairs: list[Pair], lists: dict[str, Path], on_fault: OnFault) -> list[Pair]:
    """The pairs with the splits that lists give them."""
    stems = {pair.picture.stem for pair in pairs if pair.picture}
    split_of = read_split_lists(lists, stems, "there is no picture", on_fault)
    return [
        replace(pair, split=split_of.get((pair.picture or pair.mask).stem, "")) for pair in pairs
    ]


def _class_list(
    classes: str | Path | Sequence[str] | None, folders: Sequence[Path]
) -> ClassList | None:
    if classes is None:
        classes = find_class_list(folders)
        return None if classes is None else read_class_list(classes)
    if isinstance(classes, str | Path):
        return read_class_list(classes)
    return class_list(classes)


def _report(
    pairs: list[Pair],
    places: Sequence[Place],
    listed: bool,
    on_fault: OnFault,
    on_remark: Callable[[Remark], object],
) -> None:
    """Report what is not a picture with one mask; `listed`: there are lists of the splits."""
    masks = places[0].masks if len(places) == 1 else "the folder of the masks"
    bare = [pair for pair in pairs if pair.mask is None]
    pictures = sum(pair.picture is not None for pair in pairs)
    if listed:
        missed = [pair for pair in bare if pair.split]
    else:
        missed = bare if 2 * len(bare) <= pictures else []
    for pair in missed:
        message = f"has no mask; {pair.picture.stem}.png is not in {masks}"
        _fault("missing mask", pair, pair.picture, message, on_fault)
    if unmasked := len(bare) - len(missed):
        message = f"{unmasked:,} of {pictures:,} pictures have no mask, and are left out"
        on_remark(Remark("unmasked", message))
    for pair in pairs:
        if pair.picture is None:
            message = f"there is no picture {pair.mask.stem} for this mask; add it"
            _fault("missing picture", pair, pair.mask, message, on_fault)
        elif pair.mask is not None and _lossy(pair.mask):
            _fault("unreadable label", pair, pair.mask, LOSSY, on_fault)
        for spare, used in pair.spare:
            message = f"has the same name as {used.name}, which is taken; rename one"
            _fault("twice", pair, spare, message, on_fault)


def _fault(kind: str, pair: Pair, file: Path, message: str, on_fault: OnFault) -> None:
    in_split(on_fault, pair.split)(Fault(kind, file, message, picture=pair.picture))


def _lossy(mask: Path) -> bool:
    return mask.suffix.lower() in LOSSY_SUFFIXES
