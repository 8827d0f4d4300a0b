"""The report of a training run: one HTML file that needs no other."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from cvtool.classification.plots import plot_confusion
from cvtool.errors import PictureError
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_text
from cvtool.training.diagnosis import Diagnosis, describe

MOST_MISTAKES = 24
_CLASSES_SHOWN = 20
_CONFUSIONS_SHOWN = 10
_THUMBNAIL_SIDE = 240
_SHEET_SIDE = 1400

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%(title)s</title>
<style>
:root { color-scheme: light dark; --line: #8885; --bar: #4a88c4; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.3; margin-bottom: 0; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
.headline { font-size: 1.2rem; margin: 1rem 0 .5rem; }
.quiet { opacity: .7; font-size: .875rem; margin: .25rem 0; }
.wide { overflow-x: auto; }
.wide + .wide { margin-top: 1rem; }
code { white-space: nowrap; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal; }
th.number, td.number { text-align: right; white-space: nowrap; }
td.text { min-width: 7rem; overflow-wrap: anywhere; }
td.bar { width: 60%%; min-width: 8rem; }
.bar span { display: block; height: 1rem; margin-top: .25rem; background: var(--bar);
  border-radius: 2px; }
img { max-width: 100%%; height: auto; display: block; border-radius: 4px; }
.plot { background: #fff; }
.mistakes { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
figure { margin: 0; font-size: .875rem; break-inside: avoid; }
figure img { width: 100%%; aspect-ratio: 1; object-fit: contain; background: #8883; }
pre { padding: .75rem; background: #8882; border-radius: 4px; white-space: pre-wrap; }
summary { cursor: pointer; margin: .5rem 0; }
</style>
</head>
<body>
%(body)s
</body>
</html>
"""

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
        _section("Curves", _picture(report.curves, "Loss and scores over the epochs", "plot")),
        _section("Scores", _scores(report.scores)),
        _section("Diagnosis", _diagnosis(report.diagnosis)),
        _section(f"Classes, on {report.scored_split}", _classes(report.per_class)),
        _section(f"Confusion, on {report.scored_split}", _confusion(report)),
        _section(f"Most confident mistakes, on {report.scored_split}", _mistakes(report.mistakes)),
        _section("Augmented training pictures", _augmented(report.augmented)),
        _section("Remarks on the data", _list(report.remarks)),
        _section("Settings", _pairs(report.settings)),
        _section("Versions", _pairs(report.versions)),
        _section("How to use the model", _usage(path)),
    ]
    page = PAGE % {"title": _text(report.name), "body": "\n".join(filter(None, parts))}
    write_text(path, page, overwrite=overwrite)


def _headline(report: Report) -> str:
    pictures = report.splits.get("train")
    source = f"{pictures:,} pictures of {report.dataset}" if pictures else report.dataset
    learnt = (
        f"{report.model} learnt {_count(len(report.classes), 'class', 'classes')} from {source} "
        f"in {_duration(report.minutes)}."
    )
    others = [f"{name} {n:,}" for name, n in report.splits.items() if name != "train"]
    if others:
        learnt += f" Kept out of training: {', '.join(others)}."
    lines = [f"<h1>{_text(report.name)}</h1>", f'<p class="headline">{_text(_verdict(report))}</p>']
    if report.stopped:
        lines.append(f"<p><strong>Ended early: {_text(report.stopped.rstrip('.'))}.</strong></p>")
    return "\n".join([*lines, f"<p>{_text(learnt)}</p>"])


def _verdict(report: Report) -> str:
    """The score of the scored split in one sentence, and how far it can be trusted."""
    scores = report.scores.get(report.scored_split, {})
    split, pictures = report.scored_split, scores.get("pictures")
    measured = f"measured on {pictures:,} pictures of {split}" if pictures else f"on {split}"
    top1, precision = scores.get("top1"), scores.get("mean_average_precision")
    if _known(top1):
        verdict = f"The model names the right class for {_percent(top1)} of the pictures"
        if scores.get("interval"):
            low, high = scores["interval"]
            verdict += f" (95 % interval: {_percent(low)} to {_percent(high)})"
        verdict += f", {measured}."
    elif _known(precision):
        verdict = f"The mean average precision over the labels is {_percent(precision)}"
        if _known(scores.get("accuracy")):
            verdict += f", and {_percent(scores['accuracy'])} of the single labels are right"
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
    table = _table(["split", *(_COLUMNS[c] for c in columns)], rows)
    if "ece" in columns:
        table += _quiet(
            "Calibration error: how far the probability of an answer is from the share of "
            "answers that are right, on average."
        )
    return table


def _diagnosis(diagnosis: Diagnosis | None) -> str:
    if diagnosis is None:
        return ""
    longest = max([error for _, error in diagnosis.rows] or [0]) or 1
    bars = [
        f'<tr><td>{_text(name)}</td><td class="number">{_percent(error)}</td>'
        f'<td class="bar"><span style="width: {100 * error / longest:.1f}%"></span></td></tr>'
        for name, error in diagnosis.rows
    ]
    head = '<tr><th>error on</th><th class="number">share wrong</th><th></th></tr>'
    gaps = [[describe(name), f"{100 * gap:+.1f} points"] for name, gap in diagnosis.gaps.items()]
    parts = [f"<p>{_text(diagnosis.summary)}</p>"]
    if bars:
        parts.append(f'<div class="wide"><table>{head}{"".join(bars)}</table></div>')
    if gaps:
        parts.append(_table(["gap", "size"], gaps))
    parts += [_quiet(note) for note in diagnosis.notes]
    if diagnosis.advice:
        parts += ["<p>What to try next:</p>", _list(diagnosis.advice, ordered=True)]
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
    shown = _quiet("Worst first, by F1.") + _table(head, rows[:_CLASSES_SHOWN])
    if len(rows) > _CLASSES_SHOWN:
        rest = rows[_CLASSES_SHOWN:]
        shown += (
            f"<details><summary>{_count(len(rest), 'more class', 'more classes')}</summary>"
            f"{_table(head, rest)}</details>"
        )
    return shown


