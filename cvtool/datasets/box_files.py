"""Label files of boxes, in the layouts that other tools read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import yaml

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.errors import DatasetError
from cvtool.pictures.writing import write_json, write_text

# What each split's files and folders are called.
SPLIT_WORDS = {"train": "train", "dev": "val", "test": "test"}
# Characters that XML cannot hold.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_yolo_files(folder: Path, data: DetectionDataset, names: Sequence[str]) -> None:
    """Write data.yaml and labels/SPLIT/NAME.txt; a picture without boxes gets an empty file.

    Args:
        folder: of the data set; there are no such files in it yet.
        data: the data set; its splits are all "" or none is.
        names: of the pictures in images/SPLIT, those of a split with different stems.
    """
    splits = dict.fromkeys(example.split for example in data.examples)
    places = {key: f"images/{SPLIT_WORDS[key]}" for key in SPLIT_WORDS if key in splits}
    if not places:
        # Trainers ask for both; that both are the same says that the set is not divided.
        places = {"train": "images", "dev": "images"}
    description = {
        **{SPLIT_WORDS[split]: place for split, place in places.items()},
        "names": dict(enumerate(data.classes)),
    }
    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=1000)
    write_text(folder / "data.yaml", text)
    for example, name in zip(data.examples, names, strict=True):
        path = folder / "labels" / SPLIT_WORDS.get(example.split, "") / f"{_stem(name)}.txt"
        write_text(path, "".join(_yolo_lines(example)))


def _yolo_lines(example: Example):
    width, height = example.width, example.height
    for class_id, (x1, y1, x2, y2) in zip(example.class_ids, example.boxes.tolist(), strict=True):
        shares = (
            (x1 + x2) / 2 / width,
            (y1 + y2) / 2 / height,
            (x2 - x1) / width,
            (y2 - y1) / height,
        )
        yield f"{class_id} {' '.join(_decimal(share, 10) for share in shares)}\n"


def write_coco_files(folder: Path, data: DetectionDataset, names: Sequence[str]) -> None:
    """Write annotations/instances_SPLIT.json; arguments as for `write_yolo_files`.

    Numbers of pictures are kept where no two pictures share one.
    """
    picture_ids = [example.picture_id for example in data.examples]
    if len(set(picture_ids)) < len(picture_ids):
        picture_ids = range(1, len(picture_ids) + 1)
    categories = [
        {"id": number, "name": name, "supercategory": ""}
        for number, name in zip(data.category_ids, data.classes, strict=True)
    ]
    contents: dict[str, dict[str, list]] = {}
    for example, name, picture_id in zip(data.examples, names, picture_ids, strict=True):
        content = contents.setdefault(
            example.split, {"images": [], "annotations": [], "categories": categories}
        )
        content["images"].append(
            {
                "id": picture_id,
                "file_name": name,
                "width": example.width,
                "height": example.height,
            }
        )
        for box, class_id, crowd in zip(
            example.boxes.tolist(), example.class_ids, example.crowd, strict=True
        ):
            x1, y1, x2, y2 = box
            sides = [round(value, 4) for value in (x1, y1, x2 - x1, y2 - y1)]
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 1,
                    "image_id": picture_id,
                    "category_id": data.category_ids[class_id],
                    "bbox": sides,
                    "area": round(sides[2] * sides[3], 4),
                    "iscrowd": int(crowd),
                }
            )
    for split, content in contents.items():
        name = f"instances_{SPLIT_WORDS[split]}.json" if split else "instances.json"
        write_json(folder / "annotations" / name, content)


def write_voc_files(folder: Path, data: DetectionDataset, names: Sequence[str]) -> None:
    """Write Annotations/NAME.xml and ImageSets/Main/SPLIT.txt.

    Coordinates are written as they are, see `read_voc`: whole where they are whole.

    Args:
        folder, data: as for `write_yolo_files`; some splits may be "".
        names: of the pictures in JPEGImages, all with different stems.
    Raises:
        DatasetError: two classes have the same name in XML, or one has none.
    """
    classes = [" ".join(_NOT_XML.sub(" ", name).split()) for name in data.classes]
    for name, clean in zip(data.classes, classes, strict=True):
        if not clean or classes.count(clean) > 1:
            raise DatasetError(f"the class name {name!r} cannot be told apart in XML; rename it")
    lists: dict[str, list[str]] = {}
    for example, name in zip(data.examples, names, strict=True):
        stem = _stem(name)
        write_text(folder / "Annotations" / f"{stem}.xml", _voc_text(example, name, classes))
        if example.split:
            lists.setdefault(SPLIT_WORDS[example.split], []).append(f"{stem}\n")
    for word, lines in lists.items():
        write_text(folder / "ImageSets" / "Main" / f"{word}.txt", "".join(lines))


def _voc_text(example: Example, name: str, classes: Sequence[str]) -> str:
    objects = "".join(
        f"""\
    <object>
        <name>{escape(classes[class_id])}</name>
        <pose>Unspecified</pose>
        <truncated>0</truncated>
        <difficult>0</difficult>
        <bndbox>
            <xmin>{_decimal(x1, 4)}</xmin>
            <ymin>{_decimal(y1, 4)}</ymin>
            <xmax>{_decimal(x2, 4)}</xmax>
            <ymax>{_decimal(y2, 4)}</ymax>
        </bndbox>
    </object>
"""
        for class_id, (x1, y1, x2, y2) in zip(
            example.class_ids, example.boxes.tolist(), strict=True
        )
    )
    return f"""\
<annotation>
    <folder>JPEGImages</folder>
    <filename>{escape(name)}</filename>
    <source>
        <database>Unknown</database>
    </source>
    <size>
        <width>{example.width}</width>
        <height>{example.height}</height>
        <depth>3</depth>
    </size>
    <segmented>0</segmented>
{objects}</annotation>
"""


def _decimal(value: float, places: int) -> str:
    """Without needless noughts: 12 for 12.0."""
    text = f"{value:.{places}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


# Layout -> what writes its label files, and the folder of its pictures.
WRITERS: dict[str, tuple[Callable[[Path, DetectionDataset, Sequence[str]], None], str]] = {
    "YOLO": (write_yolo_files, "images"),
    "COCO": (write_coco_files, "images"),
    "Pascal VOC": (write_voc_files, "JPEGImages"),
}
