"""`cvtool finetune`: train a model on the user's own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cvtool.cli import console
from cvtool.cli.options import JsonOption, OverwriteOption, complete_model

# What --resume may be combined with; everything else is in the run already.
WITH_RESUME = ("resume", "as_json")


def finetune(
    ctx: typer.Context,
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET",
            show_default=False,
            help="A folder with a folder for each class, with or without train, val and test "
            "folders above them; or a CSV file: file,label, or file and a column of 0, 1 or "
            "nothing for each label.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", show_default="runs/NAME", help="Folder for the run."
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with this run, as it was started."),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the CSV's files. Default: the CSV's own.",
            rich_help_panel="Data",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="A/B/C",
            show_default="by size",
            help="Shares of train, dev and test, such as 70/15/15.",
            rich_help_panel="Data",
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Test on this data set instead.", rich_help_panel="Data"),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Pictures from where the model will be used: they become dev and test.",
            rich_help_panel="Data",
        ),
    ] = None,
    backbone: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Start from this model: a preset, a run, or a network of keras.applications "
            "such as efficientnetv2b0.",
            autocompletion=complete_model,
            rich_help_panel="Network",
        ),
    ] = "tiny200",
    from_scratch: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Start from random weights: lenet5, alexnet, vgg16, resnet20, resnet50, "
            "inceptionv3, mobilenetv1, mobilenetv2, efficientnetb0.",
            rich_help_panel="Network",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=16,
            max=1024,
            metavar="PIXELS",
            show_default="by the pictures",
            help="Side of the square that the network sees.",
            rich_help_panel="Network",
        ),
    ] = None,
    unfreeze: Annotated[
        str | None,
        typer.Option(
            metavar="PART",
            show_default="by the number of pictures",
            help="What is trained after the head: head (nothing), last (the last stage), all, "
            "or the name of the layer from which on.",
            rich_help_panel="Network",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default="by size",
            help="Passes after the head's.",
            rich_help_panel="Training",
        ),
    ] = None,
    head_epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default="by size",
            help="Passes of the head over cached features.",
            rich_help_panel="Training",
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default="by size",
            help="Pictures a step.",
            rich_help_panel="Training",
        ),
    ] = None,
    optimizer: Annotated[
        Literal["adamw", "adam", "sgd", "rmsprop"],
        typer.Option(help="sgd has Nesterov momentum 0.9.", rich_help_panel="Training"),
    ] = "adamw",
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="RATE",
            show_default="1e-3, from scratch 2e-3",
            help="The highest rate, after the head's training.",
            rich_help_panel="Training",
        ),
    ] = None,
    schedule: Annotated[
        Literal["cosine", "step", "inverse", "constant"],
        typer.Option(
            help="How the learning rate falls; inverse is 1/t.", rich_help_panel="Training"
        ),
    ] = "cosine",
    warmup: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Share of the steps in which the rate rises.",
            rich_help_panel="Training",
        ),
    ] = 0.1,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(
            help="auto is bfloat16 on a GPU, float32 elsewhere.", rich_help_panel="Training"
        ),
    ] = "auto",
    gpus: Annotated[
        Literal["one", "all"],
        typer.Option(help="all shares each batch among the GPUs.", rich_help_panel="Training"),
    ] = "one",
    augment: Annotated[
        Literal["none", "light", "strong"],
        typer.Option(
            help="How much the training pictures are varied.", rich_help_panel="Regularisation"
        ),
    ] = "light",
    weight_decay: Annotated[
        float,
        typer.Option(metavar="X", help="Decoupled weight decay.", rich_help_panel="Regularisation"),
    ] = 0.02,
    dropout: Annotated[
        float,
        typer.Option(
            metavar="SHARE", help="Dropout before the last layer.", rich_help_panel="Regularisation"
        ),
    ] = 0.2,
    label_smoothing: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="How far targets move from 0 and 1.",
            rich_help_panel="Regularisation",
        ),
    ] = 0.1,
    balance: Annotated[
        bool,
        typer.Option(
            "--balance", help="Draw all classes equally often.", rich_help_panel="Regularisation"
        ),
    ] = False,
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Stop after N epochs without a better dev score; 0: never.",
            rich_help_panel="Regularisation",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of everything random.")] = 0,
    human_error: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="Error of people on this task, for the diagnosis."
        ),
    ] = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a classifier on your own pictures, and write a report.

    Starts from a trained backbone; how much of it is trained follows from the number of
    pictures. Your pictures are not changed. Ctrl-C keeps the best model so far, and
    --resume goes on. The run's folder serves as --model everywhere.
    """
    if (dataset is None) == (resume is None):
        raise typer.BadParameter("give a data set, or --resume with a run")
    if resume is not None:
        refuse_more_than_resume(ctx)
    if from_scratch is not None and unfreeze is not None:
        raise typer.BadParameter("--unfreeze has no meaning with --from-scratch: all is trained")

    from cvtool.tensorflow_import import import_tensorflow

    import_tensorflow()
    from cvtool.classification.runs import go_on, start_run
    from cvtool.classification.settings import Settings

    folder = resume
    if folder is None:
        settings = Settings(
            backbone=backbone,
            from_scratch=from_scratch,
            size=size,
            unfreeze=unfreeze,
            epochs=epochs,
            head_epochs=head_epochs,
            batch=batch,
            optimizer=optimizer,
            schedule=schedule,
            learning_rate=learning_rate,
            warmup=warmup,
            weight_decay=weight_decay,
            dropout=dropout,
            label_smoothing=label_smoothing,
            patience=patience,
            balance=balance,
            augment=augment,
            precision=precision,
            gpus=gpus,
            seed=seed,
            human_error=human_error,
        )
        with console.progress("checking pictures") as advance:
            folder = start_run(
                dataset,
                settings,
                out=out,
                overwrite=overwrite,
                pictures=pictures,
                split=split,
                test=test,
                target=target,
                say=console.say,
                on_picture=advance,
            )
    run = go_on(folder, say=console.say, progress=console.progress)
    if as_json:
        console.print_json(summary_of(folder, run))
    else:
        show(folder, run)
    if not run["finished"]:
        console.say(f"go on with: cvtool finetune --resume {folder}")
        raise typer.Exit(130)


