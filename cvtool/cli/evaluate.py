"""`cvtool evaluate`: score a model on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cvtool.cli.evaluate_tasks import EVALUATORS, MAX_IOU, Options, Split
from cvtool.cli.options import (
    LARGEST_SIZE,
    DeviceOption,
    JsonOption,
    OverwriteOption,
    TtaOption,
    complete_model,
)
from cvtool.cli.own_model import ClassNamesOption, resolve
from cvtool.errors import ModelError

DEFAULT_OUT = Path("evaluation")


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A preset, the folder of a trained model, or a .keras file.",
            autocompletion=complete_model,
        ),
    ],
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET",
            help="For a detector: YOLO, COCO, Pascal VOC, or a CSV of boxes. For a classifier: "
            "a folder with a folder for each class, a CSV, or Tiny-ImageNet's folder. For "
            "segmentation: a folder with images and masks, or of masks. For faces: a list of "
            "pairs, LFW's or a CSV.",
        ),
    ],
    classes: ClassNamesOption = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the pictures. Default: looked for near the labels or masks.",
        ),
    ] = None,
    split: Annotated[
        Split | None,
        typer.Option(
            show_default="test, or else dev, or else all",
            help="Detector, segmentation: score on this split.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Use N pictures only.")
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            show_default=str(MAX_IOU),
            help="Detector: of two boxes of a class that overlap more than this, keep one.",
        ),
    ] = None,
    score: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            show_default="0.001",
            help="Detector: boxes that score less do not count.",
        ),
    ] = None,
    tta: TtaOption = False,
    size: Annotated[
        int | None,
        typer.Option(
            min=16,
            max=LARGEST_SIZE,
            metavar="PIXELS",
            show_default="the model's own",
            help="Side of the square that the network sees; for segmentation, the pictures' longer "
            "side. Not for face models.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            show_default="evaluation, or the next free evaluation-2, ...",
            help="Folder for the plots and the worst pictures.",
        ),
    ] = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Score a model on a labelled data set.

    Prints the scores, and writes them below --out with plots and the twenty worst
    pictures.
    """
    from cvtool.models.presets import find_model
    from cvtool.pictures.writing import free_name

    if out is None:
        out = DEFAULT_OUT if overwrite else free_name(DEFAULT_OUT)
    (model,) = resolve([model], classes)
    task = find_model(model).task
    if task not in EVALUATORS:
        raise ModelError(f'model "{model}" is for {task}, which evaluate does not know')
    EVALUATORS[task](
        model,
        dataset,
        Options(pictures, split, limit, iou, score, tta, size, device, out, as_json, overwrite),
    )
