"""What `cvtool stylize` says: the losses while it works, and a table or JSON of the result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cvtool import __version__
from cvtool.cli import console
from cvtool.cli.records import Record, about_picture, size_text
from cvtool.cli.running_table import RunningTable

if TYPE_CHECKING:
    from cvtool.cli.stylize_work import Painted
    from cvtool.pictures.sources import Picture
    from cvtool.style.transfer import Step

# What the losses are called.
TERMS = {
    "content": "content",
    "style": "style",
    "total_variation": "total variation",
    "total": "total",
}


def make_description(facts: Record, **more: Any) -> str:
    """What a result's file says of how it was made: JSON in ASCII, without line ends."""
    return console.to_json({"cvtool": __version__} | facts | more)


def make_record(
    picture: Picture,
    painted: Painted,
    *,
    model: str,
    engine: str,
    facts: Record,
    paths: Record,
) -> Record:
    """The documented JSON object of one picture or frame.

    Args:
        facts: the settings, and the names of pictures.
        paths: of the files written.
    """
    record = about_picture(picture, model=model, engine=engine, seconds=painted.seconds)
    height, width = painted.pixels.shape[:2]
    record["size"] = [width, height]
    if painted.steps:
        first, last = painted.steps[0], painted.steps[-1]
        record |= {
            "iterations": len(painted.steps),
            "stopped": painted.stopped,
            "losses": {
                "first": {term: rounded(first[term]) for term in TERMS},
                "last": {term: rounded(last[term]) for term in TERMS},
            },
            # One that was stopped may lack the second, or both.
            "style_loss": dict(
                zip(("content", "result"), map(rounded, painted.style_losses), strict=False)
            ),
        }
    return record | {"settings": facts} | paths


def rounded(loss: float) -> float:
    """A loss to six digits."""
    return float(f"{loss:.6g}")


class SingleTable:
    """The losses of the one picture, and where it is."""

    def __enter__(self) -> SingleTable:
        return self

    def add(self, record: Record) -> None:
        width, height = record["size"]
        name = console.visible(record["picture"])
        print(
            f"{name}: {size_text(record)} -> {width} x {height} pixels, {record['seconds']:.1f} s"
        )
        if "losses" in record:
            first, last = record["losses"]["first"], record["losses"]["last"]
            rows = [(name, f"{first[t]:.4g}", f"{last[t]:.4g}") for t, name in TERMS.items()]
            columns = ("loss", "first", "last")
            console.print_table(console.table(columns, rows, right=columns[1:]))
            print(summary(record))
        if record.get("intermediate"):
            paths = record["intermediate"]
            print(f"intermediate: {len(paths)} pictures, {paths[0]} ...")
        for key, name in (("video", "film"), ("output", "stylized")):
            if record.get(key):
                print(f"{name}: {record[key]}")

    def __exit__(self, *_: object) -> None:
        pass


class FrameTally:
    """Of a video nothing is told but its frames."""

    def add(self, record: Record) -> None:
        pass

    def text(self) -> str:
        return "stylized"


def running_table() -> RunningTable:
    """A line a picture."""
    return RunningTable("result", summary, FrameTally, ("output",))


def summary(record: Record) -> str:
    """For example "512 x 384, style loss 1.3 % of the photograph's after 300 iterations"."""
    width, height = record["size"]
    size = f"{width} x {height}"
    if "losses" not in record:
        return size
    losses = record["style_loss"]
    text = f"{record['iterations']} iterations"
    if len(losses) == 2 and losses["content"] > 0:
        share = 100 * losses["result"] / losses["content"]
        text = f"style loss {share:.2g} % of the photograph's after {text}"
    return f"{size}, {text}"


@contextmanager
def progress(
    name: str, sizes: list[tuple[int, int]], iterations: list[int]
) -> Iterator[Callable[[Step], None]]:
    """A bar on stderr with the losses and the time left, if that is a terminal.

    Args:
        name: stands before the bar.
        sizes: (height, width) of the scales.
        iterations: of each of them.
    Yields:
        a function to call after each iteration.
    """
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    # An iteration takes as long as its scale has pixels.
    costs = [height * width for height, width in sizes]
    parts = [cost * count for cost, count in zip(costs, iterations, strict=True)]
    begun: dict[int, int] = {}
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(16),
        TextColumn("{task.fields[losses]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=sum(parts), losses="")

        def show(step: Step) -> None:
            scale = step.scale - 1
            # A scale may end before all its iterations.
            before = begun.setdefault(scale, step.iteration - 1)
            done = sum(parts[:scale]) + costs[scale] * (step.iteration - before)
            bar.update(task, completed=done, losses=progress_text(step))

        yield show


def progress_text(step: Step) -> str:
    """For example "120/300 content 0.31 style 0.0212 variation 0.004"."""
    losses = step.losses
    return (
        f"{step.iteration}/{step.iterations} content {losses['content']:.3g} "
        f"style {losses['style']:.3g} variation {losses['total_variation']:.3g}"
    )
