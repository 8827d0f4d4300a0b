"""`cvtool stylize`: paint a photograph in the style of a painting."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cvtool.cli import console
from cvtool.cli.faces_input import stored_name
from cvtool.cli.finetune_task import options_given
from cvtool.cli.options import (
    DeviceOption,
    JsonArrayOption,
    JsonLinesOption,
    MaxPixelsOption,
    OverwriteOption,
)
from cvtool.cli.records import Record
from cvtool.cli.stylize_input import (
    INITS,
    check_contents,
    check_stdin,
    check_together,
    place_finder,
    read_one,
    read_start,
    settings_of,
)
from cvtool.cli.stylize_options import (
    ContentLayerOption,
    ContentWeightOption,
    EveryIterationOption,
    FilmOption,
    InitOption,
    IterationsOption,
    LayersOption,
    NetworkOption,
    OptimizerOption,
    PresetOption,
    SeedOption,
    StyleScaleOption,
    StyleWeightOption,
    TileOption,
    TvWeightOption,
)
from cvtool.errors import CvtoolError, OptionError, SourceError

if TYPE_CHECKING:
    from cvtool.pictures.sources import Picture

# As for `cvtool detect`: there a name that is taken is no error, the next free one serves.
DEFAULT_OUT = Path("stylized")

INTERRUPTED = 130


def stylize(
    ctx: typer.Context,
    content: Annotated[
        str,
        typer.Argument(
            metavar="CONTENT",
            help="The photograph; or a folder, a glob in quotes, an http(s) URL, a .txt list, - "
            "for stdin. With --fast a video, too.",
        ),
    ],
    styles: Annotated[
        list[str],
        typer.Argument(metavar="STYLE", help="The painting, a file or URL; several are blended."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|DIR",
            show_default=str(DEFAULT_OUT),
            help="The result, whose ending says the format, or a folder for it.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", show_default="512", help="Longer side of the result, 32 to 8192."
        ),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="One pass of a network in place of the optimisation: a second or two."
        ),
    ] = False,
    strength: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="X",
            help="With --fast: 0 for the photograph as it draws it, 1 for all of the style.",
        ),
    ] = 1.0,
    style_blend: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            show_default="equal",
            help="Weights of several styles, such as 0.7,0.3.",
        ),
    ] = None,
    keep_colours: Annotated[
        Literal["no", "luminance", "histogram"],
        typer.Option(
            help="Keep the photograph's colours: luminance changes light and dark only, "
            "histogram gives the painting its colours first.",
        ),
    ] = "no",
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Paint where this picture is white; the rest stays the photograph.",
            rich_help_panel="Where",
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Paint these classes of cvtool segment only, such as person.",
            rich_help_panel="Where",
        ),
    ] = None,
    invert: Annotated[
        bool,
        typer.Option(
            "--invert",
            help="Paint everywhere but there, with --mask or --where.",
            rich_help_panel="Where",
        ),
    ] = False,
    preset: PresetOption = None,
    iterations: IterationsOption = None,
    content_weight: ContentWeightOption = None,
    style_weight: StyleWeightOption = None,
    tv_weight: TvWeightOption = None,
    style_scale: StyleScaleOption = None,
    init: InitOption = None,
    optimizer: OptimizerOption = None,
    network: NetworkOption = None,
    layers: LayersOption = None,
    content_layer: ContentLayerOption = None,
    seed: SeedOption = None,
    tile: TileOption = None,
    every: EveryIterationOption = None,
    video: FilmOption = None,
    device: DeviceOption = "auto",
    json_array: JsonArrayOption = False,
    json_lines: JsonLinesOption = False,
    max_pixels: MaxPixelsOption = 100_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Paint a photograph in the style of a painting.

    Writes the result into the folder --out, with its settings inside the file.
    Your files are never changed. Ctrl-C keeps the picture so far. Photographs
    that fail are listed at the end, and the exit code is then 1.
    """
    given = options_given(ctx)
    check_together(given)
    named = [*styles, *(str(path) for path in (mask, init) if path is not None)]
    check_stdin(content, *named)
    as_json = json_array or json_lines
    piped = content == "-" and out is None and not as_json and not sys.stdout.isatty()
    if piped and every is not None:
        raise typer.BadParameter("--every writes pictures beside the result; name it with --out")
    settings = settings_of(ctx.params, given)
    settings.blend(len(styles))

    from cvtool.cli.output_files import own_results, refuse_source_as_output
    from cvtool.cli.stylize_files import StylizeFiles, check_file, is_file_name
    from cvtool.cli.stylize_picture import Stylist
    from cvtool.cli.stylize_work import Optimisation, SinglePass
    from cvtool.pictures.sources import count_pictures, read_pictures
    from cvtool.pictures.writing import check_output_folder, same_file

    one_file = out if is_file_name(out) else None
    folder = one_file.parent if one_file else out or DEFAULT_OUT
    several = check_contents(content, fast=fast, one_file=one_file, film=video)
    if one_file is None:
        refuse_source_as_output([content], folder)
    if not piped:
        check_output_folder(folder, "name another with --out")
    beside = [path for path in named if os.path.isfile(path)]
    inputs = [path for path in (content, *beside) if os.path.isfile(path)]
    for path, name in ((one_file, "--out"), (video, "--video")):
        if path is not None:
            check_file(path, name, inputs, overwrite=overwrite)
    paintings = [read_one(style, "STYLE", max_pixels) for style in styles]
    start = read_start(init, max_pixels)
    place = place_finder(mask, where, invert=invert, device=device, max_pixels=max_pixels)
    is_own = own_results([content], (None if one_file else folder,))
    # Counting walks through the folders, so only where somebody sees the number.
    total = count_pictures([content]) if not as_json or sys.stderr.isatty() else None
    problems: list[CvtoolError] = []
    done, begun, refused, interrupted = 0, time.perf_counter(), None, False

    looks = [painting.pixels for painting in paintings]
    if fast:
        work = SinglePass(looks, settings, strength=strength, device=device)
    else:
        work = Optimisation(looks, settings, start=start, device=device)
    with ExitStack() as stack:
        files = stack.enter_context(
            StylizeFiles(
                marks=range(every, settings.iterations, every) if every else range(0),
                out=folder,
                every=1,
                inputs=inputs,
                overwrite=overwrite,
                on_error=problems.append,
                number=out is None,
            )
        )
        make = Stylist(
            work,
            None if fast else settings,
            files=files,
            place=place,
            facts=facts_of(ctx.params, paintings) | work.facts,
            film=video,
            piped=piped,
        )
        report = stack.enter_context(choose_report(json_array, json_lines, total, piped))
        stream = read_pictures([content], on_error=problems.append, max_pixels=max_pixels)
        pictures = stack.enter_context(closing(stream))
        for picture in console.track(pictures, "stylizing", total) if fast else pictures:
            # A painting may lie among the photographs.
            lies_beside = several and any(same_file(picture.name, path) for path in beside)
            if lies_beside or is_own(picture.name) or picture.relative == refused:
                continue
            relative = Path(one_file.name) if one_file else picture.relative
            try:
                if picture.frame is not None and not fast:
                    raise SourceError(f"{picture.name}: a video takes --fast")
                record = make(replace(picture, relative=relative))
            except CvtoolError as error:
                if isinstance(error, OptionError) and not several:
                    raise
                problems.append(error)
                # One line for a video, not one a frame.
                refused = None if picture.frame is None else picture.relative
                continue
            if record is None:
                continue
            report.add(record)
            done += 1
            if record.get("stopped") == "nan":
                problems.append(not_a_number(record))
            if record.get("stopped") == "interrupted":
                console.say(so_far(record, settings.iterations))
                interrupted = True
                break
    if done > 1:
        console.say(f"{done} pictures, {time.perf_counter() - begun:.1f} s")
    for problem in problems:
        console.complain(problem)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if problems:
        raise typer.Exit(1)


