"""Object boxes in COCO's JSON layout (cocodataset.org, "Data format")."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from cvtool.datasets.box_rows import Labels, Row, assemble
from cvtool.datasets.boxed import DetectionDataset
from cvtool.datasets.faults import Fault, OnFault, refuse
from cvtool.datasets.listed_pictures import NoPictures, picture_finder
from cvtool.errors import DatasetError

# Of so many pictures one should be there, if the folder is the right one.
_TRIED = 20


def read_coco(
    json_path: str | Path,
    pictures: str | Path | None = None,
    *,
    on_fault: OnFault | None = None,
) -> DetectionDataset:
    """Read the boxes of a COCO JSON file; the pictures are found but not opened.

    Boxes are cut at the picture's edges, and those without area are dropped.
    Classes are ordered by category id. Pictures without boxes stay.

    Args:
        json_path: the file, with "images", "annotations" and "categories".
        pictures: folder that the file names are relative to. None looks beside the
            JSON and in its images folder, then in those of the folder above, and
            in each for a folder named after the split: for instances_val.json
            that is val, beside it or in images.
        on_fault: called with each fault of an annotation and each missing picture,
            which are then left out. None refuses missing pictures and annotations that
            make no sense, and cuts or drops boxes without a word.
    Returns:
        The data set.
    Raises:
        DatasetError: the file is missing, not COCO, contradicts itself, or its
            pictures are not there; the message says where.
    """
    names, labels = read_coco_labels(json_path, pictures, on_fault=on_fault)
    return assemble(
        "COCO",
        tuple(names.values()),
        labels,
        on_fault or (lambda fault: None),
        category_ids=tuple(names),
        trust_sizes=True,
    )


def read_coco_labels(
    json_path: str | Path,
    pictures: str | Path | None = None,
    split: str = "",
    *,
    on_fault: OnFault | None = None,
) -> tuple[dict[int, str], list[Labels]]:
    """Category id -> name, by rising id, and the labels of each picture; see `read_coco`."""
    json_path = Path(json_path)
    content = _load(json_path)
    names = _categories(json_path, content)
    images = _images(json_path, content)
    paths = _find_pictures(
        json_path, [image["file_name"] for image in images.values()], pictures, on_fault
    )
    labels = {
        picture_id: Labels(
            picture=path,
            file=json_path,
            split=split,
            size=(image["width"], image["height"]),
            picture_id=picture_id,
        )
        for (picture_id, image), path in zip(images.items(), paths, strict=True)
        if path is not None
    }
    _add_rows(json_path, content, images, names, labels, on_fault or refuse)
    return names, list(labels.values())


def _load(json_path: Path) -> dict:
    try:
        content = json.loads(json_path.read_bytes())
    except FileNotFoundError:
        raise DatasetError(f"{json_path}: no such file; give the COCO JSON file") from None
    except IsADirectoryError:
        raise DatasetError(f"{json_path}: is a folder; give the COCO JSON file in it") from None
    except OSError as error:
        raise DatasetError(f"{json_path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{json_path}: not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise DatasetError(f"{json_path}: not a COCO file: the top level must be an object")
    for key in ("images", "annotations", "categories"):
        if key not in content:
            raise DatasetError(f'{json_path}: not a COCO file of boxes: it has no "{key}"')
        if not isinstance(content[key], list):
            raise DatasetError(f'{json_path}: "{key}" must be a list')
        for number, entry in enumerate(content[key]):
            if not isinstance(entry, dict):
                raise DatasetError(f'{json_path}: "{key}" entry {number} must be an object')
    return content


def _wrong(entry: dict, **kinds) -> str:
    """What is wrong with the named keys: missing, or not of their kind; "" if nothing is."""
    for key, kind in kinds.items():
        if key not in entry:
            return f'has no "{key}"'
        if not isinstance(entry[key], kind) or isinstance(entry[key], bool):
            return f'has a wrong "{key}": {entry[key]!r:.60}'
    return ""


def _require(json_path: Path, entry: dict, place: str, **kinds) -> list:
    """The values of the named keys, after a check that each is there and of its kind."""
    if wrong := _wrong(entry, **kinds):
        raise DatasetError(f"{json_path}: {place} {wrong}")
    return [entry[key] for key in kinds]


def _categories(json_path: Path, content: dict) -> dict[int, str]:
    """Category id -> name, by rising id."""
    names = {}
    groups = _groups(content)
    for number, entry in enumerate(content["categories"]):
        if any(entry is group for group in groups):
            continue
        category, name = _require(json_path, entry, f"category entry {number}", id=int, name=str)
        if category in names:
            raise DatasetError(f"{json_path}: category id {category} appears twice")
        if name in names.values():
            raise DatasetError(f"{json_path}: category name {name!r} appears twice")
        names[category] = name
    if not names:
        raise DatasetError(f'{json_path}: "categories" is empty; name at least one class')
    return dict(sorted(names.items()))


def _groups(content: dict) -> list[dict]:
    """Roboflow's first category: the name of the project, above the classes and without boxes."""
    above = [entry.get("supercategory") for entry in content["categories"]]
    used = [entry.get("category_id") for entry in content["annotations"]]
    return [
        entry
        for entry in content["categories"]
        if entry.get("supercategory") == "none"
        and entry.get("name") in above
        and entry.get("id") not in used
    ]


