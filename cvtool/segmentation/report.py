"""The report of a training on masks: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvtool.training.diagnosis import Diagnosis
from cvtool.training.page import counted, escaped, percent, picture_file, quiet, section
from cvtool.training.report_parts import (
    CHOSEN_ON_DEV,
    classes_table,
    closing,
    confusion_part,
    curves_section,
    decimal,
    diagnosis_section,
    headline,
    interval_words,
    known,
    picture_grid,
    scores_table,
    whole,
    write_page,
)

MOST_MISTAKES = 12
# With a class in fewer pictures than this, its IoU and the intervals are rough.
FEW_PICTURES = 10


def _span(interval: Sequence[float]) -> str:
    return f"{decimal(interval[0])}–{decimal(interval[1])}"


def _small_percent(share: float) -> str:
    """A share of pixels, which may be far under a percent."""
    return f"{100 * share:.2g} %" if share < 0.01 else percent(share)


_SPLIT_COLUMNS = {
    "pictures": ("pictures", whole),
    "miou": ("mIoU", decimal),
    "interval": ("95 % interval", _span),
    "foreground_iou": ("foreground IoU", decimal),
    "pixel_accuracy": ("pixels right", percent),
}
_CLASS_COLUMNS = {
    "pictures": ("pictures", whole),
    "pixels": ("share of pixels", _small_percent),
    "iou": ("IoU", decimal),
    "interval": ("95 % interval", _span),
    "dice": ("Dice", decimal),
    "boundary_f": ("boundary F", decimal),
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A picture whose mask the model got wrong.

    Attributes:
        path: its file.
        miou: mean IoU over the classes that it shows, in [0, 1].
        words: what is wrong, for a person.
        jpeg: the picture with its true and its predicted mask side by side.
    """

    path: Path
    miou: float
    words: str
    jpeg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a report tells.

    Attributes:
        name: of the run.
        dataset: as the user named it.
        model: what was trained, in words.
        classes: names.
        settings, versions: name -> value.
        splits: split -> number of pictures.
        scores: split -> {pictures, miou, interval (low, high), foreground_iou,
            pixel_accuracy}, as `summary.summarise` gives them; shares in [0, 1]; what is
            missing or None is left out.
        scored_split: the split of all that is told of one split only.
        per_class: class -> {pictures, pixels, iou, interval, dice, boundary_f}, as
            `evaluation.evaluate_segmenter` gives them.
        confusion: int (C, C) pixels, rows truth, or None.
        worst: the worst pictures, in the order to show them; 12 are shown.
        diagnosis: None where there is none.
        curves: picture file of the figures of each epoch, or None.
        sheet: picture file of training pictures, or None.
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
    worst: list[Mistake]
    diagnosis: Diagnosis | None
    curves: Path | None
    sheet: Path | None
    remarks: list[str]
    minutes: float
    stopped: str | None


def write_report(path: str | Path, report: Report, overwrite: bool = False) -> None:
    """Write the report as one HTML file, its pictures inside it.

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
        section("Scores", _scores(report)),
        diagnosis_section(report.diagnosis, "1 - mIoU"),
        section(f"Classes, {on}", classes_table(report.per_class, _CLASS_COLUMNS, "iou")),
        section(f"Confusion, {on}", confusion_part(report.confusion, report.classes, "pixels")),
        section(f"Worst pictures, {on}", _worst(report.worst)),
        section("Training pictures", _sheet(report.sheet)),
        *closing(
            path=path,
            command="cvtool segment photo.jpg",
            remarks=report.remarks,
            settings=report.settings,
            versions=report.versions,
        ),
    ]
    write_page(path, report.name, parts, overwrite)


def _verdict(report: Report) -> str:
    """What was found on the scored split in one sentence, and how far it can be trusted."""
    scores, split = report.scores.get(report.scored_split, {}), report.scored_split
    if not known(scores.get("miou")):
        return "No score was measured."
    verdict = f"Mean IoU is {decimal(scores['miou'])}{interval_words(scores, decimal)}"
    if known(scores.get("pixel_accuracy")):
        verdict += f", and {percent(scores['pixel_accuracy'])} of the pixels are right"
    pictures = scores.get("pictures")
    verdict += f", measured on {pictures:,} pictures of {split}." if pictures else f", on {split}."
    return f"{verdict} {CHOSEN_ON_DEV}" if split == "dev" else verdict


def _scores(report: Report) -> str:
    table = scores_table(report.scores, _SPLIT_COLUMNS)
    if not table:
        return ""
    notes = [
        "IoU: the pixels that truth and prediction have in common, of all that either has; mIoU "
        f"is its mean over the classes. Foreground: all classes but {report.classes[0]} as one. "
        "Void pixels count nowhere."
    ]
    few = [n for n in (row.get("pictures") or 0 for row in report.per_class.values()) if n]
    few = [number for number in few if number < FEW_PICTURES]
    if few:
        classes = counted(len(few), "class is", "classes are")
        notes.append(
            f"On {report.scored_split}, {classes} in fewer than {FEW_PICTURES} pictures: the "
            "score may be further off than the interval says."
        )
    return table + "".join(map(quiet, notes))


def _worst(mistakes: Sequence[Mistake]) -> str:
    shown = picture_grid(
        mistakes[:MOST_MISTAKES],
        lambda mistake: mistake.jpeg,
        lambda mistake: f"Truth on the left, prediction on the right: {mistake.words}",
        _caption,
        "pairs",
    )
    return shown and quiet("Left: the truth. Right: the prediction.") + shown


def _caption(mistake: Mistake) -> str:
    return (
        f"<strong>mIoU {decimal(mistake.miou)}</strong><br>{escaped(mistake.words)}<br>"
        f'<span class="quiet">{escaped(mistake.path.name)}</span>'
    )


def _sheet(path: Path | None) -> str:
    shown = picture_file(path, "Training pictures with their masks, after random changes")
    return shown and quiet("What the network sees in training, with the masks it learns.") + shown