def refuse_more_than_resume(ctx: typer.Context) -> None:
    """Options beside --resume would be ignored, so they are refused."""
    for name in ctx.params:
        source = ctx.get_parameter_source(name)
        if name not in WITH_RESUME and source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(f"{option} cannot change a run that is resumed; leave it out")


def summary_of(folder: Path, run: dict[str, Any]) -> dict[str, Any]:
    """What --json prints."""
    keys = ("name", "model", "chosen", "how", "scores", "scored_split", "diagnosis")
    keys += ("minutes", "stopped", "finished")
    counts = {name: len(part["files"]) for name, part in run["splits"].items()}
    return {"run": str(folder), "pictures": counts} | {key: run[key] for key in keys}


def show(folder: Path, run: dict[str, Any]) -> None:
    """Print the scores for people."""
    rows = []
    for name, figures in run["scores"].items():
        if run["several"]:
            cells = [_share(figures[key]) for key in ("mean_average_precision", "accuracy", "f1")]
        else:
            low, high = figures["interval"]
            cells = [_share(figures["top1"]), f"{low:.3f} to {high:.3f}", _share(figures["top5"])]
        rows.append((name, str(figures["pictures"]), *cells))
    columns = ("accuracy", "95 % interval", "top-5")
    if run["several"]:
        columns = ("mean average precision", "labels right", "F1")
    columns = ("split", "pictures", *columns)
    console.print_table(console.table(columns, rows, right=columns[1:]))
    print(run["diagnosis"]["summary"])
    print(f"trained in {run['minutes']:.1f} minutes")
    print(f"report: {folder / 'report.html'}")
    print(f"use it: cvtool classify photo.jpg --model {folder}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
