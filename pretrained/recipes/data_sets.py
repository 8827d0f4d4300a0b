"""The data sets that the recipes read: how each lies in its folder, and where it is public."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set in one folder.

    Attributes:
        folder: its name within the data folder.
        holds: what must be there: paths, or patterns that must match something.
        source: what it is and where it is public.
    """

    folder: str
    holds: tuple[str, ...]
    source: str


DATA_SETS = {
    data.folder: data
    for data in (
        DataSet(
            "tiny-imagenet-200",
            ("wnids.txt", "train/*/images/*.JPEG", "val/val_annotations.txt", "val/images/*.JPEG"),
            "Tiny-ImageNet-200 of Stanford's CS231n (cs231n.stanford.edu/tiny-imagenet-200.zip)",
        ),
        DataSet(
            "everyday20",
            (
                "instances_train.json",
                "instances_val.json",
                "images/train/*.jpg",
                "images/val/*.jpg",
                "masks/train/*.png",
                "masks/val/*.png",
            ),
            "pictures of Pascal VOC 2007 and 2012 (host.robots.ox.ac.uk/pascal/VOC) and COCO 2017 "
            "(cocodataset.org), resized to a longest side of 320 px, with boxes of VOC's 20 "
            "classes as COCO's JSON and masks as VOC's palette PNG",
        ),
        DataSet(
            "lfw",
            ("images_deepfunneled/*/*.jpg", "peopleDevTrain.txt", "pairsDevTest.txt"),
            "Labeled Faces in the Wild, deep-funneled, View 1 (vis-www.cs.umass.edu/lfw)",
        ),
        DataSet(
            "styles",
            ("**/*.jpg",),
            "paintings and textures: any in the public domain, and the Describable Textures "
            "Dataset (www.robots.ox.ac.uk/~vgg/data/dtd)",
        ),
        DataSet(
            "style-pairs",
            ("content/*.*", "style/*.*"),
            "photographs and paintings to score with, any that are not among the others",
        ),
        DataSet(
            "imagenette",
            ("train/*/*.*", "val/*/*.*"),
            "Imagenette (github.com/fastai/imagenette)",
        ),
    )
}


def missing_data(root, folders):
    """What the data folder lacks.

    Args:
        root: the folder that holds the data sets.
        folders: names of those that are needed.
    Returns:
        list of lines, one a data set: what is missing, how it should lie there, where it is
        public. Empty if nothing is.
    """
    lines = []
    for data in (DATA_SETS[folder] for folder in folders):
        place = Path(root) / data.folder
        absent = [path for path in data.holds if next(place.glob(path), None) is None]
        if absent:
            lines.append(f"{place}: lacks {', '.join(absent)}; it is to hold {data.source}")
    return lines
