"""What a training on masks leaves: the model's files, its scores, and the report."""

from __future__ import annotations

import numpy as np

from cvtool.datasets.mask_pixels import MaskError
from cvtool.errors import DatasetError
from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_each
from cvtool.segmentation import unet
from cvtool.segmentation.metrics import confusion_matrix, mean_iou
from cvtool.segmentation.report import MOST_MISTAKES, Mistake, Report, write_report
from cvtool.segmentation.scoring import read_true
from cvtool.segmentation.segmenter import Segmenter
from cvtool.segmentation.sheet import side_by_side
from cvtool.segmentation.summary import guessing_error, summarise, words_of_errors, worst_first
from cvtool.training.checkpoints import load_checkpoint
from cvtool.training.diagnosis import diagnose
from cvtool.training.exporting import KERAS_FILE, export_network
from cvtool.training.precision import set_precision
from cvtool.training.report_parts import THUMBNAIL_SIDE, jpeg_of
from cvtool.training.reports import plot_history

SHEET_FILE = "augmented.jpg"
# All that a run writes, but for the files that carry its name: what --overwrite may remove.
RUN_FILES = (
    *("run.json", "state.json", "history.csv", "report.html", "model.json", "curves.png"),
    *(SHEET_FILE, KERAS_FILE, "best.weights.h5", "last.weights.h5", "part-*"),
)
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
    export_network(network, training.folder, description)


def predict_splits(training, segmenter, *, say, on_picture=None):
    """Compare the masks of the saved model with the truth, as every command will find them.

    Of the training pictures, at most 200 are looked at. A picture that has gone since the
    training, or whose mask has, is left out.

    Args:
        training: Training.
        segmenter: Segmenter of the saved model.
        say: function(str), which hears of those.
        on_picture: called after each picture.
    Returns:
        dict of split name -> (MaskDataset, int64 (N, C, C)), `metrics.confusion_matrix` of each
        of its pictures.
    """
    results = {}
    for name, data in training.splits.items():
        if name == "train" and len(data.examples) > TRAIN_SAMPLE:
            rng = np.random.default_rng(training.settings.seed)
            chosen = rng.choice(len(data.examples), TRAIN_SAMPLE, replace=False)
            data = data.subset(np.sort(chosen))
        read, confusions = [], []
        for index, picture in read_each([e.path for e in data.examples], on_error=say):
            shape = picture.pixels.shape[:2]
            try:
                truth = read_true(data, data.examples[index], shape)
            except MaskError as error:
                say(str(error))
                continue
            predicted = segmenter.mask(picture.pixels)
            read.append(index)
            confusions.append(confusion_matrix(truth, predicted, len(data.classes)))
            if on_picture is not None:
                on_picture()
        if np.any(confusions):
            results[name] = data.subset(read), np.stack(confusions)
    return results


def pictures_to_predict(training):
    """How many pictures `predict_splits` will look at."""
    counts = {name: len(data.examples) for name, data in training.splits.items()}
    counts["train"] = min(counts["train"], TRAIN_SAMPLE)
    return sum(counts.values())


def worst_pictures(data, confusions, segmenter):
    """The pictures with the lowest mean IoU: list of `report.Mistake`.

    Args:
        data: MaskDataset of N pictures.
        confusions: int (N, C, C).
        segmenter: Segmenter, which looks at them once more.
    """
    mistakes = []
    for index in worst_first(confusions)[:MOST_MISTAKES]:
        example = data.examples[index]
        pixels = read_picture(example.path)
        masks = [read_true(data, example, pixels.shape[:2]), segmenter.mask(pixels)]
        mistakes.append(
            Mistake(
                path=example.path,
                miou=mean_iou(confusions[index]),
                words=words_of_errors(confusions[index], data.classes),
                jpeg=jpeg_of(side_by_side(pixels, masks, data.classes, THUMBNAIL_SIDE)),
            )
        )
    return mistakes


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
    found = predict_splits(training, segmenter, say=say, on_picture=on_picture)
    if not found.keys() & {"dev", "test"}:
        raise DatasetError(
            f"{folder}: no picture of dev or test can be read any more; put them back, and go on "
            f"with: cvtool finetune --resume {folder}"
        )
    scores, per_class = {}, {}
    for name, (_, confusions) in found.items():
        scores[name] = summarise(confusions, training.classes)
        per_class[name] = scores[name].pop("per_class")
    scored = "test" if "test" in scores else "dev"
    data, confusions = found[scored]
    diagnosis = diagnose(
        **{
            split: 1 - scores[split]["miou"] if split in scores else None
            for split in ("train", "dev", "test")
        },
        chance=guessing_error(confusions),
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
        per_class=per_class[scored],
        confusion=confusions.sum(axis=0),
        worst=worst_pictures(data, confusions, segmenter),
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
        "per_class": per_class[scored],
        "diagnosis": diagnosis.to_dict(),
    }
