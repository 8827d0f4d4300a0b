"""The whole check of a data set of boxes, masks or classes. Nothing of it is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvtool.datasets.box_checks import BoxChecks, check_boxes
from cvtool.datasets.boxed import DetectionDataset
from cvtool.datasets.boxed_layouts import may_have_boxes, read_boxed
from cvtool.datasets.class_counts import Counts, class_remarks, count_classes, splits_of
from cvtool.datasets.faults import FAULTS, Fault
from cvtool.datasets.labelled import LabelledPictures, read_labelled
from cvtool.datasets.mask_checks import MaskChecks, check_masks
from cvtool.datasets.masked import MaskDataset
from cvtool.datasets.masked_layout import LAYOUT, read_masked, recognise_masks
from cvtool.datasets.picture_checks import (
    PictureChecks,
    check_pictures,
    picture_remarks,
    short_names,
)
from cvtool.datasets.remarks import REMARKS, Remark
from cvtool.datasets.remedies import REMEDIES
from cvtool.datasets.tiny_imagenet import is_tiny_imagenet
from cvtool.errors import DatasetError

Progress = Callable[[str, int], AbstractContextManager[Callable[[], object]]]


@dataclass(frozen=True, slots=True, eq=False)
class CheckResult:
    """What was found in a data set.

    Attributes:
        dataset: what was checked.
        layout: in words, such as "YOLO" or "class folders".
        splits: split -> number of pictures; "unsplit" where the data set says nothing.
        class_pictures: class -> split -> number of pictures that show it.
        boxes: numbers and sizes of the boxes; None for a set without.
        faults: what must be mended, in the order of FAULTS.
        remarks: what a person should know, in the order of REMARKS.
        data: the data set as it was read, and was counted: without what has a fault, save boxes
            that were cut at the edge of their picture.
        masks: numbers of pixels, and the classes in each picture of `data`; None for a set
            without masks.
    """

    dataset: Path
    layout: str
    splits: dict[str, int]
    class_pictures: Counts
    boxes: BoxChecks | None
    faults: tuple[Fault, ...]
    remarks: tuple[Remark, ...]
    data: DetectionDataset | LabelledPictures | MaskDataset
    masks: MaskChecks | None = None

    @property
    def task(self) -> str:
        """What the set can train: "detect", "segment" or "classify"."""
        if self.masks is not None:
            return "segment"
        return "classify" if self.boxes is None else "detect"

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the class ids."""
        return self.data.classes

    @property
    def paths(self) -> tuple[Path, ...]:
        """The pictures' files."""
        if isinstance(self.data, LabelledPictures):
            return self.data.paths
        return tuple(example.path for example in self.data.examples)

    @property
    def remedies(self) -> dict[str, str]:
        """Kind of finding -> what to do about it, of the kinds that there are."""
        kinds = dict.fromkeys(finding.kind for finding in (*self.faults, *self.remarks))
        return {kind: REMEDIES[kind] for kind in kinds}

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON has it, see docs/check.md."""
        classes = {name: {"pictures": self.class_pictures[name]} for name in self.classes}
        more = {}
        if self.boxes is not None:
            for name, row in classes.items():
                row["boxes"] = self.boxes.counts[name]
            more = {"sizes": self.boxes.sizes, "crowd": self.boxes.crowd}
        if self.masks is not None:
            for name, row in classes.items():
                row["pixels"] = self.masks.pixels[name]
            more = {"void": self.masks.void}
        return {
            "dataset": str(self.dataset),
            "task": self.task,
            "layout": self.layout,
            "pictures": self.splits,
            "classes": classes,
            **more,
            "faults": [
                {
                    "kind": fault.kind,
                    "file": str(fault.file),
                    "line": fault.line,
                    "message": fault.message,
                    "picture": _text(fault.picture),
                }
                for fault in self.faults
            ],
            "remarks": [
                {
                    "kind": remark.kind,
                    "file": _text(remark.file),
                    "message": remark.message,
                    "pictures": [str(path) for path in remark.pictures],
                }
                for remark in self.remarks
            ],
            "remedies": self.remedies,
        }


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


@contextmanager
def _silent(description: str, total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


def check_dataset(
    path: str | Path,
    pictures: str | Path | None = None,
    *,
    masks: str | Path | None = None,
    classes: str | Path | None = None,
    progress: Progress = _silent,
) -> CheckResult:
    """Read a data set of any known layout and every picture of it, and say what is wrong.

    Args:
        path: pictures with boxes (see `boxed_layouts.read_boxed`), with masks (see
            `masked_layout.read_masked`) or with classes (see `labelled.read_labelled`).
        pictures: the pictures' folder, where it is not found from the labels.
        masks, classes: the masks' folder and the list of their classes, likewise; where one is
            given, the set is one of masks.
        progress: function(description, total) -> context manager of a function to call at each
            picture, for a progress bar.
    Raises:
        DatasetError: there is nothing at `path`, or it cannot be read at all.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder; check the path")
    if masks or classes or recognise_masks(path, pictures):
        return _check_masked(path, pictures, masks, classes, progress)
    if not may_have_boxes(path):
        return _check_labelled(path, read_labelled(path, pictures), progress)
    faults: list[Fault] = []
    data = read_boxed(path, pictures, on_fault=faults.append)
    return _check_boxed(path, data, faults, progress)


