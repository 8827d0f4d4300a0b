"""Data sets of COCO's JSON files: which files belong to one, and all of them read as one."""

from __future__ import annotations

import re
from pathlib import Path

from cvtool.datasets.box_rows import assemble
from cvtool.datasets.boxed import DetectionDataset
from cvtool.datasets.coco import read_coco_labels
from cvtool.datasets.faults import Fault, OnFault, in_split, refuse
from cvtool.datasets.listed_pictures import NoPictures
from cvtool.datasets.split_files import files_by_split, split_of_lone_file
from cvtool.errors import DatasetError

# A file of boxes shows one of these keys in its first bytes.
_KEYS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_HEAD = 65536


def is_coco_file(path: Path) -> bool:
    """Whether a file looks like COCO's JSON, from its name and its first bytes."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" and bool(_KEYS.search(head))


def find_coco_files(folder: Path) -> list[tuple[Path, str]]:
    """The COCO files of a folder, each with its split; see `files_by_split`."""
    return files_by_split(folder, ("annotations",), (".json",), is_coco_file)


def read_coco_set(
    path: str | Path, pictures: str | Path | None = None, *, on_fault: OnFault = refuse
) -> DetectionDataset:
    """Read one COCO file, or all those of a folder, and compare the pictures with the sizes stated.

    Args:
        path: a JSON file; or a folder with one, or with one for each split, in it, in
            "annotations", or in folders named after the splits.
        pictures: folder of the pictures, or of a folder for each split; looked for near the
            files when None, see `read_coco`.
        on_fault: called with each fault.
    Raises:
        DatasetError: a file cannot be read or contradicts itself, none of its pictures is there,
            or two files have other classes.
    """
    path = Path(path)
    files = find_coco_files(path) if path.is_dir() else [(path, split_of_lone_file(path))]
    if not files:
        raise DatasetError(f"{path}: no .json file in it; name the COCO file with the boxes")
    category_ids, labels = {}, []
    for file, split in files:
        try:
            names, found = read_coco_labels(
                file, pictures, split, on_fault=in_split(on_fault, split)
            )
        except NoPictures as error:
            if len(files) == 1:
                raise
            # Whoever has fetched the pictures of one split only can still use that one.
            message = str(error).removeprefix(f"{file}: ")
            on_fault(Fault("missing picture", file, message, split=split))
            continue
        if not category_ids:
            category_ids = {name: category for category, name in names.items()}
        elif set(category_ids) != set(names.values()):
            odd = sorted(set(category_ids) ^ set(names.values()))
            raise DatasetError(
                f"{file}: has other classes than {files[0][0].name} ({', '.join(odd[:5])}); "
                'write the same "categories" in both'
            )
        position = {name: number for number, name in enumerate(category_ids)}
        renumbered = [position[name] for name in names.values()]
        for one in found:
            one.rows = [row._replace(class_id=renumbered[row.class_id]) for row in one.rows]
            if len(files) > 1:  # each file counts its pictures from the start
                one.picture_id = None
        labels += found
    if not labels:
        raise DatasetError(f"{path}: none of the pictures of its .json files is there")
    return assemble(
        "COCO", tuple(category_ids), labels, on_fault, category_ids=tuple(category_ids.values())
    )
