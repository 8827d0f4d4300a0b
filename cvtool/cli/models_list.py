"""`cvtool models list` and `info`: the models that there are, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cvtool.cli import console
from cvtool.cli.options import JsonOption, complete_model

if TYPE_CHECKING:
    from cvtool.models.catalogue import Entry

Task = Literal["detect", "classify", "segment", "verify", "stylize", "features"]

# The figure that stands for a model in a table: of a model's scores, the first that it has.
HEADLINES = {
    "mAP50": "mAP50",
    "miou": "mean IoU",
    "accuracy": "accuracy",
    "top1": "top-1",
    "style_left": "style loss left",
}

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A model of cvtool models list, or the folder of a trained model.",
        autocompletion=complete_model,
    ),
]


def list_models(
    task: Annotated[
        Task | None, typer.Option("--task", help="Only models for this command, or features.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the models: shipped, to download, imported, and of keras.applications.

    Nothing is downloaded.
    """
    from cvtool.models.catalogue import catalogue

    entries = [e for e in catalogue() if task is None or (e.preset and e.preset.task == task)]
    if as_json:
        console.print_json([entry.to_dict() for entry in entries])
        return
    columns = ("model", "task", "classes", "score", "size", "source", "on disk", "licence")
    print_rows = [row_of(entry) for entry in entries]
    console.print_table(console.table(columns, print_rows, right=("classes", "size")))


def row_of(entry: Entry) -> tuple[str, ...]:
    """An entry's row of the table."""
    preset = entry.preset
    if preset is None:
        return (entry.name, "", "", "", "", entry.source, "damaged", "")
    return (
        entry.name,
        preset.task,
        str(entry.classes) if entry.classes else "",
        headline(preset.scores),
        size_of(entry),
        entry.source,
        "yes" if entry.folder else "no",
        preset.licence,
    )


def headline(scores: Mapping[str, Any]) -> str:
    """The figure that stands for a model, for example "mAP50 0.367"; "" where there is none."""
    for key, name in HEADLINES.items():
        if key in scores:
            return f"{name} {scores[key]:.3f}"
    return ""


def size_of(entry: Entry) -> str:
    """Size on disk; in brackets, of what is to be downloaded; "" where nobody knows it."""
    from cvtool.models.progress import readable

    if entry.bytes is not None:
        return readable(entry.bytes)
    return f"({readable(entry.download_bytes)})" if entry.download_bytes else ""


def info(name: ModelArgument, as_json: JsonOption = False) -> None:
    """Say all that is known of a model.

    Nothing is downloaded.
    """
    from cvtool.errors import ModelError
    from cvtool.models.catalogue import find_entry

    entry = find_entry(name)
    if as_json:
        console.print_json(entry.to_dict())
    else:
        console.print_table(console.table(("what", "value"), facts(entry)))
    if entry.problem:
        raise ModelError(entry.problem)


def facts(entry: Entry) -> list[tuple[str, str]]:
    """What is known of a model, for people: pairs of a word and its value."""
    rows = [("model", entry.name), ("source", entry.source)]
    preset = entry.preset
    if preset is None:
        return [*rows, ("folder", str(entry.folder)), ("problem", entry.problem or "")]
    rows += [("task", preset.task), ("description", preset.description)]
    rows.append(("input", f"{preset.size} pixels"))
    known = ", ".join(preset.classes)
    rows.append(("classes", f"{entry.classes}: {known}" if known else str(entry.classes)))
    scores = preset.scores
    figures = [f"{key} {value}" for key, value in scores.items() if key != "dataset"]
    if figures:
        rows.append(("scores", f"{', '.join(figures)} on {scores.get('dataset', 'its test set')}"))
    rows += [("licence", preset.licence), ("training data", preset.data)]
    rows.append(("recipe", preset.recipe))
    rows.append(("on disk", str(entry.folder) if entry.folder else "no"))
    rows.append(("size", size_of(entry)))
    for file in preset.files.values():
        rows.append(("file", f"{file.path.name}, {file.bytes:,} bytes, sha256 {file.sha256}"))
    for file in preset.source.get("files", {}).values():
        rows.append(("made from", f"{file.get('url', file.get('file'))}, sha256 {file['sha256']}"))
    return [row for row in rows if row[1]]
