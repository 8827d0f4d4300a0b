"""Measure a model in each engine, and say which of those that are right is the fastest."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cvtool.benchmarking.child import PATIENCE, WorkError, run_child
from cvtool.benchmarking.engines import ENGINES, choose_engines, engine_version, formats_of
from cvtool.engines import usable_cores
from cvtool.errors import CvtoolError

BATCHES = (1, 4, 8)
SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One engine on one batch size.

    Attributes:
        engine: a key of `engines.ENGINES`.
        batch: pictures at a time.
        runs: calls measured.
        median, p95: seconds a call: the usual one, and what 95 of 100 stay under.
        start: seconds from an engine that is not imported yet to its first answer.
        memory: peak of its process, bytes; None where the system does not say.
        agreement: how near its answer is to the source's; see `exporting.agreement`.
        problem: why it is not to be used: it fails, or answers otherwise; None where all is well.
        fastest: it has the highest throughput of those that are right, at this batch size.
    """

    engine: str
    batch: int
    runs: int = 0
    median: float | None = None
    p95: float | None = None
    start: float | None = None
    memory: int | None = None
    agreement: dict[str, Any] | None = None
    problem: str | None = None
    fastest: bool = False

    @property
    def throughput(self) -> float | None:
        """Pictures a second."""
        return self.batch / self.median if self.median else None

    def to_dict(self) -> dict[str, Any]:
        """The measurement as the documented JSON object."""
        return {
            "engine": self.engine,
            "batch": self.batch,
            "runs": self.runs,
            "median_ms": _rounded(self.median, 1000),
            "p95_ms": _rounded(self.p95, 1000),
            "pictures_per_second": _rounded(self.throughput),
            "start_ms": _rounded(self.start, 1000),
            "peak_bytes": self.memory,
            "check": self.agreement,
            "problem": self.problem,
            "fastest": self.fastest,
        }


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A model in every engine.

    Attributes:
        model, task: its name and what it is for.
        size: side of the square input, pixels.
        threads: of the CPU that each engine was given.
        measurements: in the order of the engines, then of the batch sizes.
    """

    model: str
    task: str
    size: int
    threads: int
    measurements: tuple[Measurement, ...]

    def to_dict(self) -> dict[str, Any]:
        """The benchmark as the documented JSON object."""
        names = dict.fromkeys(m.engine for m in self.measurements)
        return {
            "model": self.model,
            "task": self.task,
            "size": self.size,
            "threads": self.threads,
            "versions": {name: engine_version(name) for name in names},
            "measurements": [m.to_dict() for m in self.measurements],
        }


def benchmark(
    model: str | Path,
    *,
    size: int | None = None,
    batches: Sequence[int] = BATCHES,
    engines: Sequence[str] | None = None,
    threads: int | None = None,
    seconds: float = SECONDS,
    pictures: Sequence[str] = (),
    say: Callable[[str], None] = lambda message: None,
    on_error: Callable[[str], object] | None = None,
) -> Benchmark:
    """Measure a model in each engine; every measurement has a process of its own.

    Args:
        model: a preset's name or the folder of a trained model.
        size: side of the square input, pixels; None for the model's own.
        batches: numbers of pictures at a time.
        engines: keys of `engines.ENGINES`; None for those that are installed.
        threads: of the CPU; None for as many as this process may use, up to 4.
        seconds: that each measurement takes, at least.
        pictures: sources to measure and compare on; empty for those that are always there.
        say: gets a remark at the start of each step.
        on_error: gets a line for each picture that cannot be read; it goes on without them.
    Raises:
        OptionError: an unknown engine.
        CvtoolError: not one of the pictures can be read.
        ModelError: no such model, a size that it does not take, an engine that is not installed.
    """
    names = choose_engines(engines)
    batches = sorted(set(batches))
    threads = threads or min(4, usable_cores())
    measurements = []
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        say(f"{model}: preparing")
        prepared = run_child(
            "prepare",
            folder=folder,
            # A Path is always a folder, a name may be a preset's.
            model=str(model.absolute()) if isinstance(model, Path) else model,
            size=size,
            batches=batches,
            formats=formats_of(names),
            pictures=[str(source) for source in pictures],
        )
        for problem in prepared["problems"] if on_error else ():
            on_error(problem)
        for name in names:
            for batch in batches:
                say(f"{prepared['model']}: {ENGINES[name].title}, {batch} at a time")
                file = prepared["files"][ENGINES[name].format][str(batch)]
                measurements.append(measured(name, batch, file, prepared, folder, threads, seconds))
    return Benchmark(
        prepared["model"],
        prepared["task"],
        prepared["size"],
        threads,
        tuple(mark_fastest(measurements)),
    )


def measured(
    engine: str,
    batch: int,
    file: str | dict[str, str],
    prepared: dict[str, Any],
    folder: str,
    threads: int,
    seconds: float,
) -> Measurement:
    """Measure one engine on one batch size; what goes wrong is the measurement's problem."""
    if isinstance(file, dict):
        return Measurement(engine, batch, problem=file["problem"])
    try:
        found = run_child(
            "measure",
            patience=PATIENCE + 3 * seconds,
            folder=folder,
            engine=engine,
            path=file,
            inputs=prepared["inputs"],
            batch=batch,
            threads=threads,
            seconds=seconds,
        )
    except (WorkError, CvtoolError) as error:
        return Measurement(engine, batch, problem=str(error))
    times = sorted(found.get("seconds", ()))
    return Measurement(
        engine,
        batch,
        runs=len(times),
        median=statistics.median(times) if times else None,
        # The value that at least 95 of 100 calls do not exceed.
        p95=times[-(-95 * len(times) // 100) - 1] if times else None,
        start=found["start"],
        memory=found.get("memory"),
        agreement=found.get("agreement"),
        problem=found["problem"],
    )


def mark_fastest(measurements: Sequence[Measurement]) -> list[Measurement]:
    """The measurements, the fastest of each batch size marked among those that are right."""
    best: dict[int, Measurement] = {}
    for each in measurements:
        if each.problem is None and each.median is not None:
            other = best.get(each.batch)
            if other is None or other.median is None or each.median < other.median:
                best[each.batch] = each
    return [replace(each, fastest=best.get(each.batch) is each) for each in measurements]


def _rounded(number: float | None, factor: float = 1) -> float | None:
    return None if number is None else float(f"{factor * number:.4g}")
