"""The report of a detector's training: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvtool.detection.confusion import BACKGROUND
from cvtool.detection.error_types import TYPES
from cvtool.detection.mistakes import MOST_MISTAKES, Mistake, cut_out
from cvtool.training.diagnosis import Diagnosis
from cvtool.training.page import (
    counted,
    data_table,
    escaped,
    image_tag,
    percent,
    picture_file,
    quiet,
    section,
)
from cvtool.training.report_parts import (
    CHOSEN_ON_DEV,
    THUMBNAIL_SIDE,
    classes_table,
    closing,
    confusion_part,
    curves_section,
    decimal,
    diagnosis_section,
    headline,
    interval_words,
    jpeg_of,
    known,
    picture_grid,
    scores_table,
    whole,
    write_page,
)

# Under so many objects a class, its scores and the interval of mAP50 are rough.
FEW_OBJECTS = 10


def _span(interval: Sequence[float]) -> str:
    return f"{decimal(interval[0])}–{decimal(interval[1])}"


_SPLIT_COLUMNS = {
    "pictures": ("pictures", whole),
    "objects": ("objects", whole),
    "mAP50": ("mAP50", decimal),
    "interval": ("95 % interval", _span),
    "mAP50_95": ("mAP50-95", decimal),
    "precision": ("precision", percent),
    "recall": ("recall", percent),
    "f1": ("F1", percent),
}
_CLASS_COLUMNS = {
    "truths": ("objects", whole),
    "ap50": ("AP50", decimal),
    "ap50_95": ("AP50-95", decimal),
    "precision": ("precision", percent),
    "recall": ("recall", percent),
    "f1": ("F1", percent),
}


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
        scores: split -> {pictures, objects, mAP50, interval (low, high), mAP50_95, precision,
            recall, f1}, as `summary.summarise` gives them; shares in [0, 1]; what is missing
            or None is left out.
        scored_split: the split of all that is told of one split only.
        per_class: class -> {truths, ap50, ap50_95, precision, recall, f1}, as
            `summary.class_table` gives it.
        best_score: the working threshold, in [0, 1]: of precision, recall and F1, and of
            `errors`, `confusion`, `false_positives` and `missed`.
        errors: type -> {count, gain}, as `error_types` gives them; empty for none.
        confusion: int (C + 1, C + 1) with the background last, or None.
        false_positives: the most confident first; 24 are shown.
        missed: missed objects, in the order to show them; 24 are shown.
        diagnosis: None where there is none.
        curves: picture file of the figures of each epoch, or None.
        precision_recall, thresholds: plots, as PNG or its file, or None.
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
    best_score: float
    errors: dict[str, dict]
    confusion: np.ndarray | None
    false_positives: list[Mistake]
    missed: list[Mistake]
    diagnosis: Diagnosis | None
    curves: Path | None
    precision_recall: bytes | Path | None
    thresholds: bytes | Path | None
    sheet: Path | None
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
    score = f"{report.best_score:.2f}"
    plots = [
        _plot(report.precision_recall, "Precision over recall for each class"),
        _plot(report.thresholds, "F1, precision and recall over the score"),
    ]
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
        diagnosis_section(report.diagnosis, "1 - mAP50"),
        section(f"Kinds of errors, {on}", _errors(report.errors, score)),
        section(f"Classes, {on}", classes_table(report.per_class, _CLASS_COLUMNS, "ap50")),
        section(f"Precision and recall, {on}", "\n".join(filter(None, plots))),
        section(f"Confusion, {on}", _confusion(report, score)),
        section(
            f"Most confident wrong boxes, {on}",
            _mistakes(report.false_positives, "Red: the box. Green: the object that it is about."),
        ),
        section(
            f"Missed objects, {on}",
            _mistakes(report.missed, f"Largest in their pictures first, at score {score}."),
        ),
        section("Training pictures", _sheet(report.sheet)),
        *closing(
            path=path,
            command="cvtool detect photo.jpg",
            note=quiet(f"Precision and recall above are those of --score {score}."),
            remarks=report.remarks,
            settings=report.settings,
            versions=report.versions,
        ),
    ]
    write_page(path, report.name, parts, overwrite)


def _verdict(report: Report) -> str:
    """What was found on the scored split in one sentence, and how far it can be trusted."""
    scores, split = report.scores.get(report.scored_split, {}), report.scored_split
    if not all(known(scores.get(key)) for key in ("mAP50", "precision", "recall")):
        return "No score was measured."
    pictures = scores.get("pictures")
    verdict = (
        f"The model finds {percent(scores['recall'])} of the objects (recall), and "
        f"{percent(scores['precision'])} of its boxes are right (precision), at score "
        f"{report.best_score:.2f}; mAP50 is {decimal(scores['mAP50'])}"
        f"{interval_words(scores, decimal)}, "
    )
    verdict += f"measured on {pictures:,} pictures of {split}." if pictures else f"on {split}."
    return f"{verdict} {CHOSEN_ON_DEV}" if split == "dev" else verdict


def _scores(report: Report) -> str:
    table = scores_table(report.scores, _SPLIT_COLUMNS)
    if not table:
        return ""
    notes = [
        "A box is right if it covers an object of its class with an IoU of at least 0.5; "
        f"precision, recall and F1 are at score {report.best_score:.2f}, each the mean over the "
        "classes."
    ]
    few = [row for row in report.per_class.values() if 0 < (row.get("truths") or 0) < FEW_OBJECTS]
    if few:
        have = counted(len(few), "class has", "classes have")
        notes.append(
            f"On {report.scored_split}, {have} fewer than {FEW_OBJECTS} objects: the score may "
            "be further off than the interval says."
        )
    return table + "".join(map(quiet, notes))


def _errors(errors: Mapping[str, dict], score: str) -> str:
    if not errors:
        return ""
    ranked = sorted(errors.items(), key=lambda item: -item[1]["gain"])
    rows = [[kind, TYPES[kind], whole(row["count"]), f"{row['gain']:+.3f}"] for kind, row in ranked]
    note = (
        f"Counted at score {score}. The gain is how much mAP50 would rise were this kind alone "
        "mended; mAP50 looks at boxes of every score, so an object with a box of a low score is "
        "missed in the count only."
    )
    return data_table(["kind", "what it is", "count", "mAP50 gain"], rows, texts=2) + quiet(note)


def _confusion(report: Report, score: str) -> str:
    shown = confusion_part(report.confusion, [*report.classes, BACKGROUND], "number")
    note = (
        f"At score {score}. Row {BACKGROUND}: boxes where no object is; column {BACKGROUND}: "
        "objects without a box."
    )
    return shown and quiet(note) + shown


def _mistakes(mistakes: Sequence[Mistake], note: str) -> str:
    shown = picture_grid(
        mistakes[:MOST_MISTAKES],
        lambda mistake: jpeg_of(cut_out(mistake, THUMBNAIL_SIDE)),
        lambda mistake: f"{mistake.label}: {mistake.words}",
        _caption,
    )
    return shown and quiet(note) + shown


def _caption(mistake: Mistake) -> str:
    score = "" if mistake.score is None else f" {mistake.score:.2f}"
    return (
        f"<strong>{escaped(mistake.label)}</strong>{score}<br>{escaped(mistake.words)}<br>"
        f'<span class="quiet">{escaped(mistake.path.name)}</span>'
    )


def _plot(source: bytes | Path | None, description: str) -> str:
    if isinstance(source, bytes):
        return image_tag(source, "png", description, "plot")
    return picture_file(source, description, "plot")


def _sheet(path: Path | None) -> str:
    shown = picture_file(path, "Training pictures with their boxes, after random changes")
    return shown and quiet("What the network sees in training, with the boxes it learns.") + shown
