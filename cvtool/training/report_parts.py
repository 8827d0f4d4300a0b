"""The parts of a training run's report that do not depend on the task."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

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
    pairs,
    percent,
    picture_file,
    quiet,
    section,
    sentences_list,
)
from cvtool.training.plots import plot_confusion

THUMBNAIL_SIDE = 240
CHOSEN_ON_DEV = "The best epoch was chosen on dev too, so new pictures may score a little lower."
_CLASSES_SHOWN = 20
_CONFUSIONS_SHOWN = 10

# What a column of a table is called, and how its values are written.
Columns = Mapping[str, tuple[str, Callable[[Any], str]]]


def write_page(path: Path, name: str, parts: Iterable[str], overwrite: bool) -> None:
    """Write the parts that are not empty as one HTML file; raises OutputError."""
    page = PAGE % {"title": escaped(name), "body": "\n".join(filter(None, parts))}
    write_text(path, page, overwrite=overwrite)


def headline(
    *,
    name: str,
    verdict: str,
    classes: Sequence[str],
    dataset: str,
    model: str,
    splits: Mapping[str, int],
    minutes: float,
    stopped: str | None,
    kinds: tuple[str, str] = ("class", "classes"),
) -> str:
    """The run's name, what it came to, why it ended early, and what was learnt from what.

    Args:
        verdict: how good the model is, a sentence or two.
        kinds: what one of the classes is called, and several.
        splits: split -> number of pictures.
        stopped: why it ended early, or None.
    """
    pictures = splits.get("train")
    source = f"{pictures:,} pictures of {dataset}" if pictures else dataset
    known = counted(len(classes), *kinds)
    learnt = f"Learnt: {known} from {source} in {duration(minutes)}, by {model}."
    others = [f"{split} {number:,}" for split, number in splits.items() if split != "train"]
    if others:
        learnt += f" Kept out of training: {', '.join(others)}."
    lines = [f"<h1>{escaped(name)}</h1>", f'<p class="headline">{escaped(verdict)}</p>']
    if stopped:
        lines.append(f"<p><strong>Ended early: {escaped(stopped.rstrip('.'))}.</strong></p>")
    return "\n".join([*lines, f"<p>{escaped(learnt)}</p>"])


def curves_section(path: Path | None) -> str:
    """The figures of each epoch, from a picture file."""
    return section("Curves", picture_file(path, "Loss and scores over the epochs", "plot"))


def scores_table(scores: Mapping[str, dict], columns: Columns) -> str:
    """A row a split, with those of the columns of which anything is known."""
    kept = {c: columns[c] for c in columns if any(known(row.get(c)) for row in scores.values())}
    rows = [[name, *_cells(row, kept)] for name, row in scores.items()]
    return data_table(["split", *_words(kept)], rows) if kept else ""


def classes_table(per_class: Mapping[str, dict], columns: Columns, merit: str) -> str:
    """The classes with the least merit first; the many of a large data set fold away.

    Args:
        per_class: class -> key -> value.
        columns: those of which no class has the key are left out.
        merit: the key to sort by; a class without a value comes last.
    """
    kept = {c: columns[c] for c in columns if any(c in row for row in per_class.values())}

    def rank(item: tuple[str, dict]) -> tuple[bool, float]:
        value = item[1].get(merit)
        return (not known(value), value if known(value) else 0.0)

    rows = [[name, *_cells(row, kept)] for name, row in sorted(per_class.items(), key=rank)]
    if not rows:
        return ""
    head = ["class", *_words(kept)]
    shown = quiet(f"Worst first, by {columns[merit][0]}.") + data_table(head, rows[:_CLASSES_SHOWN])
    if len(rows) > _CLASSES_SHOWN:
        rest = rows[_CLASSES_SHOWN:]
        shown += (
            f"<details><summary>{counted(len(rest), 'more class', 'more classes')}</summary>"
            f"{data_table(head, rest)}</details>"
        )
    return shown


def confusion_part(confusion: np.ndarray | None, names: Sequence[str], counted_things: str) -> str:
    """The confusion matrix as a picture, and its most frequent confusions as a table.

    Args:
        confusion: int (C, C), rows truth, or None.
        names: the C names.
        counted_things: what the numbers count, such as "pictures".
    """
    if confusion is None or not confusion.any():
        return ""
    png = BytesIO()
    plot_confusion(confusion, names, png)
    parts = [
        image_tag(png.getvalue(), "png", "Confusion matrix: rows truth, columns predicted", "plot")
    ]
    wrong = np.where(np.eye(len(confusion), dtype=bool), 0, confusion)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS_SHOWN]
    places = [np.unravel_index(index, wrong.shape) for index in order]
    rows = [
        [names[i], names[j], f"{wrong[i, j]:,}", percent(wrong[i, j] / confusion[i].sum())]
        for i, j in places
        if wrong[i, j]
    ]
    if rows:
        parts.append("<p>The most frequent:</p>")
        head = ["truth", "predicted", counted_things, "of the class"]
        parts.append(data_table(head, rows, texts=2))
    return "\n".join(parts)


def diagnosis_section(diagnosis: Diagnosis | None, share: str = "share wrong") -> str:
    """The errors as bars, the steps between them, and what to try next.

    Args:
        diagnosis: None where there is none.
        share: what an error is, over the column of errors.
    """
    if diagnosis is None:
        return ""
    longest = max([error for _, error in diagnosis.rows] or [0]) or 1
    bars = [
        f'<tr><td>{escaped(name)}</td><td class="number">{percent(error)}</td>'
        f'<td class="bar"><span style="width: {100 * error / longest:.1f}%"></span></td></tr>'
        for name, error in diagnosis.rows
    ]
    head = f'<tr><th>error on</th><th class="number">{escaped(share)}</th><th></th></tr>'
    gaps = [[describe(name), f"{100 * gap:+.1f} points"] for name, gap in diagnosis.gaps.items()]
    parts = [f"<p>{escaped(diagnosis.summary)}</p>"]
    if bars:
        parts.append(f'<div class="wide"><table>{head}{"".join(bars)}</table></div>')
    if gaps:
        parts.append(data_table(["gap", "size"], gaps))
    parts += [quiet(note) for note in diagnosis.notes]
    if diagnosis.advice:
        parts += ["<p>What to try next:</p>", sentences_list(diagnosis.advice, ordered=True)]
    return section("Diagnosis", "\n".join(parts))


def picture_grid(
    items: Sequence[Any],
    thumbnail: Callable[[Any], bytes],
    description: Callable[[Any], str],
    caption: Callable[[Any], str],
    kind: str = "",
) -> str:
    """Small pictures side by side; those that can no longer be read are left out with a note.

    Args:
        items: what is shown, in order.
        thumbnail: gives an item's picture as JPEG, or raises PictureError.
        description: gives the words for who cannot see it.
        caption: gives the HTML below it.
        kind: "pairs" for pictures twice as wide as high.
    """
    figures, unreadable = [], 0
    for item in items:
        try:
            image = image_tag(thumbnail(item), "jpeg", description(item))
        except PictureError:
            unreadable += 1
            continue
        figures.append(f"<figure>{image}<figcaption>{caption(item)}</figcaption></figure>")
    classes = f"mistakes {kind}".strip()
    shown = f'<div class="{classes}">{"".join(figures)}</div>' if figures else ""
    if unreadable:
        shown += quiet(
            f"{counted(unreadable, 'picture', 'pictures')} left out: no longer readable."
        )
    return shown


def closing(
    *,
    path: Path,
    command: str,
    note: str = "",
    remarks: Sequence[str],
    settings: Mapping[str, object],
    versions: Mapping[str, str],
) -> list[str]:
    """The sections that every report ends with.

    Args:
        path: of the report; its folder is the model.
        command: that uses the model, such as "cvtool classify photo.jpg".
        note: what to know of it, HTML.
        remarks: what was found in the data, a sentence each.
        settings, versions: name -> value.
    """
    usage = f"{command} --model {shlex.quote(str(path.parent))}"
    return [
        section("Remarks on the data", sentences_list(remarks)),
        section("Settings", pairs(settings)),
        section("Versions", pairs(versions)),
        section("How to use the model", f"<pre>{escaped(usage)}</pre>{note}"),
    ]


def jpeg_of(pixels: np.ndarray) -> bytes:
    """Pixels, uint8 RGB (H, W, 3), as JPEG."""
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def interval_words(scores: Mapping[str, Any], written: Callable[[float], str] = percent) -> str:
    """For example " (95 % interval: 79.0 % to 92.0 %)"; "" where none is known."""
    if not scores.get("interval"):
        return ""
    low, high = scores["interval"]
    return f" (95 % interval: {written(low)} to {written(high)})"


def whole(number: int) -> str:
    """For example "1,234"."""
    return f"{number:,}"


def decimal(share: float) -> str:
    """For example "0.872"."""
    return f"{share:.3f}"


def known(value: Any) -> bool:
    """Whether there is a value; NaN is none."""
    return value is not None and value == value


def _cells(row: Mapping[str, Any], columns: Columns) -> list[str]:
    return [
        written(row[key]) if known(row.get(key)) else "–" for key, (_, written) in columns.items()
    ]


def _words(columns: Columns) -> list[str]:
    return [words for words, _ in columns.values()]