def _images(json_path: Path, content: dict) -> dict[int, dict]:
    """Picture id -> its entry, in the order of the file."""
    images = {}
    for number, entry in enumerate(content["images"]):
        picture_id, _, width, height = _require(
            json_path, entry, f"image entry {number}", id=int, file_name=str, width=int, height=int
        )
        if width < 1 or height < 1:
            raise DatasetError(f"{json_path}: image {picture_id} has the size {width} x {height}")
        if picture_id in images:
            raise DatasetError(f"{json_path}: image id {picture_id} appears twice")
        images[picture_id] = entry
    if not images:
        raise DatasetError(f'{json_path}: "images" is empty; there is nothing to read')
    return images


def _add_rows(json_path, content, images, names, labels: dict[int, Labels], on_fault: OnFault):
    """Put each annotation to the labels of its picture; those of missing pictures are dropped."""
    position = {category: number for number, category in enumerate(names)}
    for number, entry in enumerate(content["annotations"]):
        place = f"annotation {entry.get('id', f'entry {number}')}"
        kind, wrong = "unreadable label", _wrong(entry, image_id=int, category_id=int, bbox=list)
        if not wrong:
            picture_id, category, box = entry["image_id"], entry["category_id"], entry["bbox"]
            if picture_id not in images:
                kind, wrong = "missing picture", f"points to unknown image {picture_id}"
            elif category not in position:
                kind, wrong = "unknown class", f"points to unknown category {category}"
            elif len(box) != 4 or not all(_is_number(value) for value in box):
                wrong = f'needs a "bbox" of four numbers (x, y, width, height), not {box!r:.60}'
        if wrong:
            owner = labels.get(entry["image_id"]) if _is_id(entry.get("image_id")) else None
            picture = None if owner is None else owner.picture
            on_fault(Fault(kind, json_path, f"{place} {wrong}", picture=picture))
        elif picture_id in labels:
            x, y, width, height = map(float, box)
            corners = (x, y, x + width, y + height)
            crowd = bool(entry.get("iscrowd", 0))
            row = Row(corners, position[category], place=f"{place}: ", crowd=crowd)
            labels[picture_id].rows.append(row)


def _is_id(value) -> bool:
    return type(value) is int


def _is_number(value) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _find_pictures(
    json_path: Path,
    files: list[str],
    pictures: str | Path | None,
    on_fault: OnFault | None,
) -> list[Path | None]:
    """The picture of each name, None where there is none."""
    own_name = json_path.stem.rpartition("_")[2]
    if pictures is not None:
        if not Path(pictures).is_dir():
            raise DatasetError(f"{pictures}: no such folder of pictures")
        # Perhaps with a folder for each split, called as the file or the file's folder is.
        folders = [Path(pictures) / below for below in (own_name, json_path.parent.name, "")]
    else:
        inner = [Path("."), Path("images"), Path("images") / own_name, Path(own_name)]
        roots = [json_path.parent, json_path.absolute().parent.parent]
        folders = [root / folder for root in roots for folder in inner]
    some = files[:_TRIED]
    home = next((at for at in folders if any((at / name).is_file() for name in some)), None)
    # One listing of a folder answers for most names.
    present = _names(home) if home is not None else set()
    find = picture_finder(folders if home is None else [home, *folders])
    paths = [home / name if name in present else find(name) for name in files]
    absent = [name for name, path in zip(files, paths, strict=True) if path is None]
    where = home or (folders[0] if pictures is None else Path(pictures))
    if len(absent) == len(files) and pictures is None:
        raise NoPictures(
            f"{json_path}: picture {files[0]} is neither beside it nor in an images folder; "
            "name the folder of the pictures (--pictures)"
        )
    some_are_absent = (
        f"{json_path}: {len(absent)} of {len(files)} pictures are not in {where}, the first "
        f"is {absent[0]}"
        if absent
        else ""
    )
    if len(absent) == len(files):
        raise NoPictures(some_are_absent)
    if absent and on_fault is None:
        raise DatasetError(some_are_absent)
    for name in absent:
        message = f"picture {name} is not in {where}; put it there, or take out its entry"
        on_fault(Fault("missing picture", json_path, message, picture=where / name))
    return paths


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror})") from None
