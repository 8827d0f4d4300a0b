"""`cvtool benchmark`: how fast a model runs in each engine."""

from __future__ import annotations

from typing import Annotated

import typer

from cvtool.cli import console
from cvtool.cli.options import LARGEST_SIZE, JsonOption, complete_model

MOST_PICTURES = 1024


def benchmark(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Presets, or folders of trained models.",
            autocompletion=complete_model,
        ),
    ],
    size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LARGEST_SIZE,
            metavar="PIXELS",
            help="Side of the square input. Default: each model's own.",
        ),
    ] = None,
    batch: Annotated[str, typer.Option(metavar="LIST", help="Pictures at a time.")] = "1,4,8",
    engines: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            show_default="all that are installed",
            help="Of litert, tensorflow, onnxruntime, openvino, opencv.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            metavar="N",
            show_default="as many as there are cores, up to 4",
            help="Threads of the CPU that each engine gets.",
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(min=0.01, max=3600, metavar="S", help="Time of each measurement."),
    ] = 2.0,
    pictures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            show_default="a photograph that is always there",
            help="Pictures to measure and to compare on; may be given several times.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure models in each engine: latency, throughput, memory, and whether the answers agree.

    Each measurement has a process of its own. The fastest engine of those that answer as the
    model does is marked, for each number of pictures at a time.
    """
    batches = parse_batches(batch)
    wanted = None
    if engines is not None:
        wanted = [name.strip() for name in engines.split(",") if name.strip()]
        if not wanted:
            raise typer.BadParameter("--engines names no engine")

    from cvtool.benchmarking.benchmark import benchmark as measure
    from cvtool.benchmarking.engines import ENGINES, choose_engines, left_out
    from cvtool.cli.benchmark_report import show
    from cvtool.errors import CvtoolError

    choose_engines(wanted)  # refused now, not after the first model
    if wanted is None:
        for name, packages in left_out().items():
            console.say(
                f"{ENGINES[name].title} is left out, for {', '.join(packages)} is not installed: "
                'pip install "cvtool[export]"'
            )
    done, problems = [], []
    # Of pictures, each once however many models are measured.
    unread: dict[str, None] = {}
    for model in models:
        try:
            found = measure(
                model,
                size=size,
                batches=batches,
                engines=wanted,
                threads=threads,
                seconds=seconds,
                pictures=pictures or (),
                say=console.say,
                on_error=unread.setdefault,
            )
        except CvtoolError as error:
            problems.append(error)
            continue
        done.append(found)
        if not as_json:
            show(found)
    if as_json:
        console.print_json([found.to_dict() for found in done])
    problems += unread
    for problem in problems:
        console.complain(problem)
    if problems:
        raise typer.Exit(1)


def parse_batches(text: str) -> list[int]:
    """--batch as numbers.

    Raises:
        typer.BadParameter: it is no list of numbers from 1.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    right = all(p.isascii() and p.isdigit() and 1 <= int(p[:9]) <= MOST_PICTURES for p in parts)
    if not parts or not right:
        raise typer.BadParameter(
            f"--batch {text}: give numbers from 1 to {MOST_PICTURES}, such as 1,4,8"
        )
    return [int(part) for part in parts]
