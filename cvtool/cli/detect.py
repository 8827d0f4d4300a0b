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
)
from cvtool.errors import CvtoolError, DeviceError, ModelError

# More windows than this would bury the screen.
MOST_SHOWN = 10

# Where annotated pictures go if nobody says. There a name that is taken is no error: the
# next free one serves, so that the same command can be given twice.
DEFAULT_OUT = Path("detected")


def detect(
    sources: SourcesArgument,
    model: ModelOption = "everyday",
    score: Annotated[
        float, typer.Option(min=0, max=1, help="Keep boxes that score at least this.")
    ] = 0.25,
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
    if show:
        check_show(no_pictures)

    from cvtool.cli.detect_files import ResultFiles, own_results, refuse_source_as_output
    from cvtool.cli.detect_report import make_record
    from cvtool.detection.detector import Detector
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
    wanted = known_classes(classes, detector.classes)
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
            detections = detector(
                picture.pixels,
                min_score=score,
                max_iou=iou,
                max_boxes=max_boxes,
                classes=wanted,
                tile=tile,
            )
            seconds = time.perf_counter() - before
            output = files.write(picture, detections, targets)
            if coco is not None:
                add_to_coco(coco, picture, detections)
            report.add(
                make_record(
                    picture,
                    detections,
                    model=detector.model_name,
                    engine=detector.engine_name,
                    seconds=seconds,
                    output=output,
                )
            )
            done, found = done + 1, found + len(detections)
            if show and output and picture.frame is None and shown < MOST_SHOWN:
                typer.launch(output)
                shown += 1
    if done > 1:
        seconds = time.perf_counter() - start
        console.say(f"{done} pictures, {found} objects, {seconds:.1f} s")
    for problem in problems:
        console.complain(problem)
    if problems:
        raise typer.Exit(1)


def check_show(no_pictures: bool) -> None:
    """Refuse --show where there is nothing to show, or nowhere to show it."""
    if no_pictures:
        raise typer.BadParameter("--show opens the annotated picture; leave out --no-pictures")
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and not has_display:
        raise DeviceError("--show: there is no display; leave it out and open the file in --out")


def known_classes(given: str | None, known: tuple[str, ...]) -> list[str] | None:
    """The classes of --classes as the model spells them.

    Raises:
        ModelError: the model does not know one; the message offers the nearest names.
    """
    if given is None:
        return None
    from cvtool.models.near_names import unknown_name

    spelling = {label.casefold(): label for label in known}
    wanted = []
    for name in (part.strip() for part in given.split(",")):
        if name.casefold() in spelling:
            wanted.append(spelling[name.casefold()])
        elif name:
            raise ModelError(f"--classes: {unknown_name('class', name, known)}")
    if not wanted:
        raise typer.BadParameter("--classes names no class")
    return wanted


def choose_report(json_array: bool, json_lines: bool, total: int | None):
    """The way to print that the options ask for."""
    from cvtool.cli import detect_report, records

    table = detect_report.SingleTable if total == 1 else detect_report.RunningTable
    return records.json_report(json_array, json_lines) or table()


def open_coco(stack: ExitStack, path: Path | None, classes, inputs: list[str], overwrite: bool):
    """The file of --save-coco, or None."""
    if path is None:
        return None
    from cvtool.detection.label_files import CocoFile
    from cvtool.errors import OutputError
    from cvtool.pictures.writing import same_file

    if any(same_file(path, source) for source in inputs):
        raise OutputError(f"{path}: is an input, never overwritten; name another file")
    return stack.enter_context(CocoFile(path, classes, overwrite=overwrite))


def add_to_coco(coco, picture, detections) -> None:
    """One picture for --save-coco; frames of a video are told apart by their number."""
    height, width = picture.pixels.shape[:2]
    more = {}
    if picture.frame is not None:
        more = {"frame": picture.frame, "time": round(picture.time or 0.0, 4)}
    coco.add(picture.name, height, width, detections, **more)