def _confusion(report: Report) -> str:
    confusion = report.confusion
    if confusion is None or not confusion.any():
        return ""
    png = BytesIO()
    plot_confusion(confusion, report.classes, png)
    parts = [
        _image(png.getvalue(), "png", "Confusion matrix: rows truth, columns predicted", "plot")
    ]
    wrong = np.where(np.eye(len(confusion), dtype=bool), 0, confusion)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS_SHOWN]
    pairs = [np.unravel_index(index, wrong.shape) for index in order]
    rows = [
        [report.classes[i], report.classes[j], f"{wrong[i, j]:,}", _percent(share)]
        for i, j in pairs
        if wrong[i, j]
        for share in [wrong[i, j] / confusion[i].sum()]
    ]
    if rows:
        parts.append("<p>The most frequent:</p>")
        parts.append(_table(["truth", "predicted", "pictures", "of the class"], rows, texts=2))
    return "\n".join(parts)


def _mistakes(mistakes: Sequence[Mistake]) -> str:
    figures, unreadable = [], 0
    for mistake in mistakes[:MOST_MISTAKES]:
        try:
            jpeg = _jpeg(mistake.path, _THUMBNAIL_SIDE)
        except PictureError:
            unreadable += 1
            continue
        image = _image(jpeg, "jpeg", f"{mistake.truth}, taken for {mistake.predicted}")
        figures.append(
            f"<figure>{image}<figcaption>{_text(mistake.predicted)} {_percent(mistake.score)}<br>"
            f"truth: <strong>{_text(mistake.truth)}</strong><br>"
            f'<span class="quiet">{_text(mistake.path.name)}</span></figcaption></figure>'
        )
    shown = f'<div class="mistakes">{"".join(figures)}</div>' if figures else ""
    if unreadable:
        shown += _quiet(
            f"{_count(unreadable, 'picture', 'pictures')} left out: no longer readable."
        )
    return shown


def _augmented(path: Path | None) -> str:
    shown = _picture(path, "Training pictures after random changes")
    return shown and _quiet("What the network sees in training.") + shown


def _usage(path: Path) -> str:
    command = f"cvtool classify photo.jpg --model {shlex.quote(str(path.parent))}"
    return f"<pre>{_text(command)}</pre>"


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{content}\n</section>" if content else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table whose first `texts` columns are words, the others numbers; cells are escaped."""
    kinds = ["text" if column < texts else "number" for column in range(len(head))]

    def line(tag: str, cells: Sequence[str]) -> str:
        pairs = zip(cells, kinds, strict=True)
        return f"<tr>{''.join(f'<{tag} class={k}>{_text(c)}</{tag}>' for c, k in pairs)}</tr>"

    lines = "".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>{line("th", head)}{lines}</table></div>'


def _pairs(values: dict[str, Any]) -> str:
    return (
        _table(["name", "value"], [[k, _plain(v)] for k, v in values.items()], 2) if values else ""
    )


def _list(sentences: Sequence[str], ordered: bool = False) -> str:
    tag = "ol" if ordered else "ul"
    items = "".join(f"<li>{_options_marked(_text(words))}</li>" for words in sentences)
    return f"<{tag}>{items}</{tag}>" if items else ""


def _options_marked(html: str) -> str:
    """Keep options of the command, such as --weight-decay, from breaking at a line's end."""
    return re.sub(r"(?<![\w-])--[a-z][a-z-]*", r"<code>\g<0></code>", html)


def _picture(path: Path | None, description: str, kind: str = "") -> str:
    """A picture file as part of the page; "" for none, a note where it cannot be read."""
    if path is None:
        return ""
    try:
        if kind != "plot":
            return _image(_jpeg(path, _SHEET_SIDE), "jpeg", description)
        return _image(_png(path), "png", description, kind)
    except PictureError:
        return _quiet(f"{path.name} could not be read.")


def _jpeg(path: Path, side: int) -> bytes:
    from PIL import Image

    image = Image.fromarray(read_picture(path))
    image.thumbnail((side, side))
    stream = BytesIO()
    image.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _png(path: Path) -> bytes:
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(read_picture(path)).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _image(data: bytes, subtype: str, description: str, kind: str = "") -> str:
    source = f"data:image/{subtype};base64,{base64.b64encode(data).decode('ascii')}"
    return f'<img class="{kind}" src="{source}" alt="{_text(description)}">'


def _quiet(words: str) -> str:
    return f'<p class="quiet">{_text(words)}</p>'


def _text(words: object) -> str:
    # Bytes of a file name that are no UTF-8 would make the whole page invalid.
    return escape(str(words).encode("utf-8", "replace").decode("utf-8"))


def _cell(column: str, value: Any) -> str:
    if column == "interval" and value is not None:
        return f"{100 * value[0]:.1f}–{_percent(value[1])}"
    if not _known(value):
        return "–"
    return f"{value:,}" if column in ("pictures", "labelled") else _percent(value)


def _known(value: Any) -> bool:
    """Whether there is a value; NaN is none."""
    return value is not None and value == value


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _duration(minutes: float) -> str:
    if minutes < 1.5:
        return _count(max(1, round(60 * minutes)), "second", "seconds")
    if minutes < 90:
        return f"{round(minutes)} minutes"
    return f"{minutes / 60:.1f} hours"


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value)) or "none"
    return str(value)
