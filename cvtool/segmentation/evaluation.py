"""Score a segmentation model on masks, and save what explains the score."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtool.datasets.faults import Fault, OnFault, refuse
from cvtool.datasets.mask_classes import find_class_list
from cvtool.datasets.mask_files import mask_of
from cvtool.datasets.mask_pairs import mask_root
from cvtool.datasets.masked import MaskDataset
from cvtool.datasets.masked_layout import read_masked
from cvtool.datasets.remarks import Remark
from cvtool.datasets.scored_part import scored_part, split_of
from cvtool.errors import CvtoolError, DatasetError, few
from cvtool.pictures.naming import part_of_name
from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_each
from cvtool.pictures.writing import whole_file, write_json, write_picture
from cvtool.segmentation.metrics import boundary_f_score, confusion_matrix, mean_iou, ratio
from cvtool.segmentation.sheet import side_by_side
from cvtool.segmentation.summary import number_of, summarise

if TYPE_CHECKING:
    from cvtool.segmentation.segmenter import Segmenter

WORST = 20
SUMMARY_FILE = "evaluation.json"
CONFUSION_FILE = "confusion.png"
WORST_FOLDER = "worst"
# Longer side of the pictures that show mistakes, pixels.
_LONGEST_SHOWN = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Mistake:
    """A picture with wrong pixels.

    Attributes:
        index: its position in the data set.
        miou: mean IoU over the classes that it shows, in [0, 1].
        predicted: uint8 (H, W), ids of the data set's classes.
    """

    index: int
    miou: float
    predicted: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How a segmentation model did.

    Attributes:
        summary: ready for JSON, see docs/evaluate.md.
        confusions: int64 (N, C, C), pixels of each picture: rows truth, columns prediction.
        worst: up to 20 pictures, those with the lowest mean IoU first.
        dataset: what it was scored on, N pictures.
    """

    summary: dict[str, Any]
    confusions: np.ndarray
    worst: list[Mistake]
    dataset: MaskDataset


def read_segmentation_dataset(
    path: str | Path,
    classes: Sequence[str],
    pictures: str | Path | None = None,
    limit: int | None = None,
    split: str | None = None,
    *,
    on_fault: OnFault = refuse,
    on_remark: Callable[[Remark], object] = lambda remark: None,
) -> MaskDataset:
    """Read pictures with masks to score a model on.

    Args:
        path: a data set or a folder of masks, see `read_masked`.
        classes: the model's; they are those of the masks where there is no list of classes.
        pictures: folder of the pictures; None looks in the data set, or beside the masks.
        limit: take so many pictures only, spread evenly over the set; None for all.
        split: "train", "dev" or "test"; None takes the test pictures if there are any, or else
            dev, or else all.
        on_fault: called with each fault, but for those of other splits or other pictures.
        on_remark: called where many pictures have no mask.
    Raises:
        DatasetError: missing, unreadable, or without pictures of the split.
    """
    listed = find_class_list((Path(path), mask_root(Path(path)) or Path(path)))
    faults: list[Fault] = []
    whole = read_masked(
        path,
        pictures=pictures,
        classes=listed or classes,
        on_fault=faults.append,
        on_remark=on_remark,
    )
    # A single one is too little to train on, but can be scored on.
    faults = [fault for fault in faults if fault.kind != "one picture"]

    def pick(positions: Sequence[int]) -> Sequence[int]:
        if limit is None or limit >= len(positions):
            return positions
        spread = np.linspace(0, len(positions) - 1, limit).round().astype(int)
        return [positions[at] for at in spread]

    return scored_part(whole, path, split, faults, on_fault, pick)


