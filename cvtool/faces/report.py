"""The report of a training on people: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtool.training.diagnosis import Diagnosis
from cvtool.training.page import data_table, escaped, percent, picture_file, quiet, section
from cvtool.training.report_parts import (
    CHOSEN_ON_DEV,
    closing,
    curves_section,
    decimal,
    diagnosis_section,
    headline,
    interval_words,
    picture_grid,
    scores_table,
    whole,
    write_page,
)

MOST_MISTAKES = 12
# With fewer people the intervals are rough.
FEW_PEOPLE = 10


def _span(interval: Sequence[float]) -> str:
    return f"{decimal(interval[0])}–{decimal(interval[1])}"


_COLUMNS = {
    "people": ("people", whole),
    "pictures": ("pictures", whole),
    "before": ("AUC before", decimal),
    "auc": ("AUC", decimal),
    "interval": ("95 % interval", _span),
    "eer": ("equal error rate", percent),
    "accuracy": ("accuracy", percent),
    "tar1": ("true accepts at 1 % false", percent),
    "tar01": ("at 0.1 % false", percent),
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A pair that the model got wrong.

    Attributes:
        words: what is wrong, for a person.
        distance: squared L2.
        people, files: of both faces.
        jpeg: both aligned faces side by side.
    """

    words: str
    distance: float
    people: tuple[str, str]
    files: tuple[Path, Path]
    jpeg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a report tells.

    Attributes:
        name: of the run.
        dataset: as the user named it.
        model: what it started from.
        people: names of those trained on.
        settings, versions: name -> value.
        splits: split -> number of pictures.
        scores: split -> figures, as `finishing.scores_of` gives them.
        scored_split: the split of all that is told of one split only.
        best_epoch: of which the network is; 0 where it stayed as it came.
        calibration: the model's thresholds, see `calibration.calibrate`.
        worst: the worst pairs, in the order to show them.
        diagnosis: None where there is none.
        roc: picture file of the ROC before and after the training.
        curves: picture file of the figures of each epoch, or None.
        sheet: picture file of training faces, or None.
        remarks: what was found in the data, a sentence each.
        minutes: how long the training took.
        stopped: why it ended early, or None.
    """

    name: str
    dataset: str
    model: str
    people: tuple[str, ...]
    settings: dict[str, object]
    versions: dict[str, str]
    splits: dict[str, int]
    scores: dict[str, dict]
    scored_split: str
    best_epoch: int
    calibration: Mapping[str, Any]
    worst: list[Mistake]
    diagnosis: Diagnosis | None
    roc: Path | None
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
            verdict=verdict_on(report.scores, report.scored_split, report.best_epoch),
            classes=report.people,
            dataset=report.dataset,
            model=report.model,
            splits=report.splits,
            minutes=report.minutes,
            stopped=report.stopped,
            kinds=("person", "people"),
        ),
        section(
            f"Pairs, {on}",
            picture_file(report.roc, "ROC before and after, and the distances", "plot"),
        ),
        section("Scores", _scores(report)),
        section("Thresholds", _thresholds(report.calibration)),
        curves_section(report.curves),
        diagnosis_section(report.diagnosis, "equal error rate"),
        section(f"Worst pairs, {on}", _worst(report.worst)),
        section("Training pictures", _sheet(report.sheet)),
        *closing(
            path=path,
            command="cvtool verify a.jpg b.jpg",
            remarks=report.remarks,
            settings=report.settings,
            versions=report.versions,
        ),
    ]
    write_page(path, report.name, parts, overwrite)


def verdict_on(scores: Mapping[str, dict], split: str, best_epoch: int) -> str:
    """What the training has gained, and how far that can be trusted.

    Args:
        scores: split -> figures.
        split: which of them is told of.
        best_epoch: 0 where the network stayed as it came.
    """
    figures = scores[split]
    people = f"{figures['people']:,} people of {split}"
    now = f"{decimal(figures['auc'])}{interval_words(figures, decimal)}"
    if best_epoch == 0:
        return (
            "No epoch was better on the dev people, so the network stays as it came; its "
            f"thresholds are measured anew. Area under the ROC, on {people}: {now}."
        )
    low, high = figures["gain_interval"]
    doubt = ""
    if high < 0:
        doubt = " They are told apart less well than before: keep the model it started from."
    elif low <= 0:
        span = f"{low:+.3f} to {high:+.3f}"
        doubt = f" So few people can show this by chance (95 % interval of the gain: {span})."
    chosen = f" {CHOSEN_ON_DEV}" if split == "dev" else ""
    return (
        f"Area under the ROC, on {people}: {now}; before the training "
        f"{decimal(figures['before']['auc'])}.{doubt}{chosen}"
    )


def _scores(report: Report) -> str:
    rows = {
        name: figures
        | {"before": figures["before"]["auc"]}
        | {"tar1": figures["tar_at_far"]["0.01"], "tar01": figures["tar_at_far"]["0.001"]}
        for name, figures in report.scores.items()
    }
    notes = [
        "AUC: how often a pair of one person is nearer than a pair of two. Accuracy: at the "
        "model's threshold, pairs of one person counting as much as pairs of two. The intervals "
        "come from drawing the people again.",
        "The best epoch and the thresholds were chosen on dev.",
    ]
    few = [name for name, row in report.scores.items() if row["people"] < FEW_PEOPLE]
    if few:
        notes.append(
            f"{' and '.join(few).capitalize()}: fewer than {FEW_PEOPLE} people; the scores may be "
            "further off than the intervals say."
        )
    return scores_table(rows, _COLUMNS) + "".join(map(quiet, notes))


def _thresholds(calibration: Mapping[str, Any]) -> str:
    one, two = calibration["pairs"]
    rows = [
        [
            f"{rate['threshold']:.3f}"
            + (" (default)" if rate["threshold"] == calibration["threshold"] else ""),
            f"{100 * rate['far']:.3g} %",
            percent(rate["tar"]),
        ]
        for rate in calibration["rates"]
    ]
    return quiet(
        f"Measured on the dev people: {one:,} pairs of one person, {two:,} of two. A rate that so "
        "few pairs cannot show is left out."
    ) + data_table(["distance", "false accepts", "true accepts"], rows, 1)


def _worst(mistakes: Sequence[Mistake]) -> str:
    return picture_grid(
        mistakes[:MOST_MISTAKES],
        lambda mistake: mistake.jpeg,
        lambda mistake: f"{mistake.words}: {' and '.join(mistake.people)}",
        _caption,
        "pairs",
    )


def _caption(mistake: Mistake) -> str:
    names = " and ".join(dict.fromkeys(mistake.people))
    files = ", ".join(file.name for file in mistake.files)
    return f'<strong>{escaped(names)}</strong><br><span class="quiet">{escaped(files)}</span>'


def _sheet(path: Path | None) -> str:
    shown = picture_file(path, "Training faces after random changes")
    return shown and quiet("What the network sees in training, a person a row.") + shown
