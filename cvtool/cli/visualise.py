"""`cvtool visualise`: what a network's layers have learnt."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtool.cli import console
from cvtool.cli.options import (
    DeviceOption,
    EveryOption,
    JsonOption,
    MaxPixelsOption,
    OverwriteOption,
    ViewSizeOption,
    complete_model,
)
from cvtool.errors import CvtoolError, OutputError

if TYPE_CHECKING:
    from cvtool.networks import Network
    from cvtool.pictures.sources import Picture
    from cvtool.visualising.layers import Layer
    from cvtool.visualising.top_patches import LayerPatches

# A sheet of more units is too large to look at.
MOST_UNITS = 400


def visualise(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="A preset, the folder of a trained model, or a network of keras.applications.",
            autocompletion=complete_model,
        ),
    ],
    pictures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PICTURES...",
            help="Pictures to search: folders, files, globs, http(s) URLs, .txt lists, videos, or "
            "- for a picture on stdin. The more, the better.",
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default="one of each stage",
            help="A layer to look into; may be given several times.",
        ),
    ] = None,
    list_layers: Annotated[
        bool, typer.Option("--list-layers", help="List the layers and stop; needs no pictures.")
    ] = False,
    units: Annotated[
        str,
        typer.Option(
            metavar="N|LIST",
            help="How many units of each layer, which are then the most selective; or which: "
            "0,5,9 or 0-8 or 7, with a comma.",
        ),
    ] = "9",
    patches: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Patches of each unit.")
    ] = 9,
    size: ViewSizeOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|DIR",
            show_default="NETWORK-LAYER.png, numbered where that is taken",
            help="The sheet, or a folder for the sheets.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    every: EveryOption = 1,
    max_pixels: MaxPixelsOption = 100_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Show what a layer has learnt: the patches of your pictures that most excite its units.

    One sheet a layer. The network sees the square in the middle of each picture. Pictures that
    fail are listed at the end, and the exit code is then 1.
    """
    wanted = parse_units(units)
    if not pictures and not list_layers:
        raise typer.BadParameter("name pictures to search, or use --list-layers")
    if list_layers and pictures:
        raise typer.BadParameter("--list-layers looks at no pictures; leave them out")
    if out is not None and not is_folder(out):
        from cvtool.pictures.writing import check_suffix

        check_suffix(out)

    from cvtool.engines import choose_engine
    from cvtool.networks import load_network
    from cvtool.visualising.layers import choose_layers, find_layers, listed, spread

    choose_engine(device)  # that there is no GPU is said before anything is loaded
    loaded = load_network(network)
    size = loaded.size if size is None else size
    layers = find_layers(loaded.model, size)
    if list_layers:
        show_layers(listed(layers), spread(layers), as_json)
        return
    chosen = choose_layers(layers, layer or ())
    say_what_is_meant(layer or (), chosen)
    sheets = choose_sheets(out, loaded.name, chosen, pictures, overwrite)

    from cvtool.cli.output_files import own_results
    from cvtool.pictures.sources import count_pictures, read_pictures
    from cvtool.visualising.search import visualise as find_patches

    problems: list[CvtoolError] = []
    # Counting walks through the folders, so only where somebody sees the number.
    total = count_pictures(pictures, every=every) if sys.stderr.isatty() else None
    is_own = own_results(pictures, (out if out is not None and is_folder(out) else None,))
    stream = read_pictures(pictures, on_error=problems.append, max_pixels=max_pixels, every=every)
    with closing(stream):
        found = find_patches(
            loaded.model,
            searched(console.track(stream, "searching", total), is_own, sheets),
            size,
            layers=[each.name for each in chosen],
            units=wanted,
            patches=patches,
            device=device,
        )
    written: list[str | None] = [None] * len(sheets)
    if found[0].pictures:
        written = write_sheets(loaded, found, sheets, patches, overwrite, problems)
    else:
        console.say("no picture can be read, so there is no sheet")
    if as_json:
        print_found(loaded.name, size, found, written)
    else:
        show_found(found, written)
    for problem in problems:
        console.complain(problem)
    if problems:
        raise typer.Exit(1)


