"""`cvtool evaluate`: score a model on a data set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cvtool.cli import console
from cvtool.cli.faults import complain_of_faults
from cvtool.cli.options import (
    Device,
    DeviceOption,
    JsonOption,
    OverwriteOption,
    TtaOption,
    ViewSizeOption,
    check_size,
    complete_model,
)
from cvtool.errors import CvtoolError, ModelError, OutputError

DEFAULT_OUT = Path("evaluation")
Split = Literal["train", "dev", "test"]
# What finetune marks its folders with; its module costs an import.
RUN_FILE = "run.json"


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
            help="For a detector: YOLO, COCO, Pascal VOC, or a CSV of boxes. For a classifier: "
            "a folder with a folder for each class, a CSV, or Tiny-ImageNet's folder.",
        ),
    ],
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the pictures. Default: looked for near the labels."
        ),
    ] = None,
    split: Annotated[
        Split | None,
        typer.Option(
            show_default="test, or else dev, or else all",
            help="Detector: score on this split.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Use N pictures only.")
    ] = None,
    iou: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Detector: of two boxes of a class that overlap more than this, keep one.",
        ),
    ] = 0.45,
    tta: TtaOption = False,
    size: ViewSizeOption = None,
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

    Prints the scores, and writes them below --out with curves and the twenty worst
    pictures.
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
        Options(pictures, split, limit, iou, tta, size, device, out, as_json, overwrite),
    )


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was told, for the evaluator of the model's task."""

    pictures: Path | None
    split: Split | None
    limit: int | None
    iou: float
    tta: bool
    size: int | None
    device: Device
    out: Path
    as_json: bool
    overwrite: bool


def evaluate_detection(model: str, dataset: Path, options: Options) -> None:
    """Score a detector, print and save the result."""
    from cvtool.datasets.faults import Fault
    from cvtool.detection import evaluation
    from cvtool.detection.detector import Detector

    if options.tta:
        raise typer.BadParameter("--tta is for classifiers")
    check_size(options.size)
    check_out(options, evaluation.SUMMARY_FILE)
    faults: list[Fault] = []
    truths = evaluation.read_detection_dataset(
        dataset, options.pictures, options.limit, options.split, on_fault=faults.append
    )
    # Now: they may be why there is nothing left to score.
    complain_of_faults(faults, dataset)
    detector = Detector.load(model, device=options.device, size=options.size)
    say_where_classes_differ(truths.classes, detector.classes)
    problems: list[CvtoolError] = []
    with console.progress("evaluating", len(truths.examples)) as advance:
        result = evaluation.evaluate_detector(
            detector,
            truths,
            max_iou=options.iou,
            on_picture=advance,
            on_error=problems.append,
        )
    written = evaluation.save_evaluation(result, options.out, overwrite=options.overwrite)
    conclude(result.summary, show_detection, written, options)
    complain_of_pictures(problems)
    if faults or problems:
        raise typer.Exit(1)


def evaluate_classification(model: str, dataset: Path, options: Options) -> None:
    """Score a classifier, print and save the result."""
    from cvtool.classification import evaluation
    from cvtool.classification.classifier import Classifier

    if options.split is not None:
        raise typer.BadParameter("--split is for detectors; name the folder of the split instead")
    check_out(options, evaluation.SUMMARY_FILE)
    data = evaluation.read_classification_dataset(dataset, options.pictures, options.limit)
    classifier = Classifier.load(model, device=options.device, size=options.size)
    unknown = [name for name in data.classes if name not in classifier.classes]
    if unknown and len(unknown) < len(data.classes):
        console.say(f"the model does not know {', '.join(unknown)}; these count as wrong")
    problems: list[CvtoolError] = []
    with console.progress("evaluating", len(data)) as advance:
        result = evaluation.evaluate_classifier(
            classifier, data, tta=options.tta, on_picture=advance, on_error=problems.append
        )
    written = evaluation.save_evaluation(result, options.out, overwrite=options.overwrite)
    conclude(result.summary, show_classification, written, options)
    complain_of_pictures(problems)
    if problems:
        raise typer.Exit(1)


def complain_of_pictures(problems: Sequence[CvtoolError]) -> None:
    """Name each picture that could not be read, on stderr."""
    for problem in problems:
        console.complain(problem)


def check_out(options: Options, summary_file: str) -> None:
    """Refuse a folder that the result could not go to: minutes of work must not end with this."""
    from cvtool.pictures.writing import check_output_folder

    if (options.out / RUN_FILE).exists():
        raise OutputError(f"{options.out}: holds a run of finetune; name another --out")
    if not options.overwrite and (options.out / summary_file).exists():
        raise OutputError(f"{options.out}: holds an evaluation; use --overwrite or another --out")
    # Curves or pictures of somebody else's would stop the writing half-way.
    if not options.overwrite and options.out.is_dir() and any(options.out.iterdir()):
        raise OutputError(f"{options.out}: is not empty; use --overwrite or another --out")
    check_output_folder(options.out, "name another with --out")


def conclude(summary: dict[str, Any], show, written: Sequence[Path], options: Options) -> None:
    """Print the scores, as JSON or by `show`, and the files."""
    if options.as_json:
        console.print_json(summary)
    else:
        show(summary)
    for path in written:
        print(f"written: {path}", file=sys.stderr if options.as_json else sys.stdout)


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
    split = f" of the {summary['split']} split" if summary["split"] else ""
    print(f"model {summary['model']} at {summary['size']} pixels on {summary['engine']}")
    print(f"{pictures} pictures{split}, {1000 * seconds / max(pictures, 1):.0f} ms each")
    print(
        f"precision {_share(summary['precision'])}, recall {_share(summary['recall'])} "
        f"at --score {summary['best_score']:.2f}, the best balance of the two"
    )


def show_classification(summary: dict[str, Any]) -> None:
    """Print a classifier's scores for people."""
    if "top1" in summary:
        columns = ("class", "pictures", "precision", "recall", "F1")
        keys = ("precision", "recall", "f1")
    else:
        columns = ("label", "pictures", "average precision", "precision", "recall", "F1")
        keys = ("average_precision", "precision", "recall", "f1")
    rows = [
        (name, str(row["pictures"]), *(_share(row[key]) for key in keys))
        for name, row in summary["per_class"].items()
    ]
    console.print_table(console.table(columns, rows, right=columns[1:]))
    pictures, seconds = summary["pictures"], summary["seconds"]
    print(f"model {summary['model']} at {summary['size']} pixels on {summary['engine']}")
    print(f"{pictures} pictures, {1000 * seconds / max(pictures, 1):.0f} ms each")
    if "top1" in summary:
        low, high = summary["interval"]
        print(
            f"top-1 {_share(summary['top1'])} (95 % interval {low:.3f} to {high:.3f}), "
            f"top-5 {_share(summary['top5'])}, calibration error {_share(summary['ece'])}"
        )
    else:
        print(
            f"mean average precision {_share(summary['mean_average_precision'])}, labels right "
            f"{_share(summary['accuracy'])}, F1 {_share(summary['f1'])}"
        )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _total(summary: dict[str, Any]) -> str:
    return str(sum(row["truths"] for row in summary["per_class"].values()))


# One entry a task; the model's own task decides.
EVALUATORS = {"detect": evaluate_detection, "classify": evaluate_classification}