def _check_boxed(
    path: Path, data: DetectionDataset, faults: list[Fault], progress: Progress
) -> CheckResult:
    paths = [example.path for example in data.examples]
    splits = [example.split for example in data.examples]
    checks, readable, damaged = _look(paths, progress)
    faults = [*faults, *damaged]
    data = data.subset(readable)
    boxes = check_boxes(data, {fault.picture for fault in faults if fault.picture is not None})
    return CheckResult(
        dataset=path,
        layout=data.layout,
        splits=splits_of([example.split for example in data.examples]),
        class_pictures=boxes.pictures,
        boxes=boxes,
        faults=_sorted(faults, FAULTS),
        remarks=_sorted(boxes.remarks + picture_remarks(checks, paths, splits), REMARKS),
        data=data,
    )


def _check_masked(
    path: Path,
    pictures: str | Path | None,
    masks: str | Path | None,
    classes: str | Path | None,
    progress: Progress,
) -> CheckResult:
    faults: list[Fault] = []
    remarks: list[Remark] = []
    data = read_masked(
        path,
        pictures=pictures,
        masks=masks,
        classes=classes,
        on_fault=faults.append,
        on_remark=remarks.append,
    )
    paths = [example.path for example in data.examples]
    splits = [example.split for example in data.examples]
    checks, readable, damaged = _look(paths, progress)
    data = data.subset(readable)
    shapes = [(height, width) for width, height in checks.sizes[readable].tolist()]
    with progress("checking masks", len(data.examples)) as advance:
        found = check_masks(data, shapes, on_mask=advance)
    data = data.subset(found.sound)
    remarks += found.remarks + picture_remarks(checks, paths, splits)
    return CheckResult(
        dataset=path,
        layout=LAYOUT,
        splits=splits_of([example.split for example in data.examples]),
        class_pictures=found.pictures,
        boxes=None,
        faults=_sorted([*faults, *damaged, *found.faults], FAULTS),
        remarks=_sorted(remarks, REMARKS),
        data=data,
        masks=found,
    )


def _check_labelled(path: Path, data: LabelledPictures, progress: Progress) -> CheckResult:
    checks, readable, faults = _look(data.paths, progress)
    remarks = picture_remarks(checks, data.paths, data.splits)
    if not data.several:
        remarks += _two_classes(data, checks)
    data = data.subset(readable)
    counts = _count_labels(data)
    return CheckResult(
        dataset=path,
        layout=_layout(path),
        splits=splits_of(data.splits),
        class_pictures=counts,
        boxes=None,
        faults=_sorted(faults, FAULTS),
        remarks=_sorted(remarks + class_remarks(counts, ("picture", "pictures")), REMARKS),
        data=data,
    )


def _look(
    paths: Sequence[Path], progress: Progress
) -> tuple[PictureChecks, list[int], list[Fault]]:
    """What is found in the pictures; the places of those that can be read; faults of the rest."""
    with progress("checking pictures", len(paths)) as advance:
        checks = check_pictures(paths, on_picture=advance)
    damaged = dict(checks.corrupt)
    faults = [
        Fault(
            "unreadable picture" if paths[place].exists() else "missing picture",
            paths[place],
            reason,
            picture=paths[place],
        )
        for place, reason in damaged.items()
    ]
    return checks, [place for place in range(len(paths)) if place not in damaged], faults


def _count_labels(data: LabelledPictures) -> Counts:
    names, splits = tuple(splits_of(data.splits)), np.array(data.splits, str)
    if not data.several:
        return count_classes(data.classes, data.labels, splits, names)
    # NaN, not labelled, is not present either.
    pictures, class_ids = np.nonzero(data.labels == 1)
    return count_classes(data.classes, class_ids, splits[pictures], names)


def _layout(path: Path) -> str:
    if not path.is_dir():
        return "CSV"
    return "Tiny ImageNet" if is_tiny_imagenet(path) else "class folders"


def _two_classes(data: LabelledPictures, checks: PictureChecks) -> Iterator[Remark]:
    """The groups of like pictures that the labels contradict each other on."""
    names = short_names(data.paths)
    for group in checks.duplicates:
        if len(set(data.labels[group].tolist())) > 1:
            words = [f"{names[index]} ({data.classes[data.labels[index]]})" for index in group]
            pictures = tuple(data.paths[index] for index in group)
            yield Remark("two classes", " = ".join(words), pictures=pictures)


def _sorted(findings: Sequence[Any], kinds: dict[str, str]) -> tuple[Any, ...]:
    order = list(kinds)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.kind)))