def parse_units(text: str) -> int | list[int]:
    """--units as a number of units, or as the list of their numbers."""
    if re.fullmatch(r"\d{1,9}", text):
        wanted: int | list[int] = int(text)
        count = wanted
    elif re.fullmatch(r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*,?", text):
        ends = [[int(end) for end in part.split("-")] for part in text.rstrip(",").split(",")]
        # Counted first: nobody waits for a list of billions.
        count = sum(abs(span[-1] - span[0]) + 1 for span in ends)
        wanted = []
        if count <= MOST_UNITS:
            units = (unit for span in ends for unit in range(span[0], span[-1] + 1))
            wanted = list(dict.fromkeys(units))
            count = len(wanted)
    else:
        raise typer.BadParameter(f"--units {text}: give a number, or a list such as 0,5,9 or 0-8")
    if not 1 <= count <= MOST_UNITS:
        raise typer.BadParameter(f"--units {text}: from 1 to {MOST_UNITS} units fit on a sheet")
    return wanted


def is_folder(out: Path) -> bool:
    """Whether --out names a folder for the sheets, there or yet to be made."""
    return out.is_dir() or not out.suffix


def say_what_is_meant(names: Sequence[str], chosen: Sequence[Layer]) -> None:
    """Say which layer stands for one that was named before its normalisation or ReLU."""
    known = {layer.name for layer in chosen}
    for name in names:
        if not any(full == name or full.endswith(f"/{name}") for full in known):
            console.say(f"{name}: looked at after its normalisation and ReLU")


def choose_sheets(
    out: Path | None, name: str, layers: Sequence[Layer], sources: Sequence[str], overwrite: bool
) -> list[Path]:
    """The file of each layer's sheet; refused now rather than after the work.

    Raises:
        OutputError: one is there, is an input, or cannot be written.
    """
    from cvtool.cli.output_files import label_in_name, refuse_source_as_output
    from cvtool.pictures.writing import check_output_folder, check_suffix, free_name, same_file

    if out is None or is_folder(out):
        refuse_source_as_output(sources, out)
        folder = out or Path()
        sheets = [
            folder / f"{label_in_name(name)}-{label_in_name(layer.name)}.png" for layer in layers
        ]
        if not overwrite:
            sheets = [free_name(sheet) for sheet in sheets]
    elif len(layers) > 1:
        raise typer.BadParameter(
            f"--out {out}: there are {len(layers)} sheets, one a layer; "
            "name a folder, or one --layer"
        )
    else:
        check_suffix(out)
        sheets = [out]
    for sheet in sheets:
        if any(same_file(sheet, source) for source in sources):
            raise OutputError(f"{sheet}: is an input, never overwritten; use another --out")
        if sheet.exists() and not overwrite:
            raise OutputError(f"{sheet}: already exists; use --overwrite or another --out")
    check_output_folder(sheets[0].parent, "use another --out")
    return sheets


def searched(
    pictures: Iterator[Picture], is_own: Callable[[str], bool], sheets: Sequence[Path]
) -> Iterator[Picture]:
    """The pictures but for sheets of an earlier run.

    Raises:
        OutputError: one of them is where a sheet goes.
    """
    taken = {os.path.realpath(sheet) for sheet in sheets if sheet.exists()}
    for picture in pictures:
        if is_own(picture.name):
            continue
        if taken and os.path.realpath(picture.name) in taken:
            raise OutputError(f"{picture.name}: is an input, never overwritten; use another --out")
        yield picture


def write_sheets(
    loaded: Network,
    found: Sequence[LayerPatches],
    sheets: Sequence[Path],
    patches: int,
    overwrite: bool,
    problems: list[CvtoolError],
) -> list[str | None]:
    """Write the sheets; the paths of those that could be written, None for the others."""
    from cvtool.pictures.writing import write_picture
    from cvtool.visualising.sheet import draw_sheet

    written: list[str | None] = []
    for each, sheet in zip(found, sheets, strict=True):
        named = each.layer.last and each.layer.units == len(loaded.classes)
        labels = loaded.classes if named else ()
        pixels = draw_sheet(each, loaded.name, patches=patches, labels=labels)
        try:
            write_picture(sheet, pixels, overwrite=overwrite)
            written.append(str(sheet))
        except OutputError as error:
            problems.append(error)
            written.append(None)
    return written


def print_found(
    name: str, size: int, found: Sequence[LayerPatches], written: Sequence[str | None]
) -> None:
    """Print what was found as JSON."""
    layers = [
        {**each.to_dict(), "sheet": sheet} for each, sheet in zip(found, written, strict=True)
    ]
    summary = {"network": name, "size": size, "pictures": found[0].pictures, "layers": layers}
    console.print_json(summary)


def show_found(found: Sequence[LayerPatches], written: Sequence[str | None]) -> None:
    """Print a row for each sheet."""
    rows = [
        (
            each.layer.name,
            f"{len(each.units)} of {each.layer.units}",
            receptive_field(each.layer),
            sheet,
        )
        for each, sheet in zip(found, written, strict=True)
        if sheet is not None
    ]
    if rows:
        console.print_table(console.table(("layer", "units", "each sees", "written"), rows))


def receptive_field(layer: Layer) -> str:
    """What a unit of a layer sees, in words."""
    height, width = layer.field.size
    return "whole picture" if layer.field.sees_all else f"{width} x {height}"


def show_layers(layers: Sequence[Layer], chosen: Sequence[Layer], as_json: bool) -> None:
    """Print the layers that can be looked into; those looked into by default are marked."""
    if as_json:
        rows = [{**layer.to_dict(), "default": layer in chosen} for layer in layers]
        console.print_json(rows)
        return
    columns = ("layer", "type", "output", "each unit sees", "default")
    cells = [
        (
            layer.name,
            layer.kind,
            " x ".join(str(side) for side in layer.shape),
            receptive_field(layer),
            "yes" if layer in chosen else "",
        )
        for layer in layers
    ]
    console.print_table(console.table(columns, cells))
