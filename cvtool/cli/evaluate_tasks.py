"""How `cvtool evaluate` scores a model of each task."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import typer

from cvtool.cli import console
from cvtool.cli.evaluate_report import (
    say_where_classes_differ,
    show_classification,
    show_detection,
    show_segmentation,
    show_verification,
)
from cvtool.cli.faults import complain_of_faults
from cvtool.cli.options import Device, check_size
from cvtool.errors import CvtoolError, OutputError

# Of boxes that overlap more, as `cvtool detect` does it.
MAX_IOU = 0.45
Split = Literal["train", "dev", "test"]
# What finetune marks its folders with; its module costs an import.
RUN_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was told, for the evaluator of the model's task."""

    pictures: Path | None
    split: Split | None
    limit: int | None
    iou: float | None
    score: float | None
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
    refuse_inside(options, dataset)
    # Now: they may be why there is nothing left to score.
    complain_of_faults(faults, dataset, options.pictures)
    detector = Detector.load(model, device=options.device, size=options.size)
    say_where_classes_differ(
        truths.classes,
        detector.classes,
        "these objects count as missed",
        "what the model finds of these does not count",
    )
    problems: list[CvtoolError] = []
    with told_of(problems), console.progress("evaluating", len(truths.examples)) as advance:
        result = evaluation.evaluate_detector(
            detector,
            truths,
            max_iou=MAX_IOU if options.iou is None else options.iou,
            min_score=evaluation.MIN_SCORE if options.score is None else options.score,
            on_picture=advance,
            on_error=problems.append,
        )
    save = partial(evaluation.save_evaluation, result)
    conclude(result.summary, show_detection, save, problems, options)
    if faults or problems:
        raise typer.Exit(1)


def refuse_detectors_options(options: Options) -> None:
    """Refuse what only a detector's boxes have."""
    for name, given in (("--iou", options.iou), ("--score", options.score)):
        if given is not None:
            raise typer.BadParameter(f"{name} is for detectors")


def evaluate_classification(model: str, dataset: Path, options: Options) -> None:
    """Score a classifier, print and save the result."""
    from cvtool.classification import evaluation
    from cvtool.classification.classifier import Classifier

    refuse_detectors_options(options)
    if options.split is not None:
        raise typer.BadParameter(
            "--split is for detectors and segmentation; name the folder of the split instead"
        )
    check_out(options, evaluation.SUMMARY_FILE)
    data = evaluation.read_classification_dataset(dataset, options.pictures, options.limit)
    refuse_inside(options, dataset)
    classifier = Classifier.load(model, device=options.device, size=options.size)
    unknown = [name for name in data.classes if name not in classifier.classes]
    if unknown and len(unknown) < len(data.classes):
        console.say(f"the model does not know {', '.join(unknown)}; these count as wrong")
    problems: list[CvtoolError] = []
    with told_of(problems), console.progress("evaluating", len(data)) as advance:
        result = evaluation.evaluate_classifier(
            classifier, data, tta=options.tta, on_picture=advance, on_error=problems.append
        )
    save = partial(evaluation.save_evaluation, result)
    conclude(result.summary, show_classification, save, problems, options)
    if problems:
        raise typer.Exit(1)


def evaluate_segmentation(model: str, dataset: Path, options: Options) -> None:
    """Score a segmentation model, print and save the result."""
    from cvtool.datasets.faults import Fault
    from cvtool.models.presets import find_model
    from cvtool.segmentation import evaluation
    from cvtool.segmentation.segmenter import Segmenter

    refuse_detectors_options(options)
    if options.tta:
        raise typer.BadParameter("--tta is for classifiers")
    check_out(options, evaluation.SUMMARY_FILE)
    faults: list[Fault] = []
    truths = evaluation.read_segmentation_dataset(
        dataset,
        find_model(model).classes,
        options.pictures,
        options.limit,
        options.split,
        on_fault=faults.append,
        on_remark=console.say,
    )
    refuse_inside(options, dataset)
    complain_of_faults(faults, dataset, options.pictures)
    segmenter = Segmenter.load(model, device=options.device, size=options.size)
    say_where_classes_differ(
        truths.classes[1:],
        segmenter.classes[1:],
        "their pixels count as missed",
        f"what the model takes for these counts as {truths.classes[0]}",
    )
    problems: list[CvtoolError] = []
    with told_of(problems), console.progress("evaluating", len(truths.examples)) as advance:
        result = evaluation.evaluate_segmenter(
            segmenter, truths, on_picture=advance, on_error=problems.append
        )
    save = partial(evaluation.save_evaluation, result)
    conclude(result.summary, show_segmentation, save, problems, options)
    if faults or problems:
        raise typer.Exit(1)


def evaluate_verification(model: str, dataset: Path, options: Options) -> None:
    """Score a face model on pairs, print and save the result."""
    from cvtool.datasets.face_pairs import read_pairs, some_of
    from cvtool.faces import evaluation
    from cvtool.faces.verifier import Verifier

    for option, given, tasks in (
        ("--iou", options.iou is not None, "detectors"),
        ("--score", options.score is not None, "detectors"),
        ("--tta", options.tta, "classifiers"),
        ("--split", options.split is not None, "detectors and segmentation"),
        ("--size", options.size is not None, "models that see whole pictures"),
    ):
        if given:
            raise typer.BadParameter(f"{option} is for {tasks}")
    check_out(options, evaluation.SUMMARY_FILE)
    data = read_pairs(dataset, options.pictures)
    if options.limit is not None:
        data = some_of(data, options.limit)
    refuse_inside(options, dataset)
    verifier = Verifier.load(model, device=options.device)
    problems: list[CvtoolError] = []
    with told_of(problems), console.progress("evaluating", len(data.paths)) as advance:
        result = evaluation.evaluate_verifier(
            verifier, data, on_picture=advance, on_error=problems.append
        )
    save = partial(evaluation.save_evaluation, result, verifier)
    conclude(result.summary, show_verification, save, problems, options)
    if problems:
        raise typer.Exit(1)


@contextmanager
def told_of(problems: Sequence[CvtoolError]) -> Iterator[None]:
    """Where pictures that cannot be read are why an evaluation fails, they are named too."""
    try:
        yield
    except CvtoolError:
        complain_of_pictures(problems)
        raise


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


def refuse_inside(options: Options, dataset: Path) -> None:
    """Refuse a folder in the data set: the worst pictures would be taken for pictures of it."""
    for source in (dataset, options.pictures):
        read = source is not None and source.is_dir()
        if read and options.out.resolve().is_relative_to(source.resolve()):
            raise OutputError(
                f"{options.out}: lies in {source}, which is read; name a folder outside of it "
                "with --out"
            )


def conclude(
    summary: dict[str, Any],
    show: Callable[[dict[str, Any]], object],
    save: Callable[..., Sequence[Path]],
    problems: Sequence[CvtoolError],
    options: Options,
) -> None:
    """Save what explains the scores, and print them, as JSON or by `show`.

    Scores that took minutes are printed even where they cannot be saved.
    """
    written, unsaved = [], None
    try:
        written = save(options.out, overwrite=options.overwrite)
    except OutputError as error:
        unsaved = error
    if options.as_json:
        console.print_json(summary)
    else:
        show(summary)
    for path in written:
        print(f"written: {path}", file=sys.stderr if options.as_json else sys.stdout)
    complain_of_pictures(problems)
    if unsaved is not None:
        raise unsaved


# One entry a task; the model's own task decides.
EVALUATORS = {
    "detect": evaluate_detection,
    "classify": evaluate_classification,
    "segment": evaluate_segmentation,
    "verify": evaluate_verification,
}
