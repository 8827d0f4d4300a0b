"""The report of a training run: one HTML file that needs no other."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from cvtool.classification.plots import plot_confusion
from cvtool.errors import PictureError
from cvtool.pictures.writing import write_text
from cvtool.training.diagnosis import Diagnosis, describe
from cvtool.training.page import (
    PAGE,
    counted,
    data_table,
    duration,
    escaped,
    image_tag,
    jpeg,
    pairs,
    percent,
    picture_file,
    quiet,
    section,
    sentences_list,
)

MOST_MISTAKES = 24
_CLASSES_SHOWN = 20
_CONFUSIONS_SHOWN = 10
_THUMBNAIL_SIDE = 240

_COLUMNS = {
    "pictures": "pictures",
    "top1": "top-1",
    "interval": "95 % interval",
    "top5": "top-5",
    "mean_average_precision": "mean average precision",
    "accuracy": "labels right",
    "f1": "F1",
    "ece": "calibration error",
    "labelled": "labelled",
    "average_precision": "average precision",
    "precision": "precision",
    "recall": "recall",
}
_SPLIT_COLUMNS = ("pictures", "top1", "interval", "top5", "mean_average_precision", "accuracy")
_SPLIT_COLUMNS += ("f1", "ece")
_CLASS_COLUMNS = ("pictures", "labelled", "average_precision", "precision", "recall", "f1")


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
    path = Path(path)
    parts = [
        _headline(report),
        section("Curves", picture_file(report.curves, "Loss and scores over the epochs", "plot")),
        section("Scores", _scores(report.scores)),
        section("Diagnosis", _diagnosis(report.diagnosis)),
        section(f"Classes, on {report.scored_split}", _classes(report.per_class)),
        section(f"Confusion, on {report.scored_split}", _confusion(report)),
        section(f"Most confident mistakes, on {report.scored_split}", _mistakes(report.mistakes)),
        section("Augmented training pictures", _augmented(report.augmented)),
        section("Remarks on the data", sentences_list(report.remarks)),
        section("Settings", pairs(report.settings)),
        section("Versions", pairs(report.versions)),
        section("How to use the model", _usage(path)),
    ]
    page = PAGE % {"title": escaped(report.name), "body": "\n".join(filter(None, parts))}
    write_text(path, page, overwrite=overwrite)


def _headline(report: Report) -> str:
    pictures = report.splits.get("train")
    source = f"{pictures:,} pictures of {report.dataset}" if pictures else report.dataset
    classes = counted(len(report.classes), "class", "classes")
    learnt = f"Learnt: {classes} from {source} in {duration(report.minutes)}, by {report.model}."
    others = [f"{name} {n:,}" for name, n in report.splits.items() if name != "train"]
    if others:
        learnt += f" Kept out of training: {', '.join(others)}."
    lines = [
        f"<h1>{escaped(report.name)}</h1>",
        f'<p class="headline">{escaped(_verdict(report))}</p>',
    ]
    if report.stopped:
        lines.append(f"<p><strong>Ended early: {escaped(report.stopped.rstrip('.'))}.</strong></p>")
    return "\n".join([*lines, f"<p>{escaped(learnt)}</p>"])


def _verdict(report: Report) -> str:
    """The score of the scored split in one sentence, and how far it can be trusted."""
    scores = report.scores.get(report.scored_split, {})
    split, pictures = report.scored_split, scores.get("pictures")
    measured = f"measured on {pictures:,} pictures of {split}" if pictures else f"on {split}"
    top1, precision = scores.get("top1"), scores.get("mean_average_precision")
    if _known(top1):
        verdict = f"The model names the right class for {percent(top1)} of the pictures"
        if scores.get("interval"):
            low, high = scores["interval"]
            verdict += f" (95 % interval: {percent(low)} to {percent(high)})"
        verdict += f", {measured}."
    elif _known(precision):
        verdict = f"The mean average precision over the labels is {percent(precision)}"
        if _known(scores.get("accuracy")):
            verdict += f", and {percent(scores['accuracy'])} of the single labels are right"
        verdict += f", {measured}."
    else:
        return "No score was measured."
    if split == "dev":
        verdict += (
            " The best epoch was chosen on dev too, so new pictures may score a little lower."
        )
    return verdict


def _scores(scores: dict[str, dict]) -> str:
    columns = [c for c in _SPLIT_COLUMNS if any(_known(row.get(c)) for row in scores.values())]
    if not columns:
        return ""
    rows = [[name, *(_cell(c, row.get(c)) for c in columns)] for name, row in scores.items()]
    table = data_table(["split", *(_COLUMNS[c] for c in columns)], rows)
    if "ece" in columns:
        table += quiet(
            "Calibration error: how far the probability of an answer is from the share of "
            "answers that are right, on average."
        )
    return table


def _diagnosis(diagnosis: Diagnosis | None) -> str:
    if diagnosis is None:
        return ""
    longest = max([error for _, error in diagnosis.rows] or [0]) or 1
    bars = [
        f'<tr><td>{escaped(name)}</td><td class="number">{percent(error)}</td>'
        f'<td class="bar"><span style="width: {100 * error / longest:.1f}%"></span></td></tr>'
        for name, error in diagnosis.rows
    ]
    head = '<tr><th>error on</th><th class="number">share wrong</th><th></th></tr>'
    gaps = [[describe(name), f"{100 * gap:+.1f} points"] for name, gap in diagnosis.gaps.items()]
    parts = [f"<p>{escaped(diagnosis.summary)}</p>"]
    if bars:
        parts.append(f'<div class="wide"><table>{head}{"".join(bars)}</table></div>')
    if gaps:
        parts.append(data_table(["gap", "size"], gaps))
    parts += [quiet(note) for note in diagnosis.notes]
    if diagnosis.advice:
        parts += ["<p>What to try next:</p>", sentences_list(diagnosis.advice, ordered=True)]
    return "\n".join(parts)


def _classes(per_class: dict[str, dict]) -> str:
    """The classes, worst first; the many of a large data set fold away."""
    columns = [c for c in _CLASS_COLUMNS if any(c in row for row in per_class.values())]

    def merit(item: tuple[str, dict]) -> tuple[bool, float]:
        score = item[1].get("f1")
        return (not _known(score), score if _known(score) else 0.0)

    rows = [
        [name, *(_cell(c, row.get(c)) for c in columns)]
        for name, row in sorted(per_class.items(), key=merit)
    ]
    if not rows:
        return ""
    head = ["class", *(_COLUMNS[c] for c in columns)]
    shown = quiet("Worst first, by F1.") + data_table(head, rows[:_CLASSES_SHOWN])
    if len(rows) > _CLASSES_SHOWN:
        rest = rows[_CLASSES_SHOWN:]
        shown += (
            f"<details><summary>{counted(len(rest), 'more class', 'more classes')}</summary>"
            f"{data_table(head, rest)}</details>"
        )
    return shown


def _confusion(report: Report) -> str:
    confusion = report.confusion
    if confusion is None or not confusion.any():
        return ""
    png = BytesIO()
    plot_confusion(confusion, report.classes, png)
    parts = [
        image_tag(png.getvalue(), "png", "Confusion matrix: rows truth, columns predicted", "plot")
    ]
    wrong = np.where(np.eye(len(confusion), dtype=bool), 0, confusion)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS_SHOWN]
    pairs = [np.unravel_index(index, wrong.shape) for index in order]
    rows = [
        [report.classes[i], report.classes[j], f"{wrong[i, j]:,}", percent(share)]
        for i, j in pairs
        if wrong[i, j]
        for share in [wrong[i, j] / confusion[i].sum()]
    ]
    if rows:
        parts.append("<p>The most frequent:</p>")
        parts.append(data_table(["truth", "predicted", "pictures", "of the class"], rows, texts=2))
    return "\n".join(parts)


def _mistakes(mistakes: Sequence[Mistake]) -> str:
    figures, unreadable = [], 0
    for mistake in mistakes[:MOST_MISTAKES]:
        try:
            thumbnail = jpeg(mistake.path, _THUMBNAIL_SIDE)
        except PictureError:
            unreadable += 1
            continue
        image = image_tag(thumbnail, "jpeg", f"{mistake.truth}, taken for {mistake.predicted}")
        figures.append(
            f"<figure>{image}<figcaption>{escaped(mistake.predicted)} {percent(mistake.score)}<br>"
            f"truth: <strong>{escaped(mistake.truth)}</strong><br>"
            f'<span class="quiet">{escaped(mistake.path.name)}</span></figcaption></figure>'
        )
    shown = f'<div class="mistakes">{"".join(figures)}</div>' if figures else ""
    if unreadable:
        shown += quiet(
            f"{counted(unreadable, 'picture', 'pictures')} left out: no longer readable."
        )
    return shown


def _augmented(path: Path | None) -> str:
    shown = picture_file(path, "Training pictures after random changes")
    return shown and quiet("What the network sees in training.") + shown


def _usage(path: Path) -> str:
    command = f"cvtool classify photo.jpg --model {shlex.quote(str(path.parent))}"
    return f"<pre>{escaped(command)}</pre>"


def _cell(column: str, value: Any) -> str:
    if column == "interval" and value is not None:
        return f"{100 * value[0]:.1f}–{percent(value[1])}"
    if not _known(value):
        return "–"
    return f"{value:,}" if column in ("pictures", "labelled") else percent(value)


def _known(value: Any) -> bool:
    """Whether there is a value; NaN is none."""
    return value is not None and value == value
