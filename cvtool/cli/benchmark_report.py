"""The table of `cvtool benchmark`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cvtool.benchmarking.engines import ENGINES, engine_version
from cvtool.cli import console

if TYPE_CHECKING:
    from cvtool.benchmarking.benchmark import Benchmark, Measurement


def show(found: Benchmark) -> None:
    """Print a model's measurements; those that are not right come below, with the reason."""
    right = [m for m in found.measurements if m.problem is None]
    print(f"{found.model}: {found.task}, {found.size} pixels, {found.threads} threads")
    columns = ("engine", "batch", "median ms", "p95 ms", "pictures/s", "memory MB", "difference")
    table = console.table((*columns, ""), [row(m) for m in right], right=columns[1:])
    if right:
        console.print_table(table)
    for each in found.measurements:
        if each.problem is not None:
            print(f"{ENGINES[each.engine].title}, batch {each.batch}: not usable: {each.problem}")


def row(measured: Measurement) -> tuple[str, ...]:
    """One line of the table."""
    difference = (measured.agreement or {}).get("largest_difference")
    return (
        f"{ENGINES[measured.engine].title} {engine_version(measured.engine)}".strip(),
        str(measured.batch),
        text(measured.median, lambda s: f"{1000 * s:.1f}"),
        text(measured.p95, lambda s: f"{1000 * s:.1f}"),
        text(measured.throughput, lambda n: f"{n:.1f}"),
        text(measured.memory, lambda n: f"{n / 1e6:.0f}"),
        text(difference, lambda n: f"{n:.1g}"),
        "fastest" if measured.fastest else "",
    )


def text(number: float | None, form: Callable[[float], str]) -> str:
    """A number in its form; a dash where there is none."""
    return "-" if number is None else form(number)
