"""Object boxes in the layout of YOLO: a text file for each picture, a box a line.

A line holds the class number from 0, then the midpoint's x and y, the width and the height as
shares of the picture; or the class number and the corners of a polygon.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from cvtool.datasets.box_rows import Labels, Row, assemble
from cvtool.datasets.boxed import DetectionDataset
from cvtool.datasets.faults import Fault, OnFault, in_split, refuse
from cvtool.datasets.listed_pictures import is_picture, picture_finder, pictures_below
from cvtool.datasets.yolo_description import (
    NAME_LISTS,
    YoloDescription,
    describe_yolo,
    split_of_path,
)
from cvtool.errors import DatasetError

# Shares beyond these are no shares: probably pixels.
_LEAST_SHARE, _MOST_SHARE = -1.0, 2.0


def read_yolo(
    path: str | Path, pictures: str | Path | None = None, *, on_fault: OnFault = refuse
) -> DetectionDataset:
    """Read a data set in the layout of YOLO.

    The labels of images/a.jpg are those of labels/a.txt (the last folder called images is
    replaced), or else of a.txt beside the picture. A picture without this file has no objects. Of
    a polygon the box round it is taken; a sixth number, a score, is passed over.

    Args:
        path: the YAML file that describes the set, or the folder with it, with obj.data or
            with a list of class names; see `describe_yolo`.
        pictures: folder that the paths of the description are tried in first.
        on_fault: called with each fault.
    Raises:
        DatasetError: the description cannot be read, or there is no picture or no label file.
    """
    description = describe_yolo(Path(path), pictures)
    listed = _list_pictures(description, on_fault)
    if not listed:
        raise DatasetError(f"{description.file}: none of the pictures is there; check its paths")
    labels: list[Labels] = []
    homes: dict[Path, set[Path]] = {}  # folder of label files -> of their pictures
    found_any = False
    for picture, split in listed:
        file, data = _read_label_file(picture, description.root)
        found_any |= data is not None
        homes.setdefault(file.parent, set()).add(picture.parent)
        report = in_split(on_fault, split)
        rows = list(_read_rows(file, picture, data or b"", description, report))
        labels.append(Labels(picture, file, rows, split, relative=True))
    if not found_any:
        raise DatasetError(
            f"{description.file}: no picture has a label file; that of {listed[0][0].name} would "
            f"be {_label_places(listed[0][0], description.root)[0]}"
        )
    _report_orphans(homes, on_fault)
    return assemble("YOLO", description.classes, labels, on_fault)


def _list_pictures(description: YoloDescription, on_fault: OnFault) -> list[tuple[Path, str]]:
    """Pictures with their splits, in order."""
    for split, entry in description.missing:
        message = f"{entry} is neither in {description.root} nor where it says; correct the path"
        on_fault(Fault("missing picture", description.file, message, split=split))
    by_split: dict[str, list[Path]] = {}
    for split, place in description.places:
        if place.is_dir():
            found = pictures_below(place)
        else:
            found = list(_read_list(place, description, in_split(on_fault, split or "")))
        for picture in found:
            at = split_of_path(picture, description.root) if split is None else split
            by_split.setdefault(at, []).append(picture)
    # Trainers ask for both splits, so who has not divided the pictures names them for both.
    if by_split.get("train") and by_split["train"] == by_split.get("dev"):
        del by_split["dev"]
        if len(by_split) == 1:
            by_split = {"": by_split["train"]}
    return [(at, split) for split, found in by_split.items() for at in found]


def _read_list(path: Path, description: YoloDescription, on_fault: OnFault) -> Iterator[Path]:
    """Pictures of a list, one a line, relative to the list or to the set's folder."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as a list of pictures ({error})") from None
    find = picture_finder([*description.picture_folders, path.parent, description.root])
    for number, line in enumerate(lines, 1):
        if not (name := line.strip()):
            continue
        picture = find(name)
        if picture is None:
            message = f"picture {name} is not there; check the path"
            at = path.parent / name
            on_fault(Fault("missing picture", path, message, number, at))
        else:
            yield picture


