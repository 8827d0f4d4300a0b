"""Object boxes in COCO's JSON layout (cocodataset.org, "Data format")."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.errors import DatasetError


def read_coco(json_path: str | Path, pictures: str | Path | None = None) -> DetectionDataset:
    """Read the boxes of a COCO JSON file; the pictures are found but not opened.

    Boxes are cut at the picture's edges, and those without area are dropped.
    Classes are ordered by category id. Pictures without boxes stay.

    Args:
        json_path: the file, with "images", "annotations" and "categories".
        pictures: folder that the file names are relative to. None looks beside the
            JSON and in its images folder, then in those of the folder above, and
            in each for a folder named after the split: for instances_val.json
            that is val, beside it or in images.
    Returns:
        The data set.
    Raises:
        DatasetError: the file is missing, not COCO, contradicts itself, or its
            pictures are not there; the message says where.
    """
    json_path = Path(json_path)
    content = _load(json_path)
    names = _categories(json_path, content)
    images = _images(json_path, content)
    truths = _annotations(json_path, content, images, names)
    folder = _find_pictures(json_path, [image["file_name"] for image in images.values()], pictures)

    position = {category: number for number, category in enumerate(names)}
    examples = []
    for picture_id, image in images.items():
        rows = truths[picture_id]
        boxes, class_ids, crowd = _arrays(rows, position, image["width"], image["height"])
        examples.append(
            Example(
                path=folder / image["file_name"],
                boxes=boxes,
                class_ids=class_ids,
                width=image["width"],
                height=image["height"],
                picture_id=picture_id,
                crowd=crowd,
            )
        )
    return DetectionDataset(tuple(names.values()), tuple(examples), tuple(names))


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


def _require(json_path: Path, entry: dict, place: str, **kinds) -> list:
    """The values of the named keys, after a check that each is there and of its kind."""
    values = []
    for key, kind in kinds.items():
        if key not in entry:
            raise DatasetError(f'{json_path}: {place} has no "{key}"')
        value = entry[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DatasetError(f'{json_path}: {place} has a wrong "{key}": {value!r:.60}')
        values.append(value)
    return values


def _categories(json_path: Path, content: dict) -> dict[int, str]:
    """Category id -> name, by rising id."""
    names = {}
    for number, entry in enumerate(content["categories"]):
        category, name = _require(json_path, entry, f"category entry {number}", id=int, name=str)
        if category in names:
            raise DatasetError(f"{json_path}: category id {category} appears twice")
        if name in names.values():
            raise DatasetError(f"{json_path}: category name {name!r} appears twice")
        names[category] = name
    if not names:
        raise DatasetError(f'{json_path}: "categories" is empty; name at least one class')
    return dict(sorted(names.items()))


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


def _annotations(json_path, content, images, names) -> dict[int, list[tuple]]:
    """Picture id -> rows of x, y, width, height, category id, crowd."""
    truths: dict[int, list[tuple]] = {picture_id: [] for picture_id in images}
    for number, entry in enumerate(content["annotations"]):
        place = f"annotation {entry.get('id', f'entry {number}')}"
        picture_id, category, box = _require(
            json_path, entry, place, image_id=int, category_id=int, bbox=list
        )
        if picture_id not in truths:
            raise DatasetError(f"{json_path}: {place} points to unknown image {picture_id}")
        if category not in names:
            raise DatasetError(f"{json_path}: {place} points to unknown category {category}")
        if len(box) != 4 or not all(_is_number(value) for value in box):
            raise DatasetError(
                f'{json_path}: {place} needs a "bbox" of four numbers (x, y, width, height), '
                f"not {box!r:.60}"
            )
        truths[picture_id].append((*box, category, bool(entry.get("iscrowd", 0))))
    return truths


def _is_number(value) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _arrays(rows, position, width, height) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes inside the picture, class ids and crowd marks of one picture."""
    boxes = np.array([row[:4] for row in rows], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    np.clip(boxes, 0, (width, height, width, height), out=boxes)
    boxes = boxes.astype(np.float32)
    solid = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    class_ids = np.array([position[row[4]] for row in rows], np.int64)
    crowd = np.array([row[5] for row in rows], bool)
    return boxes[solid], class_ids[solid], crowd[solid]


def _find_pictures(json_path: Path, files: list[str], pictures: str | Path | None) -> Path:
    """The folder that holds every picture of the data set."""
    if pictures is not None:
        if not Path(pictures).is_dir():
            raise DatasetError(f"{pictures}: no such folder of pictures")
        folders = [Path(pictures)]
    else:
        split = json_path.stem.rpartition("_")[2]
        roots = [json_path.parent, json_path.absolute().parent.parent]
        inner = [Path("."), Path("images"), Path("images") / split, Path(split)]
        folders = [root / folder for root in roots for folder in inner]
    folder = next((at for at in folders if (at / files[0]).is_file()), None)
    if folder is None and pictures is None:
        raise DatasetError(
            f"{json_path}: picture {files[0]} is neither beside it nor in an images folder; "
            "name the folder of the pictures"
        )
    absent = _absent(folder or folders[0], files)
    if absent:
        raise DatasetError(
            f"{json_path}: {len(absent)} of {len(files)} pictures are not in "
            f"{folder or folders[0]}, the first is {absent[0]}"
        )
    return folder or folders[0]


def _absent(folder: Path, files: list[str]) -> list[str]:
    """Files that a folder lacks; one listing of the folder answers for most."""
    try:
        present = set(os.listdir(folder))
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror})") from None
    return [file for file in files if file not in present and not (folder / file).is_file()]
