"""The report of a training run: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvtool.training.diagnosis import Diagnosis
from cvtool.training.page import escaped, jpeg, percent, picture_file, quiet, section
from cvtool.training.report_parts import (
    CHOSEN_ON_DEV,
    THUMBNAIL_SIDE,
    classes_table,
    closing,
    confusion_part,
    curves_section,
    diagnosis_section,
    headline,
    interval_words,
    known,
    picture_grid,
    scores_table,
    whole,
    write_page,
)

MOST_MISTAKES = 24


def _span(interval: Sequence[float]) -> str:
    return f"{100 * interval[0]:.1f}–{percent(interval[1])}"


_SPLIT_COLUMNS = {
    "pictures": ("pictures", whole),
    "top1": ("top-1", percent),
    "interval": ("95 % interval", _span),
    "top5": ("top-5", percent),
    "mean_average_precision": ("mean average precision", percent),
    "accuracy": ("labels right", percent),
    "f1": ("F1", percent),
    "ece": ("calibration error", percent),
}
_CLASS_COLUMNS = {
    "pictures": ("pictures", whole),
    "labelled": ("labelled", whole),
    "average_precision": ("average precision", percent),
    "precision": ("precision", percent),
    "recall": ("recall", percent),
    "f1": ("F1", percent),
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A picture that the model got wrong.

    Attributes:
        path: its file.
        truth, predicted: class names.
        score: the probability of the wrong class, in [0, 1].
    """

    path: Path
    truth: str
    predicted: str
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a report tells.

    Attributes:
        name: of the run.
        dataset: as the user named it.
        model: what was trained, in words.
        classes: names, in the order of the confusion matrix.
        settings, versions: name -> value.
        splits: split -> number of pictures.
        scores: split -> {top1, interval (low, high), top5, ece, pictures}, or with several
            labels a picture {mean_average_precision, accuracy, f1, pictures}; shares in
            [0, 1]; what is missing or None is left out.
        scored_split: the split of `confusion`, `per_class` and `mistakes`.
        per_class: class -> {pictures, precision, recall, f1}, as `per_class_table` gives it.
        confusion: int (C, C), rows truth; None with several labels a picture.
        mistakes: the most confident first; 24 are shown.
        diagnosis: None where there is none.
        curves, augmented: picture files that are put into the page, or None.
        remarks: what was found in the data, a sentence each.
        minutes: how long the training took.
        stopped: why it ended early, or None.
    """

    name: str
    dataset: str
    model: str
    classes: tuple[str, ...]
    settings: dict[str, object]
    versions: dict[str, str]
    splits: dict[str, int]
    scores: dict[str, dict]
    scored_split: str
    per_class: dict[str, dict]
    confusion: np.ndarray | None
    mistakes: list[Mistake]
    diagnosis: Diagnosis | None
    curves: Path | None
    augmented: Path | None
    remarks: list[str]
    minutes: float
    stopped: str | None


def write_report(path: str | Path, report: Report, overwrite: bool = False) -> None:
    """Write the report as one HTML file, its pictures inside it.

    A picture that can no longer be read is left out with a note.

    Args:
        path: the file to be; its folder is named as the model to use.
        report: what to tell.
        overwrite: replace a file that is there.
    Raises:
        OutputError: `path` exists or cannot be written.
    """
    path, on = Path(path), f"on {report.scored_split}"
    parts = [
        headline(
            name=report.name,
            verdict=_verdict(report),
            classes=report.classes,
            dataset=report.dataset,
            model=report.model,
            splits=report.splits,
            minutes=report.minutes,
            stopped=report.stopped,
        ),
        curves_section(report.curves),
        section("Scores", _scores(report.scores)),
        diagnosis_section(report.diagnosis),
        section(f"Classes, {on}", classes_table(report.per_class, _CLASS_COLUMNS, "f1")),
        section(f"Confusion, {on}", confusion_part(report.confusion, report.classes, "pictures")),
        section(f"Most confident mistakes, {on}", _mistakes(report.mistakes)),
        section("Augmented training pictures", _augmented(report.augmented)),
        *closing(
            path=path,
            command="cvtool classify photo.jpg",
            remarks=report.remarks,
            settings=report.settings,
            versions=report.versions,
        ),
    ]
    write_page(path, report.name, parts, overwrite)


def _verdict(report: Report) -> str:
    """The score of the scored split in one sentence, and how far it can be trusted."""
    scores = report.scores.get(report.scored_split, {})
    split, pictures = report.scored_split, scores.get("pictures")
    measured = f"measured on {pictures:,} pictures of {split}" if pictures else f"on {split}"
    top1, precision = scores.get("top1"), scores.get("mean_average_precision")
    if known(top1):
        verdict = f"The model names the right class for {percent(top1)} of the pictures"
        verdict += f"{interval_words(scores)}, {measured}."
    elif known(precision):
        verdict = f"The mean average precision over the labels is {percent(precision)}"
        if known(scores.get("accuracy")):
            verdict += f", and {percent(scores['accuracy'])} of the single labels are right"
        verdict += f", {measured}."
    else:
        return "No score was measured."
    return f"{verdict} {CHOSEN_ON_DEV}" if split == "dev" else verdict


def _scores(scores: dict[str, dict]) -> str:
    table = scores_table(scores, _SPLIT_COLUMNS)
    if any(known(row.get("ece")) for row in scores.values()):
        table += quiet(
            "Calibration error: how far the probability of an answer is from the share of "
            "answers that are right, on average."
        )
    return table


def _mistakes(mistakes: Sequence[Mistake]) -> str:
    return picture_grid(
        mistakes[:MOST_MISTAKES],
        lambda mistake: jpeg(mistake.path, THUMBNAIL_SIDE),
        lambda mistake: f"{mistake.truth}, taken for {mistake.predicted}",
        lambda mistake: (
            f"{escaped(mistake.predicted)} {percent(mistake.score)}<br>"
            f"truth: <strong>{escaped(mistake.truth)}</strong><br>"
            f'<span class="quiet">{escaped(mistake.path.name)}</span>'
        ),
    )


def _augmented(path: Path | None) -> str:
    shown = picture_file(path, "Training pictures after random changes")
    return shown and quiet("What the network sees in training.") + shown
