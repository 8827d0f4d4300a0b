"""Pictures with boxes in whichever layout they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cvtool.datasets.box_table import find_box_tables, is_box_table, read_box_table
from cvtool.datasets.boxed import DetectionDataset
from cvtool.datasets.coco_sets import find_coco_files, is_coco_file, read_coco_set
from cvtool.datasets.faults import OnFault, refuse
from cvtool.datasets.voc_layout import is_voc, read_voc
from cvtool.datasets.yolo_description import YAML_SUFFIXES, is_yolo
from cvtool.datasets.yolo_layout import read_yolo
from cvtool.errors import DatasetError

READERS: dict[str, Callable[..., DetectionDataset]] = {
    "YOLO": read_yolo,
    "COCO": read_coco_set,
    "Pascal VOC": read_voc,
    "CSV": read_box_table,
}
# What the name of a file promises, so that the reader can say what is wrong with it.
_BY_SUFFIX = {".json": "COCO", ".csv": "CSV", ".tsv": "CSV"} | dict.fromkeys(YAML_SUFFIXES, "YOLO")


def recognise(path: str | Path) -> str | None:
    """Tell the layout of a data set with boxes.

    Names, and the beginnings of a few files, are looked at.

    Args:
        path: a file or folder, or what is none.
    Returns:
        "YOLO", "COCO", "Pascal VOC" or "CSV" (a table of boxes); None for anything else.
    """
    path = Path(path)
    try:
        if is_yolo(path):
            return "YOLO"
        if not path.is_dir():
            if is_coco_file(path):
                return "COCO"
            return "CSV" if is_box_table(path) else None
        if _any_files(find_coco_files, path):
            return "COCO"
        if is_voc(path):
            return "Pascal VOC"
        return "CSV" if _any_files(find_box_tables, path) else None
    except (OSError, ValueError):  # a path that no file can have
        return None


def may_have_boxes(path: str | Path) -> bool:
    """Whether `read_boxed` is the one to read it, or to say what is wrong with it.

    Args:
        path: a file or folder of labelled pictures of any kind.
    """
    path = Path(path)
    if recognise(path) is not None:
        return True
    # No set of labels without boxes has such a name.
    return path.is_file() and path.suffix.lower() in (".json", *YAML_SUFFIXES)


def _any_files(find: Callable[[Path], list], folder: Path) -> bool:
    try:
        return bool(find(folder))
    except DatasetError:  # several, of which the reader will say why they are too many
        return True


def read_boxed(
    path: str | Path, pictures: str | Path | None = None, *, on_fault: OnFault = refuse
) -> DetectionDataset:
    """Read a data set with boxes, whichever of the known layouts it has.

    Every fault is handed to `on_fault`, and the rest is read. A box with a fault is left out,
    unless it only reaches out of its picture: then it is cut. A picture stays, even without
    any box, unless it is missing, cannot be read, is there twice or has another size than its
    labels say. Pictures are opened for their size only.

    Args:
        path: the file or folder; see `read_yolo`, `read_coco_set`, `read_voc`, `read_box_table`.
        pictures: folder of the pictures; looked for near the labels when None.
        on_fault: called with each fault; the first one is raised when not given.
    Returns:
        The data set.
    Raises:
        DatasetError: there is no such data set, or it cannot be read at all.
    """
    path = Path(path)
    layout = recognise(path) or (None if path.is_dir() else _BY_SUFFIX.get(path.suffix.lower()))
    if layout is None:
        raise DatasetError(_unknown(path))
    return READERS[layout](path, pictures, on_fault=on_fault)


def _unknown(path: Path) -> str:
    if path.is_dir():
        return (
            f"{path}: no data set with boxes: no data.yaml or classes.txt (YOLO), no .json file "
            "(COCO), no XML files (Pascal VOC) and no .csv file with columns of boxes in it"
        )
    if path.exists():
        return (
            f"{path}: not a data set with boxes; name a folder, or a .yaml (YOLO), .json (COCO) "
            "or .csv file"
        )
    return f"{path}: no such file or folder; check the path"
