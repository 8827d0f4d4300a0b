"""`cvtool classify`: say which class pictures show."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, closing
from typing import Annotated

import typer

from cvtool.cli import console
from cvtool.cli.options import (
    DeviceOption,
    EveryOption,
    JsonArrayOption,
    JsonLinesOption,
    MaxPixelsOption,
    SourcesArgument,
    TtaOption,
    ViewSizeOption,
    complete_model,
)
from cvtool.cli.own_model import ClassNamesOption, resolve
from cvtool.errors import CvtoolError

DEFAULT_MODEL = "tiny200"


def classify(
    sources: SourcesArgument,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            show_default=DEFAULT_MODEL,
            help="A preset, the folder of a trained model, a network of keras.applications "
            "such as efficientnetv2b0, or a .keras file. Given several times, their probabilities "
            "are averaged.",
            autocompletion=complete_model,
        ),
    ] = None,
    classes: ClassNamesOption = None,
    top: Annotated[
        int, typer.Option(min=1, metavar="N", help="Show the N most probable classes.")
    ] = 5,
    score: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out classes less probable than this.")
    ] = 0.0,
    tta: TtaOption = False,
    size: ViewSizeOption = None,
    device: DeviceOption = "auto",
    json_array: JsonArrayOption = False,
    json_lines: JsonLinesOption = False,
    every: EveryOption = 1,
    max_pixels: MaxPixelsOption = 100_000_000,
) -> None:
    """Say which class each picture shows, with probabilities.

    Writes no files. Pictures that fail are listed at the end, and the exit code is
    then 1.
    """
    if json_array and json_lines:
        raise typer.BadParameter("choose one of --json and --jsonl")

    from cvtool.classification.classifier import Classifier
    from cvtool.cli.classify_report import make_record
    from cvtool.pictures.sources import count_pictures, read_pictures

    people_read = not (json_array or json_lines)
    # Counting walks through the folders, so only where somebody sees the number.
    total = count_pictures(sources, every=every) if people_read or sys.stderr.isatty() else None
    problems: list[CvtoolError] = []
    done, start = 0, time.perf_counter()

    models = resolve(model or [DEFAULT_MODEL], classes)
    classifier = Classifier.load(models, device=device, size=size)
    with ExitStack() as stack:
        report = stack.enter_context(choose_report(json_array, json_lines, total))
        stream = read_pictures(
            sources, on_error=problems.append, max_pixels=max_pixels, every=every
        )
        pictures = stack.enter_context(closing(stream))
        for picture in console.track(pictures, "classifying", total):
            before = time.perf_counter()
            found = classifier(picture.pixels, top=top, tta=tta)
            seconds = time.perf_counter() - before
            report.add(
                make_record(
                    picture,
                    [each for each in found if each.score >= score],
                    model=classifier.model_name,
                    engine=classifier.engine_name,
                    seconds=seconds,
                )
            )
            done += 1
    if done > 1:
        console.say(f"{done} pictures, {time.perf_counter() - start:.1f} s")
    for problem in problems:
        console.complain(problem)
    if problems:
        raise typer.Exit(1)


def choose_report(json_array: bool, json_lines: bool, total: int | None):
    """The way to print that the options ask for."""
    from cvtool.cli import classify_report, records

    table = classify_report.SingleTable if total == 1 else classify_report.RunningTable
    return records.json_report(json_array, json_lines) or table()
