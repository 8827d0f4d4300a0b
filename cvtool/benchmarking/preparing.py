"""What the engines are measured with: files of the model, inputs, and the source's answers.

Runs in a process of its own, see `cvtool.benchmarking.child`.
"""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cvtool.benchmarking.measuring import EXPECTED_FILE, INPUTS_FILE
from cvtool.errors import CvtoolError, SourceError
from cvtool.exporting.converting import convert
from cvtool.exporting.formats import FORMATS
from cvtool.exporting.source import Source, load_source, with_batch
from cvtool.exporting.views import network_inputs, network_views, sample_pictures
from cvtool.models.presets import preset_file
from cvtool.pictures.sources import read_pictures

# Tasks whose commands run the very network that load_network gives.
_AS_SHIPPED = frozenset(["detect", "classify", "segment", "verify"])


def prepare(
    folder: str,
    model: str,
    size: int | None,
    batches: list[int],
    formats: list[str],
    pictures: list[str],
) -> dict[str, Any]:
    """Write what the measurements need.

    Args:
        folder: where to.
        model: a preset's name or the folder of a trained model.
        size: side of the square input, pixels; None for the model's own.
        batches: numbers of pictures at a time.
        formats: keys of `formats.FORMATS` that will be run.
        pictures: sources; empty for those that are always there.
    Returns:
        "model", "task", "size", "inputs" (names); "files": by format and batch, a path, or
        {"problem": why there is none}; "problems": of pictures that cannot be read.
    Raises:
        CvtoolError: no such model, a size that it does not take, no picture.
    """
    source = load_source(model, size=size, batch=None)
    largest = max(batches)
    problems: list[CvtoolError] = []
    stream = sample_pictures()
    if pictures:
        stream = (p.pixels for p in read_pictures(pictures, on_error=problems.append))
    views = network_views(source.preset, islice(stream, largest), source.size)
    if not len(views):
        raise (
            problems[0]
            if problems
            else SourceError("no picture can be read, so nothing can be measured; name others")
        )
    inputs = network_inputs(source.preset, views)
    expected = source(*inputs)
    # Where there are fewer pictures than the largest batch takes, they come again.
    again = np.arange(largest) % len(views)
    np.savez(Path(folder) / INPUTS_FILE, *(part[again].astype(np.float32) for part in inputs))
    np.save(Path(folder) / EXPECTED_FILE, expected[again])
    files = {name: files_of(name, source, Path(folder), batches) for name in formats}
    return {
        "model": source.preset.name,
        "task": source.preset.task,
        "size": source.size,
        "inputs": list(source.inputs),
        "files": files,
        "problems": [str(problem) for problem in problems],
    }


def files_of(
    format: str, source: Source, folder: Path, batches: list[int]
) -> dict[str, str | dict[str, str]]:
    """The file of a format for each batch size, as text: a path, or why there is none."""
    if format == "litert" and source.preset.task in _AS_SHIPPED and "litert" in source.preset.files:
        # What cvtool itself runs.
        path = folder / "shipped.tflite"
        shutil.copyfile(preset_file(source.preset, "litert"), path)
        return {str(batch): str(path) for batch in batches}
    files: dict[str, str | dict[str, str]] = {}
    for batch in batches if format == "onnx" else [None]:
        path = folder / f"{format}-{batch or 'any'}{FORMATS[format].ending}"
        made: str | dict[str, str] = str(path)
        try:
            # OpenCV takes but fixed sizes, and the others are the quicker for them.
            convert(with_batch(source, batch), path, format)
        except Exception as error:  # one format that fails leaves the others to be measured
            made = {"problem": " ".join(str(error).split())}
        files |= {str(b): made for b in ([batch] if batch is not None else batches)}
    return files