def evaluate_segmenter(
    segmenter: Segmenter,
    dataset: MaskDataset,
    *,
    on_picture: Callable[[], None] | None = None,
    on_error: Callable[[CvtoolError], object] | None = None,
) -> Evaluation:
    """Run a segmentation model over pictures with masks and score it.

    Masks are compared at their own size, void pixels left out. Classes are matched by name, see
    `matching_ids`.

    Args:
        segmenter: the model.
        dataset: pictures with masks.
        on_picture: called after each picture, for a progress bar.
        on_error: called with the error of each picture or mask that cannot be read, which is
            left out; None raises it.
    Raises:
        DatasetError: no class in common, nothing but void or the first class, not one picture
            can be read, or a mask cannot, where `on_error` is None.
        PictureError: a picture cannot be read, where `on_error` is None.
    """
    ids = matching_ids(segmenter, dataset.classes)
    confusions, outlines, worst, read, seconds = [], [], [], [], 0.0
    paths = [example.path for example in dataset.examples]
    for index, picture in read_each(paths, on_error=on_error):
        try:
            truth = mask_of(dataset, dataset.examples[index], picture.pixels.shape[:2])
        except DatasetError as error:
            if on_error is None:
                raise
            on_error(error)
            continue
        start = time.perf_counter()
        predicted = segmenter.mask(picture.pixels)
        seconds += time.perf_counter() - start
        predicted = ids[predicted]
        confusion = confusion_matrix(truth, predicted, len(dataset.classes))
        confusions.append(confusion)
        outlines.append(boundary_scores(truth, predicted, confusion))
        if np.trace(confusion) < confusion.sum():
            worst.append(Mistake(len(read), mean_iou(confusion), predicted))
            worst = sorted(worst, key=lambda mistake: mistake.miou)[:WORST]
        read.append(index)
        if on_picture is not None:
            on_picture()
    if not read:
        raise DatasetError(f"{paths[0]}: not one of {len(paths)} pictures and masks can be read")
    confusions, dataset = np.stack(confusions), dataset.subset(read)
    if not confusions.any():
        raise DatasetError(
            f"{dataset.examples[0].mask}: void everywhere, as are all masks here: nothing to score"
        )
    if not confusions[:, 1:].any():
        raise DatasetError(
            f"{dataset.examples[0].mask}: nothing but {dataset.classes[0]} here and in all masks, "
            "and 255 is void: nothing to score; if it is a class, list the classes in classes.txt"
        )
    summary = summarise(confusions, dataset.classes)
    outlines = np.stack(outlines)
    means = ratio(np.nansum(outlines, axis=0), (~np.isnan(outlines)).sum(axis=0))
    for row, mean in zip(summary["per_class"].values(), means, strict=True):
        row["boundary_f"] = number_of(mean)
    summary |= {
        "split": split_of(dataset),
        "unreadable": len(paths) - len(read),
        "seconds": round(seconds, 3),
        "model": segmenter.model_name,
        "engine": segmenter.engine_name,
        "size": segmenter.size,
    }
    return Evaluation(summary, confusions, worst, dataset)


def matching_ids(segmenter: Segmenter, classes: Sequence[str]) -> np.ndarray:
    """The data set's class id for each of the model's, uint8 (256,).

    They go by the name. The background is the background whatever it is called, and so is what
    the data set has no name for.

    Raises:
        DatasetError: no other class in common.
    """
    if not set(segmenter.classes[1:]) & set(classes[1:]):
        raise DatasetError(
            f'model "{segmenter.model_name}" knows none of the data set\'s classes '
            f"({few(classes[1:])}); choose another model or data set"
        )
    ids = np.zeros(256, np.uint8)
    for number, name in enumerate(segmenter.classes):
        if name in classes:
            ids[number] = classes.index(name)
    return ids


def boundary_scores(truth, predicted, confusion):
    """The boundary F-score of each class in one picture, float (C,).

    NaN for a class that is neither there nor predicted, or has no outline.
    """
    present = confusion.sum(axis=0) + confusion.sum(axis=1) > 0
    return np.array(
        [
            boundary_f_score(truth, predicted, number) if there else np.nan
            for number, there in enumerate(present)
        ]
    )


def save_evaluation(
    evaluation: Evaluation, folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write the summary, the confusion matrix and the worst pictures.

    Each of the worst pictures is shown twice: under its true mask on the left, under the
    predicted one on the right.

    Args:
        evaluation: from `evaluate_segmenter`.
        folder: written: evaluation.json, confusion.png, worst/*.jpg.
        overwrite: replace files that are there.
    Returns:
        the paths written: the summary, the matrix, the folder of the worst pictures if there
        are any.
    Raises:
        OutputError: a file is there already or cannot be written.
    """
    from cvtool.training.plots import plot_confusion

    folder, dataset = Path(folder), evaluation.dataset
    write_json(folder / SUMMARY_FILE, evaluation.summary, overwrite=overwrite)
    written = [folder / SUMMARY_FILE, folder / CONFUSION_FILE]
    with whole_file(folder / CONFUSION_FILE, overwrite=overwrite) as temporary:
        plot_confusion(evaluation.confusions.sum(axis=0), dataset.classes, temporary)
    worst = folder / WORST_FOLDER
    if overwrite:
        # Those of an earlier, longer list would pass for this one's.
        for old in worst.glob("[0-9][0-9]-*.jpg"):
            old.unlink()
    for rank, mistake in enumerate(evaluation.worst, 1):
        example = dataset.examples[mistake.index]
        pixels = read_picture(example.path)
        masks = [mask_of(dataset, example, pixels.shape[:2]), mistake.predicted]
        side = min(_LONGEST_SHOWN, max(pixels.shape[:2]))
        shown = side_by_side(pixels, masks, dataset.classes, side)
        name = f"{rank:02}-{part_of_name(example.path.stem)}.jpg"
        write_picture(worst / name, shown, overwrite=overwrite)
    return written + ([worst] if evaluation.worst else [])
