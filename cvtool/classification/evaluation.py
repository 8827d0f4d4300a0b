"""Score a classifier on a data set, and save what explains the score."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtool.classification.summary import confident_mistakes, save_plots, summarise
from cvtool.datasets.labelled import LabelledPictures, read_labelled
from cvtool.errors import CvtoolError, DatasetError, few
from cvtool.pictures.naming import part_of_name
from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_each
from cvtool.pictures.writing import write_json, write_picture

if TYPE_CHECKING:
    from cvtool.classification.classifier import Classifier

WORST = 20
SUMMARY_FILE = "evaluation.json"
WORST_FOLDER = "worst"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How a classifier did.

    Attributes:
        summary: ready for JSON, see docs/evaluate.md.
        dataset: what it was scored on.
        probabilities: float32 (N, C), classes in the order of the model.
        labels: int (N,) positions among the model's classes, -1 for a class that the
            model does not know; float (N, C) for several labels a picture.
        classes: the model's.
    """

    summary: dict[str, Any]
    dataset: LabelledPictures
    probabilities: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


def read_classification_dataset(
    path: str | Path, pictures: str | Path | None = None, limit: int | None = None
) -> LabelledPictures:
    """Read a data set to score a classifier on.

    Args:
        path: class folders, a CSV, or Tiny-ImageNet's folder, see `read_labelled`. Where
            it has splits, the test pictures are taken, or else the dev pictures.
        pictures: folder of a CSV's files.
        limit: take so many pictures only, spread evenly over the set; None for all.
    Raises:
        DatasetError: missing, unreadable, or without pictures.
    """
    data = read_labelled(path, pictures)
    splits = np.array(data.splits)
    for name in ("test", "dev"):
        if (splits == name).any():
            data = data.subset(np.flatnonzero(splits == name))
            break
    if limit is not None and limit < len(data):
        # The first ones would be of one class.
        data = data.subset(np.linspace(0, len(data) - 1, limit).round().astype(int))
    return data


def evaluate_classifier(
    classifier: Classifier,
    data: LabelledPictures,
    *,
    tta: bool = False,
    on_picture: Callable[[], None] | None = None,
    on_error: Callable[[CvtoolError], None] | None = None,
) -> Evaluation:
    """Run a classifier over a data set and score it.

    Classes are matched by name. A picture of a class that the model does not know counts
    as wrong.

    Args:
        classifier: the classifier.
        data: labelled pictures.
        tta: test-time augmentation, see `Classifier`.
        on_picture: called after each picture, for a progress bar.
        on_error: called with the error of each picture that cannot be read, which is left
            out; None raises it.
    Raises:
        DatasetError: no class in common, the one has several labels a picture and the
            other one, or not one picture can be read.
        PictureError: a picture cannot be read, where `on_error` is None.
    """
    if not set(classifier.classes) & set(data.classes):
        raise DatasetError(
            f'model "{classifier.model_name}" knows none of the data set\'s classes '
            f"({few(data.classes)}); choose another model or data set"
        )
    if classifier.several != data.several:
        kinds = ("one label", "several labels")
        raise DatasetError(
            f'model "{classifier.model_name}" gives {kinds[classifier.several]} a picture, the '
            f"data set {kinds[data.several]}; choose another model or data set"
        )
    probabilities, read, seconds = [], [], 0.0
    for index, picture in read_each(data.paths, on_error=on_error):
        read.append(index)
        start = time.perf_counter()
        probabilities.append(classifier.probabilities(picture.pixels, tta=tta))
        seconds += time.perf_counter() - start
        if on_picture is not None:
            on_picture()
    if not read:
        raise DatasetError(f"{data.paths[0]}: not one of {len(data)} pictures can be read")
    unreadable, data = len(data) - len(read), data.subset(np.array(read))
    probabilities = np.stack(probabilities)
    labels = labels_for(classifier.classes, data)
    summary = summarise(probabilities, labels, classifier.classes) | {
        "pictures": len(data),
        "unreadable": unreadable,
        "seconds": round(seconds, 3),
        "model": classifier.model_name,
        "engine": classifier.engine_name,
        "size": classifier.size,
        "tta": tta,
    }
    return Evaluation(summary, data, probabilities, labels, classifier.classes)


def labels_for(classes, data):
    """The data set's labels in the order of the model's classes.

    Returns:
        int64 (N,), -1 for a class that the model does not know; or float32 (N, C) with NaN
        for what is not labelled.
    """
    position = {name: number for number, name in enumerate(classes)}
    order = np.array([position.get(name, -1) for name in data.classes])
    if not data.several:
        return order[data.labels]
    labels = np.full((len(data), len(classes)), np.nan, np.float32)
    known = order >= 0
    labels[:, order[known]] = data.labels[:, known]
    return labels


def save_evaluation(
    evaluation: Evaluation, folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write the summary, the confusion matrix, the calibration and the worst mistakes.

    Args:
        evaluation: from `evaluate_classifier`.
        folder: written: evaluation.json; for one label a picture confusion.png,
            calibration.png and worst/*.jpg, the wrong answers with the highest scores.
        overwrite: replace files that are there.
    Returns:
        the paths written.
    Raises:
        OutputError: a file is there already or cannot be written.
    """
    folder = Path(folder)
    write_json(folder / SUMMARY_FILE, evaluation.summary, overwrite=overwrite)
    written = [folder / SUMMARY_FILE]
    if evaluation.dataset.several:
        return written
    probabilities, labels = evaluation.probabilities, evaluation.labels
    plots, _ = save_plots(folder, probabilities, labels, evaluation.classes, overwrite=overwrite)
    written += plots
    worst = folder / WORST_FOLDER
    if overwrite:
        # Those of an earlier, longer list would pass for this one's.
        for old in worst.glob("[0-9][0-9]-*.jpg"):
            old.unlink()
    predicted = probabilities.argmax(axis=1)
    ranked = confident_mistakes(probabilities, labels, WORST)
    for rank, i in enumerate(ranked, 1):
        truth = evaluation.dataset.classes[evaluation.dataset.labels[i]]
        name = file_name(f"{rank:02}-{truth}-taken-for-{evaluation.classes[predicted[i]]}")
        write_picture(
            worst / f"{name}.jpg", read_picture(evaluation.dataset.paths[i]), overwrite=overwrite
        )
    return written + ([worst] if len(ranked) else [])


def file_name(text):
    """A text as part of a file name, without separators and other odd letters."""
    return part_of_name("".join(c if c.isalnum() or c in "-_." else "-" for c in text))
