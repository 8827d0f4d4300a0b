"""`cvtool segment`: say which class every pixel of a picture shows, and cut objects out."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from cvtool.cli import console
from cvtool.cli.options import (
    DeviceOption,
    EveryOption,
    JsonArrayOption,
    JsonLinesOption,
    LongSideOption,
    MaxPixelsOption,
    ModelOption,
    OverwriteOption,
    SourcesArgument,
    known_classes,
)
from cvtool.cli.own_model import may_be_own, resolve
from cvtool.errors import CvtoolError

# As for `cvtool detect`: there a name that is taken is no error, the next free one serves.
DEFAULT_OUT = Path("segmented")


def segment(
    sources: SourcesArgument,
    model: ModelOption = "everyday-unet",
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Keep these classes only, separated by commas; the others become background. "
            "With a .keras file or SavedModel of your own as --model: the file with the names of "
            "its classes, one a line, the background first.",
        ),
    ] = None,
    size: LongSideOption = None,
    tile: Annotated[
        int | None,
        typer.Option(
            min=32,
            metavar="PIXELS",
            help="Look at large pictures in overlapping square tiles of this side instead.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            show_default=str(DEFAULT_OUT),
            help="Folder for overlays, masks and cut-outs.",
        ),
    ] = None,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Write no overlays, and no masks into --out.")
    ] = False,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the masks here, under the names of the pictures: PNG with a palette, "
            "whose values are the class ids. Also of a video's frames.",
        ),
    ] = None,
    class_masks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a mask of each class, 255 where it is."),
    ] = None,
    cutout: Annotated[
        bool,
        typer.Option(
            "--cutout",
            help="Cut the objects out, with a soft edge, into a transparent PNG. Of a picture on "
            "stdin it goes to stdout, if that is no terminal and --out is not given.",
        ),
    ] = False,
    background: Annotated[
        str | None,
        typer.Option(
            metavar="white|#HEX|blur|FILE",
            help="Lay the cut-out on a colour, the blurred picture or another picture.",
        ),
    ] = None,
    json_array: JsonArrayOption = False,
    json_lines: JsonLinesOption = False,
    save_coco: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one COCO JSON file of the outlines."),
    ] = None,
    every: EveryOption = 1,
    max_pixels: MaxPixelsOption = 100_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Say which class every pixel shows, and cut objects out.

    Prints the classes with their areas, and writes an overlay and a mask of each
    picture into the folder --out. Your files are never changed. Pictures that fail
    are listed at the end, and the exit code is then 1.
    """
    if json_array and json_lines:
        raise typer.BadParameter("choose one of --json and --jsonl")
    if background is not None and not cutout:
        raise typer.BadParameter("--background is for a cut-out; add --cutout")

    from cvtool.cli.output_files import (
        add_to_coco,
        open_coco,
        own_results,
        refuse_source_as_output,
    )
    from cvtool.cli.segment_files import CutOut, SegmentFiles, write_to_stdout
    from cvtool.cli.segment_report import make_record
    from cvtool.pictures.sources import count_pictures, read_pictures
    from cvtool.pictures.writing import check_output_folder
    from cvtool.segmentation.cutout import Ground
    from cvtool.segmentation.regions import coco_annotations
    from cvtool.segmentation.segmenter import Segmenter

    as_json = json_array or json_lines
    piped = cutout and sources == ["-"] and out is None and not as_json and not sys.stdout.isatty()
    in_folder = not piped and (cutout or not no_pictures)
    out_folder = (out or DEFAULT_OUT) if in_folder else None
    remedy = "name another with --out, or use --no-pictures"
    for folder, advice in (
        (out_folder, remedy),
        (masks, "name another with --masks"),
        (class_masks, "name another with --class-masks"),
    ):
        refuse_source_as_output(sources, folder)
        if folder is not None:
            check_output_folder(folder, advice)
    cut = None
    if cutout:
        ground = None if background is None else Ground(background, max_pixels=max_pixels)
        cut = CutOut(ground, tile)
    is_own = own_results(sources, (out_folder, masks, class_masks))
    # Counting walks through the folders, so only where somebody sees the number.
    total = count_pictures(sources, every=every) if not as_json or sys.stderr.isatty() else None
    problems: list[CvtoolError] = []
    done, start = 0, time.perf_counter()

    if may_be_own(model):
        (model,), classes = resolve([model], None if classes is None else Path(classes)), None
    segmenter = Segmenter.load(model, device=device, size=size)
    wanted = known_classes(classes, segmenter.classes[1:])
    with ExitStack() as stack:
        inputs = [source for source in (*sources, background or "") if os.path.isfile(source)]
        coco = open_coco(stack, save_coco, segmenter.classes[1:], inputs, overwrite)
        files = stack.enter_context(
            SegmentFiles(
                out=out_folder,
                pictures=out_folder is not None and not no_pictures,
                masks=masks,
                class_masks=class_masks,
                classes=segmenter.classes,
                cutout=None if piped else cut,
                every=every,
                inputs=inputs,
                overwrite=overwrite,
                on_error=problems.append,
                number=out is None,
            )
        )
        report = stack.enter_context(choose_report(json_array, json_lines, total, piped))
        stream = read_pictures(
            sources, on_error=problems.append, max_pixels=max_pixels, every=every
        )
        pictures = stack.enter_context(closing(stream))
        for picture in console.track(pictures, "segmenting", total):
            if is_own(picture.name):
                continue
            targets = files.targets(picture)
            before = time.perf_counter()
            found = segmenter(picture.pixels, tile=tile, classes=wanted, soft=cutout)
            seconds = time.perf_counter() - before
            paths = files.write(picture, found, targets)
            if piped:
                write_to_stdout(cut(picture, found))
            if coco is not None:
                add_to_coco(coco, picture, coco_annotations(found.mask, found.class_ids))
            report.add(
                make_record(
                    picture,
                    found,
                    model=segmenter.model_name,
                    engine=segmenter.engine_name,
                    seconds=seconds,
                    paths=paths,
                )
            )
            done += 1
    if done > 1:
        console.say(f"{done} pictures, {time.perf_counter() - start:.1f} s")
    for problem in problems:
        console.complain(problem)
    if problems:
        raise typer.Exit(1)


def choose_report(json_array: bool, json_lines: bool, total: int | None, piped: bool):
    """The way to print that the options ask for."""
    from cvtool.cli import records, segment_report

    if piped:
        return segment_report.NoReport()
    table = segment_report.SingleTable if total == 1 else segment_report.running_table
    return records.json_report(json_array, json_lines) or table()
