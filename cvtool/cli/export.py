"""`cvtool export`: a model in a file that other programs run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtool.cli import console
from cvtool.cli.options import LARGEST_SIZE, JsonOption, OverwriteOption, complete_model
from cvtool.exporting.formats import FormatName, Precision

if TYPE_CHECKING:
    import numpy as np

    from cvtool.errors import CvtoolError
    from cvtool.exporting.export import Exported

FREE = "free"
MOST_PICTURES = 1024


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A preset, or the folder of a trained model.",
            autocompletion=complete_model,
        ),
    ],
    format: Annotated[FormatName, typer.Option("--format", "-f", help="What to write.")] = "onnx",
    precision: Annotated[
        Precision,
        typer.Option(
            help="Of the stored weights. float16 halves the file and computes in float32 all the "
            "same; int8 (LiteRT) also computes in int8."
        ),
    ] = "float32",
    size: Annotated[
        str | None,
        typer.Option(
            metavar="PIXELS|free",
            show_default="the model's own",
            help="Side of the square input, fixed in the file; or free for any height and width.",
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N|free",
            show_default="1; free with --size free",
            help="Pictures at a time, fixed in the file; or free for any number.",
        ),
    ] = None,
    pictures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            show_default="a photograph that is always there",
            help="Pictures to compare the file and the model on, and for int8 to calibrate with; "
            "may be given several times.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|DIR",
            show_default="MODEL and the format's ending",
            help="The file, or a folder for it.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a model for other programs: LiteRT, ONNX, SavedModel or OpenVINO.

    What was written is run on pictures and compared with the model; a file that answers
    otherwise is not kept. A JSON beside it holds what one needs to run it elsewhere.
    """
    side = number_or_free(size, "--size", LARGEST_SIZE)
    count = number_or_free(batch, "--batch", MOST_PICTURES)
    free = side == FREE
    if count is None:
        count = FREE if free else 1

    from cvtool.exporting.export import export_model

    problems: list[CvtoolError] = []
    try:
        exported = export_model(
            model,
            format,
            precision=precision,
            size=side if isinstance(side, int) else None,
            free=free,
            batch=count if isinstance(count, int) else None,
            pictures=pixels_of(pictures, problems) if pictures else None,
            out=out,
            overwrite=overwrite,
            say=console.say,
        )
        if as_json:
            console.print_json(exported.to_dict())
        else:
            show(exported)
    finally:
        # Where not one can be read, they say why.
        for problem in problems:
            console.complain(problem)
    if problems:
        raise typer.Exit(1)


def number_or_free(text: str | None, option: str, most: int) -> int | str | None:
    """A number of 1 or more, or FREE.

    Raises:
        typer.BadParameter: anything else.
    """
    if text is None or text == FREE:
        return text
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise typer.BadParameter(f"{option} {text}: give a number from 1 to {most}, or {FREE}")
    return int(text)


def pixels_of(sources: list[str], problems: list[CvtoolError]) -> Iterator[np.ndarray]:
    """The pictures that sources name; those that cannot be read go to `problems`."""
    from contextlib import closing

    from cvtool.pictures.sources import read_pictures

    # Closed at the end, or reading ahead would go on for those that nobody takes.
    with closing(read_pictures(sources, on_error=problems.append)) as stream:
        for picture in stream:
            yield picture.pixels


def show(exported: Exported) -> None:
    """Print what was written, for people."""
    description, agreement = exported.description, exported.agreement
    shape = " x ".join(str(side or "any") for side in description["inputs"][0]["shape"])
    row = (
        str(exported.path),
        description["precision"],
        shape,
        f"{exported.bytes / 1e6:.1f} MB",
        f"{agreement.largest:.2g} of {agreement.scale:.3g}",
        f"{agreement.noise:.2%}",
    )
    columns = ("file", "precision", "input", "size", "largest difference", "noise")
    console.print_table(console.table(columns, [row], right=columns[3:]))
    print(f"compared on {agreement.pictures} pictures; described in {exported.described}")
