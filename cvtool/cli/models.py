"""`cvtool models`: which models there are, what they are made of, and which are kept here."""

from __future__ import annotations

import typer

from cvtool.cli.models_describe import describe
from cvtool.cli.models_files import path, pull, remove, verify
from cvtool.cli.models_import import import_model
from cvtool.cli.models_list import info, list_models

models_app = typer.Typer(name="models")


@models_app.callback()
def models() -> None:
    """List, download, import, check, remove and describe models."""


models_app.command("list")(list_models)
models_app.command()(info)
models_app.command()(pull)
models_app.command("import")(import_model)
models_app.command()(verify)
models_app.command()(path)
models_app.command()(remove)
models_app.command()(describe)
