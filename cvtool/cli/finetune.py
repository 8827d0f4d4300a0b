"""`cvtool finetune`: train a model on the user's own pictures."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import typer

from cvtool.cli import console
from cvtool.cli.finetune_task import (
    DATA,
    PACKAGES,
    choose_task,
    options_given,
    refuse_more_than_resume,
    refuse_other_task,
    task_of_run,
)
from cvtool.cli.options import JsonOption, OverwriteOption, complete_model


def finetune(
    ctx: typer.Context,
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET",
            show_default=False,
            help="For a classifier: a folder with a folder for each class, or a CSV file of "
            "labels. For a detector: boxes in YOLO's, COCO's or Pascal VOC's layout, or a CSV "
            "file of boxes. For a segmenter: a folder with images and masks. For faces, with "
            "--task faces: a folder with a folder for each person.",
        ),
    ] = None,
    task: Annotated[
        Literal["auto", "classify", "detect", "segment", "faces"],
        typer.Option(
            help="What to train; auto is what DATASET shows. Folders of people look like folders "
            "of classes: faces makes them train a face model.",
        ),
    ] = "auto",
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
            help="Folder of the pictures. Default: looked for near the labels. Not for faces.",
            rich_help_panel="Data",
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Segmenter: folder of the masks. Default: masks, or the like, in DATASET.",
            rich_help_panel="Data",
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Segmenter: list of the classes, a line each: name, or name R G B. Default: "
            "classes.txt, labels.txt or labelmap.txt in DATASET.",
            rich_help_panel="Data",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="A/B/C",
            show_default="by size",
            help="Shares of train, dev and test, such as 70/15/15; of faces, of the people.",
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
            help="Classifier: pictures from where the model will be used, for dev and test.",
            rich_help_panel="Data",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Detector, segmenter: train on the rest, however many pictures have faults.",
            rich_help_panel="Data",
        ),
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default="tiny200, everyday, everyday-unet or facenet-lfw",
            help="Start from this model: a preset, a run, or, for a classifier, a network of "
            "keras.applications such as efficientnetv2b0.",
            autocompletion=complete_model,
            rich_help_panel="Network",
        ),
    ] = None,
    from_scratch: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Start from random weights: yolo for a detector; unet for a segmenter; lenet5, "
            "alexnet, vgg16, resnet20, resnet50, inceptionv3, mobilenetv1, mobilenetv2 or "
            "efficientnetb0 for a classifier. Not for faces.",
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
            help="Side of the square that the network sees; of a segmenter, the pictures' longer "
            "side. Not for faces.",
            rich_help_panel="Network",
        ),
    ] = None,
    unfreeze: Annotated[
        str | None,
        typer.Option(
            metavar="PART",
            show_default="by the number of pictures",
            help="Classifier: what is trained after the head: head (nothing), last (the last "
            "stage), all, or the name of the layer from which on.",
            rich_help_panel="Network",
        ),
    ] = None,
    freeze: Annotated[
        Literal["backbone", "none"] | None,
        typer.Option(
            show_default="the backbone at first",
            help="Detector, segmenter, faces: what stays as it came.",
            rich_help_panel="Network",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default="by size",
            help="Passes over the pictures; of a classifier, after the head's; of a segmenter, of "
            "20 steps or more, of faces, of 10.",
            rich_help_panel="Training",
        ),
    ] = None,
    head_epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default="by size",
            help="Classifier: passes of the head over cached features.",
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
    loss: Annotated[
        Literal["cross-entropy", "dice", "cross-entropy+dice", "focal", "tversky"] | None,
        typer.Option(
            show_default="cross-entropy+dice",
            help="Segmenter: what is made small.",
            rich_help_panel="Training",
        ),
    ] = None,
    boundary: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="X",
            show_default="0",
            help="Segmenter: more weight for thin gaps between regions; 10 in U-Net's paper.",
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
            show_default="by the task",
            help="The highest rate.",
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
        Literal["none", "light", "strong"] | None,
        typer.Option(
            show_default="light; for few masks strong",
            help="How much the training pictures are varied.",
            rich_help_panel="Regularisation",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            show_default="0.02 for a classifier, else 0.03",
            help="Decoupled weight decay.",
            rich_help_panel="Regularisation",
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            show_default="0.2",
            help="Classifier: dropout before the last layer.",
            rich_help_panel="Regularisation",
        ),
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            show_default="0.1",
            help="Classifier: how far targets move from 0 and 1.",
            rich_help_panel="Regularisation",
        ),
    ] = None,
    balance: Annotated[
        bool | None,
        typer.Option(
            "--balance/--no-balance",
            show_default="on but for a classifier",
            help="Show rare classes more often, and give their pixels more weight; of a "
            "classifier, all equally often. Not for faces.",
            rich_help_panel="Regularisation",
        ),
    ] = None,
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
            min=0,
            max=1,
            metavar="SHARE",
            help="Classifier: error of people on this task, for the diagnosis.",
        ),
    ] = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a classifier, detector, segmenter or face model on your own pictures, with a report.

    What is trained follows from the data set: boxes make a detector, masks a
    segmenter; folders of people make a face model with --task faces. Starts
    from a trained model; how much of it is trained follows from the number of
    pictures. Your pictures are not changed. Ctrl-C keeps the best model so
    far, and --resume goes on.
    The run's folder serves as --model everywhere.
    """
    if (dataset is None) == (resume is None):
        raise typer.BadParameter("give a data set, or --resume with a run")
    given = options_given(ctx)
    if resume is not None:
        refuse_more_than_resume(given)
        called = task_of_run(resume)
    else:
        called = choose_task(task, dataset, pictures, masks, classes, backbone)
        refuse_other_task(given, called, dataset)
        if from_scratch is not None and "backbone" in given:
            raise typer.BadParameter("choose one of --backbone and --from-scratch")
        if from_scratch is not None and unfreeze is not None:
            raise typer.BadParameter(
                "--unfreeze has no meaning with --from-scratch: all is trained"
            )

    from cvtool.tensorflow_import import import_tensorflow

    import_tensorflow()
    from cvtool.cli.finetune_report import show, summary_of

    runs = import_module(f"cvtool.{PACKAGES[called]}.runs")
    settings = import_module(f"cvtool.{PACKAGES[called]}.settings")
    folder = resume
    if folder is None:
        # What was not given keeps the task's own default.
        values = {f.name: ctx.params[f.name] for f in fields(settings.Settings) if f.name in given}
        more = {name: ctx.params[name] for name in DATA[called]}
        with console.progress("checking pictures") as advance:
            folder = runs.start_run(
                dataset,
                settings.Settings(**values),
                out=out,
                overwrite=overwrite,
                say=console.say,
                on_picture=advance,
                **more,
            )
    run = runs.go_on(folder, say=console.say, progress=console.progress)
    if as_json:
        console.print_json(summary_of(folder, run))
    else:
        show(folder, run)
    if not run["finished"]:
        console.say(f"go on with: cvtool finetune --resume {folder}")
        raise typer.Exit(130)
