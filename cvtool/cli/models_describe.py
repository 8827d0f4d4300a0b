"""`cvtool models describe`: what a network is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cvtool.cli import console
from cvtool.cli.options import LARGEST_SIZE, JsonOption, complete_model
from cvtool.errors import ModelError

MOST_CLASSES = 100_000


def complete_network(incomplete: str) -> list[str]:
    """Names of models and of networks to train from scratch, for the shell's completion."""
    from cvtool.classification.scratch import SCRATCH

    return complete_model(incomplete) + [name for name in SCRATCH if name.startswith(incomplete)]


def describe(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A model of cvtool models list, the folder of a trained model, or a network to "
            "train from scratch, such as lenet5 or resnet50.",
            autocompletion=complete_network,
        ),
    ],
    size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LARGEST_SIZE,
            metavar="PIXELS",
            help="Side of the square input. Default: the model's own, or the paper's.",
        ),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_CLASSES,
            metavar="N",
            help="Number of classes, for a network to train from scratch. Default: the paper's.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a network's layers, its parameters and the work that a picture takes.

    The work is counted in multiply-adds of the convolutions and dense layers, for one
    picture.
    """
    from cvtool.classification.scratch import SCRATCH

    if name in SCRATCH:
        size = SCRATCH[name].size if size is None else size
        network, classes = scratch_network(name, size, classes)
    else:
        if classes is not None:
            raise typer.BadParameter(
                "only a network to train from scratch can be given another number of classes",
                param_hint="--classes",
            )
        network, size, classes = trained_network(name, size)
    from cvtool.models.describe import describe_network, total

    rows = describe_network(network, size)
    totals = total(rows)
    summary = {
        "name": name,
        "size": size,
        "classes": classes,
        "parameters": totals.parameters,
        "multiply_adds": totals.multiply_adds,
        "float32_bytes": totals.float32_bytes,
        "layers": [row.to_dict() for row in rows],
    }
    if as_json:
        console.print_json(summary)
    else:
        show(summary)


def scratch_network(name: str, size: int, classes: int | None) -> tuple[Any, int]:
    """A network to train from scratch, and its number of classes."""
    from cvtool.classification.scratch import SCRATCH, build_scratch
    from cvtool.tensorflow_import import import_tensorflow

    import_tensorflow()
    classes = SCRATCH[name].classes if classes is None else classes
    return build_scratch(name, classes, size), classes


def trained_network(name: str, size: int | None) -> tuple[Any, int, int]:
    """The network of a preset or of a model's folder, its size and number of classes.

    Raises:
        ModelError: there is no such model, it is for a task without a network to show, or
            it does not take that size.
    """
    from cvtool.classification.scratch import SCRATCH
    from cvtool.models.near_names import unknown_name
    from cvtool.models.presets import find_model, known_names, load_presets
    from cvtool.networks import build_network

    names = known_names(load_presets())
    if name not in names and not Path(name).exists():
        hint = " (nor is there such a folder)"
        raise ModelError(unknown_name("network", name, (*names, *SCRATCH)) + hint)
    preset = find_model(name)
    size = preset.size if size is None else size
    if preset.strides and size % max(preset.strides):
        step = max(preset.strides)
        nearest = max(step, round(size / step) * step)
        raise ModelError(
            f'model "{name}" takes sizes that are multiples of {step}, not {size}; try {nearest}'
        )
    return build_network(preset), size, len(preset.classes)


def show(summary: dict[str, Any]) -> None:
    """Print a network for people."""
    rows = [
        (
            row["name"],
            row["type"],
            " x ".join(str(side) for side in row["output_shape"]),
            f"{row['parameters']:,}",
            f"{row['multiply_adds']:,}",
        )
        for row in summary["layers"]
    ]
    columns = ("layer", "type", "output", "parameters", "multiply-adds")
    console.print_table(console.table(columns, rows, right=columns[2:]))
    print(f"{summary['name']} for {summary['classes']} classes at {summary['size']} pixels")
    print(
        f"{summary['parameters']:,} parameters, {summary['float32_bytes'] / 1e6:.1f} MB as float32"
    )
    print(f"{summary['multiply_adds']:,} multiply-adds a picture")
