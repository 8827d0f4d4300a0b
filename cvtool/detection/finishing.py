"""What a detector's training leaves: the model's files, its scores, and the report."""

from __future__ import annotations

import numpy as np

from cvtool.detection.confusion import confusion_matrix
from cvtool.detection.detector import Detector
from cvtool.detection.error_types import error_types
from cvtool.detection.evaluation import MAX_BOXES, MAX_IOU, MIN_SCORE, as_prediction
from cvtool.detection.metrics import evaluate_with_curves
from cvtool.detection.mistakes import false_positives, missed_objects
from cvtool.detection.plots import plot_precision_recall, plot_thresholds
from cvtool.detection.report import Report, write_report
from cvtool.detection.scoring import predict_dataset
from cvtool.detection.summary import summarise
from cvtool.detection.yolo import yolo
from cvtool.pictures.sources import read_each
from cvtool.pictures.writing import whole_file
from cvtool.training.checkpoints import load_checkpoint
from cvtool.training.diagnosis import diagnose
from cvtool.training.exporting import KERAS_FILE, export_network
from cvtool.training.precision import set_precision
from cvtool.training.reports import plot_history
from cvtool.training.scored_split import scored_split

SHEET_FILE = "augmented.jpg"
CURVES_FILE, THRESHOLDS_FILE = "precision_recall.png", "thresholds.png"
# All that a run writes, but for the files that carry its name: what --overwrite may remove.
RUN_FILES = (
    *("run.json", "state.json", "history.csv", "report.html", "model.json", "curves.png"),
    *(CURVES_FILE, THRESHOLDS_FILE, SHEET_FILE, KERAS_FILE),
    *("best.weights.h5", "last.weights.h5", "part-*"),
)
# Training pictures whose error is measured.
TRAIN_SAMPLE = 500

# The F1 of few pictures jumps from score to score; its mean over so many thousandths of the
# score on each side does not. A threshold nearer to 0 or 1 than the last two would let all
# or nothing through on other pictures.
SMOOTHED = 25
LOWEST, HIGHEST = 0.05, 0.9


def working_score(curves):
    """The score with the best balance of misses and false alarms, that of the mean F1.

    Args:
        curves: class name -> `metrics.Curve`.
    Returns:
        a score in [0.05, 0.9], to hundredths.
    """
    f1 = np.mean([curve.f1_at for curve in curves.values()], axis=0)
    window = np.ones(2 * SMOOTHED + 1)
    smooth = np.convolve(f1, window, "same") / np.convolve(np.ones_like(f1), window, "same")
    thresholds = next(iter(curves.values())).thresholds
    best = float(thresholds[smooth.argmax()])
    return round(min(max(best, LOWEST), HIGHEST), 2)


def save_trained(training, run):
    """Write the best network: model.keras, the LiteRT file, the weights, model.json.

    Returns:
        the working score, chosen on dev and stored in the model.
    Raises:
        OutputError: something cannot be written.
    """
    # What ships calculates in float32, whatever the training did.
    set_precision("float32")
    classes, anchors, strides = training.classes, training.anchors, training.strides
    network = yolo(len(classes), num_anchors=anchors.shape[1], **training.architecture)
    load_checkpoint(network, training.folder / "best.weights.h5")
    dev, size = training.splits["dev"], training.chosen["size"]
    found = predict_dataset(
        network, dev, size=size, anchors=anchors, strides=strides, cache=training.cache
    )
    score = working_score(evaluate_with_curves(dev, found)[1])
    description = {
        "name": run["name"],
        "task": "detect",
        "description": f"trained on {run['dataset']}",
        "architecture": training.architecture,
        "size": size,
        "classes": list(classes),
        "anchors": anchors.tolist(),
        "strides": list(strides),
        "score": score,
        "data": run["dataset"],
        "recipe": "cvtool finetune",
    }
    export_network(network, training.folder, description)
    return score


def predict_splits(training, *, device="auto", on_picture=None, say=None):
    """Boxes of the saved model in each split, found as every command will find them.

    Of the training pictures, at most 500 are looked at. A picture that has gone since the
    training is left out.

    Returns:
        dict of split name -> (DetectionDataset, list of `metrics.Prediction`).
    """
    detector = Detector.load(training.folder, device=device)
    results = {}
    for name, data in training.splits.items():
        if name == "train" and len(data.examples) > TRAIN_SAMPLE:
            rng = np.random.default_rng(training.settings.seed)
            chosen = rng.choice(len(data.examples), TRAIN_SAMPLE, replace=False)
            data = data.subset(np.sort(chosen))
        predictions, read = [], []
        for index, picture in read_each([e.path for e in data.examples], on_error=say):
            found = detector(
                picture.pixels, min_score=MIN_SCORE, max_iou=MAX_IOU, max_boxes=MAX_BOXES
            )
            read.append(index)
            predictions.append(as_prediction(found, data.classes))
            if on_picture is not None:
                on_picture()
        data = data.subset(read)
        if any((~example.crowd).any() for example in data.examples):
            results[name] = data, predictions
    return results


def pictures_to_predict(training):
    """How many pictures `predict_splits` will look at."""
    counts = {name: len(data.examples) for name, data in training.splits.items()}
    counts["train"] = min(counts["train"], TRAIN_SAMPLE)
    return sum(counts.values())


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
        dict with scores, scored_split, score and diagnosis, for run.json.
    Raises:
        DatasetError: no picture of dev or test can be read any more.
        OutputError: something cannot be written.
    """
    folder = training.folder
    score = save_trained(training, run)
    found = predict_splits(training, device=device, on_picture=on_picture, say=say)
    scored = scored_split(found, folder)
    scores, per_class, curves = {}, {}, {}
    for name, (data, predictions) in found.items():
        scores[name], curves[name] = summarise(data, predictions, score)
        per_class[name] = scores[name].pop("per_class")
    diagnosis = diagnose(
        **{split: error_of(scores, split) for split in ("train", "dev", "test")},
        half_widths={
            name: (figures["interval"][1] - figures["interval"][0]) / 2
            for name, figures in scores.items()
        },
        task="detect",
    )
    plots = draw_plots(folder, curves[scored], score)
    sheet = folder / SHEET_FILE
    data, predictions = found[scored]
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
        best_score=score,
        errors=error_types(data, predictions, score),
        confusion=confusion_matrix(data, predictions, score),
        false_positives=false_positives(data, predictions, score),
        missed=missed_objects(data, predictions, score),
        diagnosis=diagnosis,
        curves=plot_history(folder),
        precision_recall=plots[0],
        thresholds=plots[1],
        sheet=sheet if sheet.exists() else None,
        remarks=[run["how"], *run["remarks"]],
        minutes=minutes,
        stopped=stopped,
    )
    write_report(folder / "report.html", report, overwrite=True)
    return {
        "scores": scores,
        "scored_split": scored,
        "score": score,
        "per_class": per_class[scored],
        "diagnosis": diagnosis.to_dict(),
    }


def error_of(scores, split):
    """1 less the split's mAP50; None for a split that was not scored."""
    return 1 - scores[split]["mAP50"] if split in scores else None


def draw_plots(folder, curves, score):
    """Write the precision-recall curves and the figures over the score; returns both paths."""
    paths = folder / CURVES_FILE, folder / THRESHOLDS_FILE
    with whole_file(paths[0], overwrite=True) as part:
        plot_precision_recall(curves, part)
    with whole_file(paths[1], overwrite=True) as part:
        plot_thresholds(curves, score, part)
    return paths
