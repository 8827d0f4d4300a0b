"""What a training leaves: the model's files, its scores, and the report."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from cvtool.classification import networks
from cvtool.classification.calibration import calibrate
from cvtool.classification.classifier import Classifier
from cvtool.classification.finetuning import FEATURES_FILES
from cvtool.classification.report import MOST_MISTAKES, Mistake, Report, write_report
from cvtool.classification.scoring import predict_logits
from cvtool.classification.summary import (
    CALIBRATION_FILE,
    CONFUSION_FILE,
    confident_mistakes,
    save_plots,
    summarise,
)
from cvtool.pictures.sources import read_each
from cvtool.pictures.writing import whole_file
from cvtool.training.checkpoints import load_checkpoint
from cvtool.training.diagnosis import diagnose
from cvtool.training.exporting import KERAS_FILE, export_network
from cvtool.training.precision import set_precision
from cvtool.training.reports import plot_history
from cvtool.training.scored_split import scored_split

SHEET_FILE = "augmented.jpg"
# All that a run writes, but for the files that carry its name: what --overwrite may remove.
RUN_FILES = (
    *("run.json", "state.json", "history.csv", "predictions.csv", "report.html", "model.json"),
    *("curves.png", CONFUSION_FILE, CALIBRATION_FILE, SHEET_FILE, KERAS_FILE),
    *("best.weights.h5", "last.weights.h5", "part-*", *FEATURES_FILES),
)
# Training pictures whose error is measured: enough for half a point.
TRAIN_SAMPLE = 2000


def save_trained(training, run):
    """Write the best network: model.keras, the LiteRT file, the weights, model.json.

    Raises:
        OutputError: something cannot be written.
    """
    # What ships calculates in float32, whatever the training did.
    set_precision("float32")
    network = networks.classifier(
        training.architecture, len(training.classes), several=training.several
    )
    logits = networks.logits_of(network)
    load_checkpoint(logits, training.folder / "best.weights.h5")
    dev = training.splits["dev"]
    outputs = predict_logits(logits, training.store, dev)
    calibrate(network, outputs, training.targets[dev], training.several)
    fixed = network.input_shape[1] is not None
    description = {
        "name": run["name"],
        "task": "classify",
        "description": f"trained on {run['dataset']}",
        "architecture": training.architecture | ({"fixed_size": True} if fixed else {}),
        "size": training.chosen["size"],
        "classes": list(training.classes),
        "several": training.several,
        "data": run["dataset"],
        "recipe": "cvtool finetune",
    }
    export_network(network, training.folder, description)


def predict_splits(training, *, device="auto", on_picture=None, say=None):
    """Probabilities of the saved model, as every command will give them.

    Of the training pictures, at most 2,000 are looked at. A picture that has gone since the
    training is left out.

    Returns:
        dict of split name -> (positions in the store, probabilities float32 (N, C)).
    """
    classifier = Classifier.load(Path(training.folder), device=device)
    results = {}
    for name, part in training.splits.items():
        if name == "train" and len(part) > TRAIN_SAMPLE:
            rng = np.random.default_rng(training.settings.seed)
            part = np.sort(rng.choice(part, TRAIN_SAMPLE, replace=False))
        rows, read = [], []
        for index, picture in read_each([training.store.paths[i] for i in part], on_error=say):
            read.append(index)
            rows.append(classifier.probabilities(picture.pixels))
            if on_picture is not None:
                on_picture()
        if rows:
            results[name] = part[read], np.stack(rows)
    return results


def pictures_to_predict(training):
    """How many pictures `predict_splits` will look at."""
    counts = {name: len(part) for name, part in training.splits.items()}
    counts["train"] = min(counts["train"], TRAIN_SAMPLE)
    return sum(counts.values())


def labels_of(training, part):
    """Class ids int (N,) of pictures, or their rows of 0, 1 and NaN for several labels."""
    targets = training.targets[part]
    return targets if training.several else targets.argmax(axis=1)


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
        dict with scores, scored_split and diagnosis, for run.json.
    Raises:
        DatasetError: no picture of dev or test can be read any more.
        OutputError: something cannot be written.
    """
    folder = training.folder
    save_trained(training, run)
    predictions = predict_splits(training, device=device, on_picture=on_picture, say=say)
    scored = scored_split(predictions, folder)
    scores, per_class = {}, {}
    for name, (part, probabilities) in predictions.items():
        scores[name] = summarise(probabilities, labels_of(training, part), training.classes)
        scores[name]["pictures"] = len(part)
        per_class[name] = scores[name].pop("per_class")
    part, probabilities = predictions[scored]
    labels = labels_of(training, part)
    errors = {name: error_of(figures) for name, figures in scores.items()}
    diagnosis = diagnose(
        train=errors.get("train"),
        dev=errors.get("dev"),
        train_dev=errors.get("train-dev"),
        test=errors.get("test"),
        human=training.settings.human_error,
        chance=chance_error(training),
        counts={name: figures["pictures"] for name, figures in scores.items()},
    )
    confusion, mistakes = None, []
    if not training.several:
        _, confusion = save_plots(folder, probabilities, labels, training.classes, overwrite=True)
        mistakes = [
            Mistake(
                Path(training.store.paths[part[i]]),
                training.classes[labels[i]],
                training.classes[probabilities[i].argmax()],
                float(probabilities[i].max()),
            )
            for i in confident_mistakes(probabilities, labels, MOST_MISTAKES)
        ]
    write_predictions(folder / "predictions.csv", training, predictions)
    sheet = folder / SHEET_FILE
    report = Report(
        name=run["name"],
        dataset=run["dataset"],
        model=run["model"],
        classes=training.classes,
        settings=training.settings.to_dict() | training.chosen,
        versions=run["versions"],
        splits={name: len(part) for name, part in training.splits.items()},
        scores=scores,
        scored_split=scored,
        per_class=per_class[scored],
        confusion=confusion,
        mistakes=mistakes,
        diagnosis=diagnosis,
        curves=plot_history(folder),
        augmented=sheet if sheet.exists() else None,
        remarks=[run["how"], *run["remarks"]],
        minutes=minutes,
        stopped=stopped,
    )
    write_report(folder / "report.html", report, overwrite=True)
    for file in FEATURES_FILES:
        (folder / file).unlink(missing_ok=True)
    return {"scores": scores, "scored_split": scored, "diagnosis": diagnosis.to_dict()}


def error_of(figures):
    """The error, a share: 1 less the accuracy; None where nothing is labelled."""
    right = figures.get("top1", figures.get("accuracy"))
    return None if right is None else 1 - right


def chance_error(training):
    """Error of always naming the most frequent class; None for several labels."""
    if training.several:
        return None
    targets = training.targets[training.splits["train"]]
    return float(1 - targets.mean(axis=0).max())


def write_predictions(path, training, predictions):
    """predictions.csv: a row a picture with its truth and what the model says."""
    several, names = training.several, training.classes
    with (
        whole_file(path, overwrite=True) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file)
        head = [*names] if several else ["truth", "predicted", "score", "right"]
        writer.writerow(["file", "split", *head])
        for split, (positions, probabilities) in predictions.items():
            for position, row in zip(positions, probabilities, strict=True):
                start = [training.store.paths[position], split]
                if several:
                    writer.writerow([*start, *(f"{value:.4f}" for value in row)])
                    continue
                truth, best = int(training.targets[position].argmax()), int(row.argmax())
                writer.writerow(
                    [*start, names[truth], names[best], f"{row[best]:.4f}", int(truth == best)]
                )
