"""What a training on masks leaves: the model's files, its scores, and the report."""

from __future__ import annotations

import numpy as np

from cvtool.datasets.mask_files import mask_of
from cvtool.errors import DatasetError
from cvtool.pictures.reading import read_picture
from cvtool.segmentation import unet
from cvtool.segmentation.evaluation import evaluate_segmenter
from cvtool.segmentation.report import MOST_MISTAKES, Mistake, Report, write_report
from cvtool.segmentation.segmenter import Segmenter
from cvtool.segmentation.sheet import side_by_side
from cvtool.segmentation.summary import guessing_error, words_of_errors
from cvtool.training.checkpoints import load_checkpoint
from cvtool.training.diagnosis import diagnose
from cvtool.training.exporting import KERAS_FILE, export_network
from cvtool.training.precision import set_precision
from cvtool.training.report_parts import THUMBNAIL_SIDE, jpeg_of
from cvtool.training.reports import plot_history
from cvtool.training.scored_split import scored_split

SHEET_FILE = "augmented.jpg"
# All that a run writes, but for the files that carry its name: what --overwrite may remove.
RUN_FILES = (
    *("run.json", "state.json", "history.csv", "report.html", "model.json", "curves.png"),
    *(SHEET_FILE, KERAS_FILE, "best.weights.h5", "last.weights.h5", "part-*"),
)
# What a run keeps of each split's evaluation.
SCORES = ("pictures", "miou", "interval", "foreground_iou", "pixel_accuracy")
# Training pictures whose error is measured.
TRAIN_SAMPLE = 200


def save_trained(training, run):
    """Write the best network: model.keras, the LiteRT file, the weights, model.json.

    Raises:
        OutputError: something cannot be written.
    """
    # What ships calculates in float32, whatever the training did.
    set_precision("float32")
    network = unet.build(len(training.classes), training.architecture)
    load_checkpoint(network, training.folder / "best.weights.h5")
    description = {
        "name": run["name"],
        "task": "segment",
        "description": f"trained on {run['dataset']}",
        "architecture": training.architecture,
        "size": training.chosen["size"],
        "classes": list(training.classes),
        "data": run["dataset"],
        "recipe": "cvtool finetune",
    }
    aligned = unet.aligned_copy(network, len(training.classes), training.architecture)
    export_network(network, training.folder, description, for_litert=aligned)


def evaluate_splits(training, segmenter, *, say, on_picture=None):
    """Score the saved model on each split, as `cvtool evaluate` will.

    Of the training pictures, at most 200 are looked at. A picture that has gone since the
    training, or whose mask has, is left out.

    Args:
        training: Training.
        segmenter: Segmenter of the saved model.
        say: function(str), which hears of those.
        on_picture: called after each picture.
    Returns:
        dict of split name -> `evaluation.Evaluation`; without splits of which nothing is left.
    """
    results = {}
    for name, data in training.splits.items():
        if name == "train" and len(data.examples) > TRAIN_SAMPLE:
            rng = np.random.default_rng(training.settings.seed)
            chosen = rng.choice(len(data.examples), TRAIN_SAMPLE, replace=False)
            data = data.subset(np.sort(chosen))
        try:
            results[name] = evaluate_segmenter(
                segmenter, data, on_picture=on_picture, on_error=lambda error: say(str(error))
            )
        except DatasetError as error:
            say(str(error))
    return results


def pictures_to_predict(training):
    """How many pictures `evaluate_splits` will look at."""
    counts = {name: len(data.examples) for name, data in training.splits.items()}
    counts["train"] = min(counts["train"], TRAIN_SAMPLE)
    return sum(counts.values())


def worst_pictures(evaluation):
    """The pictures with the lowest mean IoU, as a report shows them: list of `report.Mistake`."""
    data, shown = evaluation.dataset, []
    for worst in evaluation.worst[:MOST_MISTAKES]:
        example = data.examples[worst.index]
        pixels = read_picture(example.path)
        masks = [mask_of(data, example, pixels.shape[:2]), worst.predicted]
        shown.append(
            Mistake(
                path=example.path,
                miou=worst.miou,
                words=words_of_errors(evaluation.confusions[worst.index], data.classes),
                jpeg=jpeg_of(side_by_side(pixels, masks, data.classes, THUMBNAIL_SIDE)),
            )
        )
    return shown


def finish(training, run, *, minutes, stopped, say, device="auto", on_picture=None):
    """Save the best network of a run, score it, and write the report.

    Args:
        training: Training, after `finetuning.train`.
        run: content of run.json.
        minutes: spent on training, all sittings together.
        stopped: why it ended early, or None.
        say: function(str), for what a person wants to know.
        device: for the scoring.
        on_picture: called after each picture that is scored.
    Returns:
        dict with scores, scored_split, per_class and diagnosis, for run.json.
    Raises:
        DatasetError: no picture of dev or test can be read any more.
        OutputError: something cannot be written.
    """
    folder = training.folder
    save_trained(training, run)
    segmenter = Segmenter.load(folder, device=device)
    found = evaluate_splits(training, segmenter, say=say, on_picture=on_picture)
    scored = scored_split(found, folder)
    scores = {name: {key: one.summary[key] for key in SCORES} for name, one in found.items()}
    evaluation = found[scored]
    per_class = evaluation.summary["per_class"]
    diagnosis = diagnose(
        **{
            split: 1 - scores[split]["miou"] if split in scores else None
            for split in ("train", "dev", "test")
        },
        chance=guessing_error(evaluation.confusions),
        half_widths={
            name: (figures["interval"][1] - figures["interval"][0]) / 2
            for name, figures in scores.items()
        },
        task="segment",
    )
    sheet = folder / SHEET_FILE
    report = Report(
        name=run["name"],
        dataset=run["dataset"],
        model=run["model"],
        classes=training.classes,
        settings=training.settings.to_dict() | training.chosen,
        versions=run["versions"],
        splits={name: len(part.examples) for name, part in training.splits.items()},
        scores=scores,
        scored_split=scored,
        per_class=per_class,
        confusion=evaluation.confusions.sum(axis=0),
        worst=worst_pictures(evaluation),
        diagnosis=diagnosis,
        curves=plot_history(folder),
        sheet=sheet if sheet.exists() else None,
        remarks=[run["how"], *run["remarks"]],
        minutes=minutes,
        stopped=stopped,
    )
    write_report(folder / "report.html", report, overwrite=True)
    return {
        "scores": scores,
        "scored_split": scored,
        "per_class": per_class,
        "diagnosis": diagnosis.to_dict(),
    }