def facts_of(values: dict[str, Any], paintings: list[Picture]) -> Record:
    """What was chosen besides the settings, for JSON and the results' files.

    Args:
        values: of all options.
        paintings: the styles.
    """
    facts: Record = {"styles": [stored_name(painting.name) for painting in paintings]}
    for name in ("mask", "where", "invert", "preset"):
        if values[name]:
            chosen = values[name]
            facts[name] = stored_name(str(chosen)) if name == "mask" else chosen
    if values["init"] not in (None, *INITS):
        facts["start"] = stored_name(values["init"])
    return facts


def so_far(record: Record, iterations: int) -> str:
    """What is there after Ctrl-C."""
    where = f"; the picture so far: {record['output']}" if record["output"] else ""
    return f"stopped with Ctrl-C after {record['iterations']} of {iterations} iterations{where}"


def not_a_number(record: Record) -> CvtoolError:
    """The error of an optimisation that could not go on."""
    return CvtoolError(
        f"{record['picture']}: after iteration {record['iterations']} the loss is no number, "
        "however small the step; the result is the last good picture, try a lower --style-weight"
    )


def choose_report(json_array: bool, json_lines: bool, total: int | None, piped: bool):
    """The way to print that the options ask for."""
    from cvtool.cli import records, segment_report, stylize_report

    if piped:
        return segment_report.NoReport()
    table = stylize_report.SingleTable if total == 1 else stylize_report.running_table
    return records.json_report(json_array, json_lines) or table()
