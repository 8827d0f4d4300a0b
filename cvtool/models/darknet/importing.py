"""Make a model folder of a Darknet configuration and its weights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from cvtool.engines import LiteRTEngine
from cvtool.errors import ModelError, OutputError
from cvtool.models.darknet.configuration import parse_configuration
from cvtool.models.darknet.plan import Plan, plan_network
from cvtool.models.presets import MODEL_FILE
from cvtool.tensorflow_import import import_tensorflow

# A configuration has a few thousand lines at most; weights given in its place are far larger.
LARGEST_CONFIGURATION = 4_000_000


def read_plan(configuration: str | Path) -> tuple[Plan, str]:
    """The plan of a configuration file, and the file's text.

    Raises:
        ModelError: it cannot be read, or `plan_network` refuses it.
    """
    path = Path(configuration)
    try:
        if path.stat().st_size > LARGEST_CONFIGURATION:
            raise ModelError(
                f"{path}: too large for a Darknet configuration; give the .cfg file first"
            )
        # Only comments may hold letters outside ASCII, in any encoding.
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    return plan_network(parse_configuration(text, str(path))), text


def import_darknet(
    configuration: str | Path,
    weights: str | Path,
    folder: str | Path,
    *,
    name: str,
    classes: Sequence[str],
    description: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a Darknet detector as a folder that every command accepts as a model.

    The folder is built beside its place and renamed, so that it is never there by halves. The
    weights stay float32, as Darknet has them, and the exported file is run against the network
    before anything is kept.

    Args:
        configuration: the .cfg file.
        weights: the .weights file.
        folder: the folder to make; a model's folder that is there is replaced.
        name: of the model.
        classes: labels in the order of the class numbers.
        description: further keys of model.json: licence, data, scores, source, ...
    Returns:
        the model.json as written.
    Raises:
        ModelError: a file that cannot be read or used, or another number of classes.
        OutputError: the folder holds something else, or cannot be written.
    """
    plan, text = read_plan(configuration)
    if len(classes) != plan.classes:
        raise ModelError(
            f"{configuration}: the network has {plan.classes} classes, but there are "
            f"{len(classes)} names"
        )
    import_tensorflow()
    from cvtool.models.darknet.network import build_network
    from cvtool.models.darknet.weights import read_weights, set_weights
    from cvtool.models.saving import save_model

    arrays = read_weights(weights, plan)
    folder = Path(folder)
    if folder.is_file() or (folder.is_dir() and not _may_be_replaced(folder)):
        raise OutputError(f"{folder}: is there already and is no model's folder; choose another")
    network = build_network(plan)
    set_weights(network, arrays)
    entry = {
        "name": name,
        "task": "detect",
        "description": f"Darknet network, imported from {Path(configuration).name}",
        "architecture": {"darknet": text},
        "size": plan.size,
        "classes": list(classes),
        "anchors": [head.anchors for head in plan.heads],
        "strides": [head.stride for head in plan.heads],
        "decoding": [dict(head.decoding) for head in plan.heads],
        "fit": plan.fit,
    } | dict(description or {})
    beside = folder.with_name(f".{folder.name}-{uuid4().hex[:8]}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        saved = save_model(network, beside, entry, float16=False)
        _check_export(network, beside / saved["files"]["litert"]["file"], plan, configuration)
        _put(beside, folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return saved


def _check_export(network, litert: Path, plan: Plan, configuration) -> None:
    """Refuse an exported file that does not give what the network gives."""
    shape = (1, plan.size, plan.size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    wanted = np.asarray(network(pixels, training=False))
    given = LiteRTEngine(litert)(pixels)
    # A share of the largest output: sums of many numbers differ in their order.
    largest = np.abs(wanted).max()
    if wanted.shape != given.shape or not np.abs(wanted - given).max() <= 1e-3 * max(1.0, largest):
        raise ModelError(
            f"{configuration}: the network exported to LiteRT does not give what it gives in "
            "TensorFlow; the weights are damaged or cvtool has a fault"
        )


def _may_be_replaced(folder: Path) -> bool:
    return (folder / MODEL_FILE).is_file() or not any(folder.iterdir())


def _put(beside: Path, folder: Path) -> None:
    """Rename a finished folder into place, an old one out of the way first."""
    old = beside.with_name(f"{beside.name}-old")
    if folder.exists():
        os.replace(folder, old)
    try:
        os.replace(beside, folder)
    except OSError:
        if old.exists():
            os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
