"""One engine on one batch size: how long it takes, what memory, and whether it is right.

Runs in a process of its own, see `cvtool.benchmarking.child`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from cvtool.benchmarking.memory import peak_memory
from cvtool.exporting import running
from cvtool.exporting.agreement import compare

# What `preparing.prepare` writes. This module imports little, for all of it is measured as memory.
INPUTS_FILE = "inputs.npz"
EXPECTED_FILE = "expected.npy"
# The first calls plan memory and fill caches.
WARM_UP = 3
FEWEST_RUNS = 5
MOST_RUNS = 10_000

RUNNERS = {
    "litert": running.run_litert,
    "tensorflow": running.run_tensorflow,
    "onnxruntime": running.run_onnxruntime,
    "openvino": running.run_openvino,
    "opencv": running.run_opencv,
}


def measure(
    folder: str,
    engine: str,
    path: str,
    inputs: list[str],
    batch: int,
    threads: int,
    seconds: float,
) -> dict[str, Any]:
    """Measure one engine.

    Args:
        folder: with what `preparing.prepare` wrote.
        engine: a key of RUNNERS.
        path: the file to run.
        inputs: names of its inputs, in order.
        batch: pictures at a time.
        threads: of the CPU.
        seconds: to measure for, after the first calls; at least `FEWEST_RUNS` calls.
    Returns:
        "seconds" of each call; "start", seconds from nothing loaded to the first answer;
        "memory", bytes at the peak, None where the system does not say; "agreement" with the
        source, and "problem", None where they agree.
    """
    with np.load(Path(folder) / INPUTS_FILE) as stored:
        arrays = [np.ascontiguousarray(stored[name][:batch]) for name in stored.files]
    expected = np.load(Path(folder) / EXPECTED_FILE, mmap_mode="r")[:batch]
    start = time.perf_counter()
    run = RUNNERS[engine](Path(path), inputs, threads)
    answer = np.asarray(run(*arrays))
    started = time.perf_counter() - start
    result: dict[str, Any] = {"start": started}
    if answer.shape != expected.shape:
        return result | {"problem": f"gives {answer.shape} in place of {expected.shape}"}
    agreement = compare(expected, answer, pictures=batch)
    # LiteRT's file may hold float16 weights, and so may the model's own.
    result |= {"agreement": agreement.to_dict(), "problem": agreement.problem("float16")}
    return result | {"seconds": timed(run, arrays, seconds), "memory": peak_memory()}


def timed(run: running.Runner, arrays: list[np.ndarray], seconds: float) -> list[float]:
    """Seconds of each of many calls."""
    for _ in range(WARM_UP):
        run(*arrays)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < MOST_RUNS and (len(times) < FEWEST_RUNS or time.perf_counter() < end):
        start = time.perf_counter()
        run(*arrays)
        times.append(time.perf_counter() - start)
    return times
