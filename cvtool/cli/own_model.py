"""`--model FILE`: a network of the user's own in place of a model's name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cvtool.errors import ModelError

ClassNamesOption = Annotated[
    Path | None,
    typer.Option(
        "--classes",
        metavar="FILE",
        show_default=False,
        help="With a .keras file or SavedModel of your own as the model: the file with the names "
        "of its classes, one a line in the order of its outputs.",
    ),
]


def resolve(models: list[str], classes: Path | None) -> list[str]:
    """What to load for `--model`: converted folders in place of networks of the user's own.

    Args:
        models: as given.
        classes: the file that --classes names, or None.
    Raises:
        typer.BadParameter: --classes is missing or superfluous.
        ModelError: a network cannot be used.
    """
    own = [model for model in models if may_be_own(model)]
    if own and classes is None:
        raise typer.BadParameter(
            f"{own[0]} does not say its classes; give the file with their names, one a line",
            param_hint="--classes",
        )
    if classes is not None and not own:
        if models[0].endswith(".keras"):
            raise ModelError(f"{models[0]}: no such file; check the path")
        raise typer.BadParameter(
            f'the model "{models[0]}" knows its classes; leave this out', param_hint="--classes"
        )
    if not own:
        return models
    from cvtool.models.class_names import read_names
    from cvtool.models.pulling import kept_own_model

    names = read_names(classes)
    return [str(kept_own_model(model, names)) if model in own else model for model in models]


def may_be_own(model: str) -> bool:
    """Whether `--model` names a .keras file or a SavedModel; cheap, so that names stay quick."""
    path = Path(model)
    return (path.suffix == ".keras" and path.is_file()) or (path / "saved_model.pb").is_file()
