"""`cvtool detect`: find objects in pictures and videos."""

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
    MaxPixelsOption,
    ModelOption,
    OverwriteOption,
    SizeOption,
    SourcesArgument,
    known_classes,
)
from cvtool.errors import CvtoolError

# More windows than this would bury the screen.
MOST_SHOWN = 10

# Where annotated pictures go if nobody says. There a name that is taken is no error: the
# next free one serves, so that the same command can be given twice.
DEFAULT_OUT = Path("detected")


def detect(
    sources: SourcesArgument,
    model: ModelOption = "everyday",
    score: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            show_default="the model's own, or 0.25",
            help="Keep boxes that score at least this.",
        ),
    ] = None,
    iou: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Of two boxes of a class that overlap more than this, keep one."
        ),
    ] = 0.45,
    max_boxes: Annotated[
        int, typer.Option(min=1, metavar="N", help="Keep at most so many boxes a picture.")
    ] = 300,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Keep these classes only, separated by commas."),
    ] = None,
    size: SizeOption = None,
    tile: Annotated[
        int | None,
        typer.Option(
            min=32,
            metavar="PIXELS",
            help="Look at large pictures in overlapping square tiles of this side as well.",
        ),
    ] = None,
    track: Annotated[
        bool, typer.Option("--track", help="Number the objects of a video, through its frames.")
    ] = False,
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            show_default=str(DEFAULT_OUT),
            help="Folder for annotated pictures.",
        ),
    ] = None,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Write no annotated pictures.")
    ] = False,
    grid: Annotated[
        bool,
        typer.Option(
            "--grid",
            help="Write what the network thinks as well: its grid cells coloured by class, "
            "and its boxes before suppression.",
        ),
    ] = False,
    crops: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write each object as a picture of its own."),
    ] = None,
    json_array: JsonArrayOption = False,
    json_lines: JsonLinesOption = False,
    save_txt: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write YOLO label files, one a picture or frame."),
    ] = None,
    save_coco: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one COCO JSON file of all boxes.")
    ] = None,
    show: Annotated[
        bool,
        typer.Option(
            "--show", help=f"Open the annotated pictures on the screen, at most {MOST_SHOWN}."
        ),
    ] = False,
    every: EveryOption = 1,
    max_pixels: MaxPixelsOption = 100_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Find objects in pictures and videos, and draw a box round each.

    Prints what was found, and writes each picture with its boxes into the folder
    --out. Your files are never changed. Pictures that fail are listed at the end,
    and the exit code is then 1.
    """
    if json_array and json_lines:
        raise typer.BadParameter("choose one of --json and --jsonl")

    from cvtool.cli.detect_checks import check_grid, check_show, check_track

    if show:
        check_show(no_pictures)
    if grid:
        check_grid(no_pictures)
    if track:
        check_track(sources)

    from cvtool.cli.detect_files import ResultFiles
    from cvtool.cli.detect_report import make_record
    from cvtool.cli.output_files import (
        add_to_coco,
        open_coco,
        own_results,
        refuse_source_as_output,
    )
    from cvtool.detection.detector import Detector
    from cvtool.detection.label_files import coco_annotations
    from cvtool.pictures.sources import count_pictures, read_pictures
    from cvtool.pictures.writing import check_output_folder

    out_folder = None if no_pictures else out or DEFAULT_OUT
    for folder in (out_folder, crops):
        refuse_source_as_output(sources, folder)
    if out_folder is not None:
        check_output_folder(out_folder, "name another with --out, or use --no-pictures")
    if crops is not None:
        check_output_folder(crops, "name another with --crops")
    is_own = own_results(sources, (out_folder, crops))
    people_read = not (json_array or json_lines)
    # Counting walks through the folders, so only where somebody sees the number.
    total = count_pictures(sources, every=every) if people_read or sys.stderr.isatty() else None
    problems: list[CvtoolError] = []
    shown = done = found = 0
    start = time.perf_counter()

    detector = Detector.load(model, device=device, size=size)
    options = {
        "max_iou": iou,
        "max_boxes": max_boxes,
        "classes": known_classes(classes, detector.classes),
        "tile": tile,
    }
    find = object_finder(detector, score, every if track else None, options)
    with ExitStack() as stack:
        inputs = [source for source in sources if os.path.isfile(source)]
        coco = open_coco(stack, save_coco, detector.classes, inputs, overwrite)
        files = stack.enter_context(
            ResultFiles(
                out=out_folder,
                crops=crops,
                labels=save_txt,
                classes=detector.classes,
                every=every,
                inputs=inputs,
                overwrite=overwrite,
                on_error=problems.append,
                number=out is None,
                draw_grid=grid_drawer(detector) if grid else None,
            )
        )
        report = stack.enter_context(choose_report(json_array, json_lines, total))
        stream = read_pictures(
            sources, on_error=problems.append, max_pixels=max_pixels, every=every
        )
        pictures = stack.enter_context(closing(stream))
        for picture in console.track(pictures, "detecting", total):
            if is_own(picture.name):
                continue
            targets = files.targets(picture)
            before = time.perf_counter()
            detections = find(picture)
            seconds = time.perf_counter() - before
            written = files.write(picture, detections, targets)
            if coco is not None:
                add_to_coco(coco, picture, coco_annotations(detections, detector.classes))
            report.add(
                make_record(
                    picture,
                    detections,
                    model=detector.model_name,
                    engine=detector.engine_name,
                    seconds=seconds,
                    written=written,
                    grid=grid,
                )
            )
            done, found = done + 1, found + len(detections)
            if show and written.picture and picture.frame is None and shown < MOST_SHOWN:
                typer.launch(written.picture)
                shown += 1
    if done > 1:
        seconds = time.perf_counter() - start
        console.say(f"{done} pictures, {found} objects, {seconds:.1f} s")
    for problem in problems:
        console.complain(problem)
    if problems:
        raise typer.Exit(1)


def object_finder(detector, score: float | None, every: int | None, options: dict):
    """The function from a picture of the stream to its detections.

    Args:
        detector: a `Detector`.
        score: least score; None for the model's own.
        every: to track, which frames of a video come; None does not track.
        options: further ones of `Detector.__call__`.
    """
    if every is None:
        return lambda picture: detector(picture.pixels, min_score=score, **options)
    from cvtool.detection.tracking import Tracker, detect_and_track

    tracker = video = None

    def find(picture):
        nonlocal tracker, video
        if picture.frame is None:
            return detector(picture.pixels, min_score=score, **options)
        # Every video of the stream has an output of its own, even one that is named twice.
        if picture.relative != video:
            rate = picture.fps / every if picture.fps else None
            high = detector.score if score is None else score
            tracker, video = Tracker(high=high, rate=rate), picture.relative
        return detect_and_track(detector, tracker, picture.pixels, **options)

    return find


def grid_drawer(detector):
    """The function from pixels to the picture of --grid."""
    from cvtool.detection.grid_view import draw_grid

    return lambda pixels: draw_grid(detector, pixels)


def choose_report(json_array: bool, json_lines: bool, total: int | None):
    """The way to print that the options ask for."""
    from cvtool.cli import detect_report, records

    table = detect_report.SingleTable if total == 1 else detect_report.running_table
    return records.json_report(json_array, json_lines) or table()
