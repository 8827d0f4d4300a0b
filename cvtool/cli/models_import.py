"""`cvtool models import`: a model of another program becomes one of cvtool's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cvtool.cli.options import LARGEST_SIZE, OverwriteOption


def import_model(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="A Darknet detector's .cfg and .weights; or a classifier or segmenter of your "
            "own: a .keras file, or the folder of a SavedModel.",
        ),
    ],
    classes: Annotated[
        Path | None,
        typer.Option(
            "--classes",
            "--names",
            metavar="FILE",
            show_default="required",
            help="The classes, one name a line in the order of their numbers, such as coco.names.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="What --model takes then.",
            show_default="the file's name",
        ),
    ] = None,
    pixel_range: Annotated[
        str | None,
        typer.Option(
            metavar="BLACK,WHITE",
            show_default="0,255",
            help="Of your own network: its numbers for black and white, such as 0,1 or -1,1.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=16,
            max=LARGEST_SIZE,
            metavar="PIXELS",
            show_default="the network's own",
            help="Of your own network: side of the pictures it is shown, where it takes any.",
        ),
    ] = None,
    licence: Annotated[
        str,
        typer.Option(
            "--licence",
            metavar="TEXT",
            show_default=False,
            help="The terms of the weights, kept with them for cvtool models list.",
        ),
    ] = "",
    overwrite: OverwriteOption = False,
) -> None:
    """Convert a model and keep it in the cache folder, for --model NAME.

    Your files are only read, and not needed afterwards. No code in them is run.
    """
    from cvtool.models import pulling
    from cvtool.models.class_names import read_names
    from cvtool.models.own_network import is_own_network

    if classes is None:
        raise typer.BadParameter(
            "the files do not say the classes; give the file with their names",
            param_hint="--classes",
        )
    own = len(files) == 1 and is_own_network(files[0])
    if not own and (pixel_range is not None or size is not None):
        option = "--size" if pixel_range is None else "--pixel-range"
        raise typer.BadParameter(
            "is for a .keras file or a SavedModel; Darknet's configuration says it",
            param_hint=option,
        )
    shown = black_and_white(pixel_range or "0,255")
    configuration, weights = (files[0], None) if own else darknet_files(files)
    name = configuration.stem if name is None else name
    pulling.check_new_name(name, overwrite=overwrite)
    naming = {"name": name, "classes": read_names(classes)}
    naming |= {"licence": licence, "overwrite": overwrite}
    if own:
        folder = pulling.import_own_model(configuration, pixel_range=shown, size=size, **naming)
    else:
        folder = pulling.import_darknet_model(configuration, weights, **naming)
    print(folder)


def darknet_files(files: list[Path]) -> tuple[Path, Path]:
    """Configuration and weights, in whichever order they were given."""
    if len(files) == 2 and files[0].suffix == ".weights" and files[1].suffix != ".weights":
        files = files[::-1]
    if len(files) != 2 or files[0].suffix == ".weights":
        raise typer.BadParameter(
            "give a detector's two files, .cfg and .weights, or one .keras file, or the folder "
            "of a SavedModel",
            param_hint="FILE...",
        )
    return files[0], files[1]


def black_and_white(text: str) -> tuple[float, float]:
    """The two numbers of --pixel-range."""
    import math

    try:
        black, white = (float(part) for part in text.split(","))
    except ValueError:
        black = white = math.nan
    if not (math.isfinite(black) and math.isfinite(white) and black != white):
        raise typer.BadParameter(
            f'"{text}" is not two different numbers, such as 0,1 or -1,1',
            param_hint="--pixel-range",
        )
    return black, white
