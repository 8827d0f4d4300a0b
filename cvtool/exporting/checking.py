"""Run an exported file and its source on the same pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cvtool.engines import first_line, usable_cores
from cvtool.errors import CvtoolError, ModelError
from cvtool.exporting.agreement import Agreement, compare
from cvtool.exporting.formats import FORMATS
from cvtool.exporting.running import RUNNERS
from cvtool.exporting.source import Source, batches_of


def check_exported(
    source: Source, path: Path, format: str, precision: str, inputs: tuple[np.ndarray, ...]
) -> Agreement:
    """Compare what an exported file answers with what its source does.

    A file that takes any number of pictures is given two at once as well, and one that takes
    any size also an oblong.

    Args:
        source: the network that was exported.
        path: the file.
        format, precision: of the file.
        inputs: one uint8 (N, size, size, 3) an input.
    Raises:
        ModelError: the file does not run, or answers otherwise.
    """
    title = FORMATS[format].title
    expected, actual = [], []
    try:
        run = RUNNERS[format](path, source.inputs, min(4, usable_cores()))
        for trial in trials(source, inputs):
            answer = np.asarray(run(*(part.astype(np.float32) for part in trial)))
            expected.append(source(*trial))
            if answer.shape != expected[-1].shape:
                raise ValueError(f"gives {answer.shape} in place of {expected[-1].shape}")
            actual.append(answer)
    except CvtoolError:
        raise
    # The runtimes raise whatever they like.
    except Exception as error:
        raise ModelError(
            f'model "{source.preset.name}": the {title} file does not run ({first_line(error)}); '
            "nothing is written; try another --format or --size"
        ) from error
    flat = [np.concatenate([part.ravel() for part in parts]) for parts in (expected, actual)]
    agreement = compare(*flat, pictures=len(inputs[0]))
    problem = agreement.problem(precision)
    if problem:
        remedy = (
            "calibrate it on other --pictures, or use --precision float16"
            if precision == "int8"
            else "try another --format or --precision"
        )
        raise ModelError(
            f'model "{source.preset.name}": the {title} file does not answer as the model does: '
            f"{problem}; nothing is written; {remedy}"
        )
    return agreement


def trials(source: Source, inputs: tuple[np.ndarray, ...]) -> Iterator[tuple[np.ndarray, ...]]:
    """What an exported file is given to answer: every picture, and what else it can take.

    Yields:
        for each input, uint8 (N, H, W, 3).
    """
    total, count = len(inputs[0]), source.batch or 1
    for rows in batches_of(total, count):
        yield tuple(part[rows] for part in inputs)
    two = np.arange(2) % total
    if source.batch is None:
        yield tuple(part[two] for part in inputs)
    if source.free:
        # The least height that the shallowest and the deepest networks take.
        height = max(2 * source.step, source.size // 2 // source.step * source.step)
        rows = two if source.batch is None else np.arange(count) % total
        yield tuple(part[rows, : min(height, source.size)] for part in inputs)