def _label_places(picture: Path, root: Path) -> list[Path]:
    """Where the label file of a picture may be, the most usual place first."""
    parts = list(picture.parts)
    places = []
    for at in range(len(parts) - 2, -1, -1):
        if parts[at].casefold() == "images":
            label_name = "LABELS" if parts[at].isupper() else "labels"
            names = dict.fromkeys((label_name, label_name.capitalize()))
            places += [Path(*parts[:at], name, *parts[at + 1 :]) for name in names]
            break
    places += [picture, picture.parent / "labels" / picture.name, root / "labels" / picture.name]
    return [place.with_suffix(".txt") for place in places]


def _read_label_file(picture: Path, root: Path) -> tuple[Path, bytes | None]:
    """The label file and what it holds; None where there is no such file."""
    places = _label_places(picture, root)
    for place in places:
        try:
            with open(place, "rb") as stream:
                return place, stream.read()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise DatasetError(f"{place}: cannot be read ({error.strerror})") from None
    return places[0], None


def _read_rows(
    file: Path, picture: Path, data: bytes, description: YoloDescription, on_fault: OnFault
) -> Iterator[Row]:
    if b"\0" in data:
        message = "not text in UTF-8; save it as UTF-8, or write it again"
        on_fault(Fault("unreadable label", file, message, picture=picture))
        return
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        kind, message, values = "unreadable label", "", []
        try:
            values = [float(word) for word in words]
        except ValueError:
            message = f"{line.strip()[:40]!r} does not hold numbers only"
        if values:
            kind, message = _check(values, description)
        if message:
            on_fault(Fault(kind, file, message, number, picture))
            continue
        yield Row(_box(values[1:], description.key_points), int(values[0]), number)


def _check(values: Sequence[float], description: YoloDescription) -> tuple[str, str]:
    """Kind and words of what is wrong with a line; no words where nothing is."""
    kind = "unreadable label"
    count, classes = len(values), len(description.classes)
    polygon = count >= 7 and count % 2 == 1
    if not (count in (5, 6) or polygon or (description.key_points and count > 5)):
        return (
            kind,
            f"holds {count} numbers; a box takes 5: class, x, y, width, height",
        )
    # NaN is in no interval.
    if not all(_LEAST_SHARE <= value <= _MOST_SHARE for value in _geometry(values, description)):
        return kind, "the numbers after the class must be shares of the picture, from 0 to 1"
    if not values[0].is_integer():
        return kind, f"the class {values[0]:g} is not a whole number"
    if not 0 <= values[0] < classes:
        last = f"0 to {classes - 1}" if classes > 1 else "0"
        return "unknown class", (
            f"class {values[0]:.0f} is not among the {classes} of {description.file.name} ({last})"
        )
    return kind, ""


def _geometry(values: Sequence[float], description: YoloDescription) -> Sequence[float]:
    """The numbers of a line that make the box."""
    return values[1:5] if len(values) == 6 or description.key_points else values[1:]


def _box(numbers: Sequence[float], key_points: bool) -> tuple[float, float, float, float]:
    if len(numbers) > 5 and not key_points:
        xs, ys = numbers[0::2], numbers[1::2]
        return min(xs), min(ys), max(xs), max(ys)
    x, y, width, height = numbers[:4]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _report_orphans(homes: dict[Path, set[Path]], on_fault: OnFault) -> None:
    """Label files without a picture, in the folders where labels were looked for."""
    for label_folder, picture_folders in homes.items():
        if label_folder in picture_folders or not label_folder.is_dir():
            continue
        pictures = {
            os.path.splitext(name)[0]
            for folder in picture_folders
            for name in os.listdir(folder)
            if is_picture(name)
        }
        home = min(picture_folders)
        for name in sorted(os.listdir(label_folder)):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() == ".txt" and stem not in pictures and name not in NAME_LISTS:
                message = f"there is no picture {stem} in {home}; put it there"
                file = label_folder / name
                on_fault(Fault("missing picture", file, message, picture=home / stem))
