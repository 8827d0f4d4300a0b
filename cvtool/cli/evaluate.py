"""`cvtool evaluate`: score a model on a data set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cvtool.cli import console
from cvtool.cli.options import (
    Device,
    DeviceOption,
    JsonOption,
    OverwriteOption,
    SizeOption,
    complete_model,
)
from cvtool.errors import ModelError, OutputError

DEFAULT_OUT = Path("evaluation")


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A preset, or the folder of a trained model.",
            autocompletion=complete_model,
        ),
    ],
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET",
            help="For a detector: a COCO JSON file, or a folder with one.",
        ),
    ],
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the pictures. Default: looked for near the JSON file."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Use the first N pictures only.")
    ] = None,
    iou: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Of two boxes of a class that overlap more than this, keep one."
        ),
    ] = 0.45,
    size: SizeOption = None,
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            show_default="evaluation, or the next free evaluation-2, ...",
            help="Folder for the curves and the worst pictures.",
        ),
    ] = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Score a model on a labelled data set.

    Prints the scores, and writes them below --out with the precision-recall curves
    and the twenty worst pictures: the truth on the left, what the model found on
    the right.
    """
    from cvtool.models.presets import find_model
    from cvtool.pictures.writing import free_name

    if out is None:
        out = DEFAULT_OUT if overwrite else free_name(DEFAULT_OUT)
    task = find_model(model).task
    if task not in EVALUATORS:
        raise ModelError(f'model "{model}" is for {task}, which evaluate does not know')
    EVALUATORS[task](
        model,
        dataset,
        pictures=pictures,
        limit=limit,
        iou=iou,
        size=size,
        device=device,
        out=out,
        as_json=as_json,
        overwrite=overwrite,
    )


def evaluate_detection(
    model: str,
    dataset: Path,
    *,
    pictures: Path | None,
    limit: int | None,
    iou: float,
    size: int | None,
    device: Device,
    out: Path,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Score a detector, print and save the result."""
    from cvtool.cli.output_folders import check_output_folder
    from cvtool.detection import evaluation
    from cvtool.detection.detector import Detector

    # Minutes of work must not end with this.
    if not overwrite and (out / evaluation.SUMMARY_FILE).exists():
        raise OutputError(f"{out}: holds an evaluation; use --overwrite or another --out")
    check_output_folder(out, "name another with --out")
    truths = evaluation.read_detection_dataset(dataset, pictures, limit)
    detector = Detector.load(model, device=device, size=size)
    say_where_classes_differ(truths.classes, detector.classes)
    with console.progress("evaluating", len(truths.examples)) as advance:
        result = evaluation.evaluate_detector(detector, truths, max_iou=iou, on_picture=advance)
    written = evaluation.save_evaluation(result, out, overwrite=overwrite)
    if as_json:
        console.print_json(result.summary)
    else:
        show_detection(result.summary)
    for path in written:
        print(f"written: {path}", file=sys.stderr if as_json else sys.stdout)


def say_where_classes_differ(labelled: Sequence[str], known: Sequence[str]) -> None:
    """Say what the score leaves out, for classes are matched by name.

    Args:
        labelled: the data set's classes.
        known: the model's. That none is labelled is an error, left to the evaluation.
    """
    from cvtool.models.near_names import near_names

    unknown = [name for name in labelled if name not in known]
    if len(unknown) == len(labelled):
        return
    if unknown:
        named = []
        for name in unknown:
            near = [other for other in near_names(name, known, 1) if other not in labelled]
            named.append(f"{name} (but {near[0]})" if near else name)
        console.say(f"the model does not know {', '.join(named)}; these objects count as missed")
    unlabelled = [name for name in known if name not in labelled]
    if unlabelled:
        console.say(
            f"the data set does not label {', '.join(unlabelled)}; "
            "what the model finds of these does not count"
        )


def show_detection(summary: dict[str, Any]) -> None:
    """Print a detector's scores for people."""
    rows = [
        (name, str(row["truths"]), _share(row["ap50"]), _share(row["ap50_95"]))
        for name, row in summary["per_class"].items()
    ]
    rows.append(
        ("all classes", _total(summary), _share(summary["mAP50"]), _share(summary["mAP50_95"]))
    )
    columns = ("class", "objects", "AP50", "AP50-95")
    console.print_table(console.table(columns, rows, right=columns[1:]))
    pictures, seconds = summary["pictures"], summary["seconds"]
    print(f"model {summary['model']} at {summary['size']} pixels on {summary['engine']}")
    print(f"{pictures} pictures, {1000 * seconds / max(pictures, 1):.0f} ms each")
    print(
        f"precision {_share(summary['precision'])}, recall {_share(summary['recall'])} "
        f"at --score {summary['best_score']:.2f}, the best balance of the two"
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _total(summary: dict[str, Any]) -> str:
    return str(sum(row["truths"] for row in summary["per_class"].values()))


# One entry a task; the model's own task decides.
EVALUATORS = {"detect": evaluate_detection}
