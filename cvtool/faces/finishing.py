"""What a training on people leaves: the model's files, its scores, and the report."""

from __future__ import annotations

import json

import numpy as np

from cvtool.faces import facenet
from cvtool.faces.calibration import calibrate
from cvtool.faces.drawing import side_by_side
from cvtool.faces.finetuning import without_border
from cvtool.faces.metrics import best_threshold
from cvtool.faces.plots import plot_pairs
from cvtool.faces.preparation import FACES_FILE
from cvtool.faces.report import MOST_MISTAKES, Mistake, Report, write_report
from cvtool.faces.scoring import all_pairs, summarise, worst_pairs
from cvtool.faces.verifier import Verifier
from cvtool.models.presets import MODEL_FILE
from cvtool.models.saving import replace_text
from cvtool.pictures.writing import whole_file
from cvtool.training.checkpoints import load_checkpoint, read_state
from cvtool.training.diagnosis import diagnose
from cvtool.training.exporting import KERAS_FILE, export_network
from cvtool.training.page import counted
from cvtool.training.precision import set_precision
from cvtool.training.report_parts import jpeg_of
from cvtool.training.reports import plot_history
from cvtool.training.scored_split import scored_split

SHEET_FILE = "augmented.jpg"
ROC_FILE = "roc.png"
# All that a run writes, but for the files that carry its name: what --overwrite may remove.
RUN_FILES = (
    *("run.json", "state.json", "history.csv", "report.html", "model.json", "curves.png"),
    *(SHEET_FILE, ROC_FILE, KERAS_FILE, FACES_FILE),
    *("best.weights.h5", "last.weights.h5", "part-*"),
)
# With fewer pairs of a kind on dev, the threshold is a guess.
FEW_PAIRS = 50
# Error of guessing: as many false accepts as false rejects.
CHANCE = 0.5
# Faces that are embedded between two steps of the progress bar.
_AT_ONCE = 32


def save_trained(training, run):
    """Write the best network: model.keras, the LiteRT file, the weights, model.json.

    Raises:
        OutputError: something cannot be written.
    """
    # What ships calculates in float32, whatever the training did.
    set_precision("float32")
    network = facenet.build(training.architecture, training.size)
    load_checkpoint(network, training.folder / "best.weights.h5")
    description = {
        "name": run["name"],
        "task": "verify",
        "description": f"trained on {run['dataset']}",
        "architecture": training.architecture,
        "size": training.size,
        "classes": [],
        "data": f"{run['dataset']}, from {run['model']}",
        "recipe": "cvtool finetune",
    }
    export_network(network, training.folder, description)


def save_calibration(folder, calibration):
    """Put the thresholds into the description of a saved model."""
    path = folder / MODEL_FILE
    entry = json.loads(path.read_text(encoding="utf-8")) | {"calibration": calibration}
    replace_text(path, json.dumps(entry, indent=2) + "\n")


def pairs_by_split(training):
    """Split name -> `scoring.Pairs`."""
    return {
        name: all_pairs(part.numbers, training.settings.seed)
        for name, part in training.splits.items()
    }


def faces_to_score(training):
    """How many faces `finish` will look at."""
    return sum(len(pairs.faces) for pairs in pairs_by_split(training).values())


def measure(training, pairs, verifiers, on_picture=None):
    """The distances of every split's pairs by each of some models.

    Args:
        training: Training.
        pairs: split name -> Pairs.
        verifiers: Verifiers.
        on_picture: called after each face.
    Returns:
        split name -> list of float (N,), one a verifier.
    """
    found = {}
    for name, these in pairs.items():
        faces = without_border(training.faces[name][these.faces])
        rows = [[] for _ in verifiers]
        for start in range(0, len(faces), _AT_ONCE):
            batch = list(faces[start : start + _AT_ONCE])
            for embedded, verifier in zip(rows, verifiers, strict=True):
                embedded.append(verifier.embed(batch))
            for _ in batch:
                if on_picture is not None:
                    on_picture()
        found[name] = [these.distances(np.concatenate(embedded)) for embedded in rows]
    return found


def scores_of(training, pairs, distances, thresholds):
    """The scores of each split, before and after the training.

    Args:
        training: Training.
        pairs: split name -> Pairs.
        distances: of `measure`: of the model before, and after.
        thresholds: of both.
    Returns:
        split name -> pictures, people, pairs (of one person, of two), the figures of
        `scoring.summarise` after the training, "before" with those before it, and
        gain_interval: of what the area under the ROC has gained.
    """
    scores = {}
    for name, these in pairs.items():
        models = list(zip(distances[name], thresholds, strict=True))
        (before, after), gain = summarise(these, models, seed=training.settings.seed)
        part = training.splits[name]
        scores[name] = {
            "pictures": len(part.files),
            "people": len(set(part.people)),
            "pairs": [int(these.same.sum()), int((~these.same).sum())],
            **after,
            "before": before,
            "gain_interval": gain,
        }
    return scores


def worst_of(training, name, pairs, distances, threshold):
    """The pairs that are decided most wrongly, as a report shows them: list of Mistake."""
    part, shown = training.splits[name], []
    for index in worst_pairs(distances, pairs, threshold, MOST_MISTAKES):
        ends = [int(pairs.faces[side[index]]) for side in (pairs.one, pairs.other)]
        same, distance = bool(pairs.same[index]), float(distances[index])
        words = "one person taken for two" if same else "two people taken for one"
        faces = list(without_border(training.faces[name][ends]))
        shown.append(
            Mistake(
                words=words,
                distance=distance,
                people=tuple(part.people[i] for i in ends),
                files=tuple(part.files[i] for i in ends),
                jpeg=jpeg_of(side_by_side(faces, False, f"{words}: {distance:.2f}")),
            )
        )
    return shown


def finish(training, run, *, minutes, stopped, say, device="auto", on_picture=None):
    """Save the best network of a run, measure its thresholds, score it, and write the report.

    Args:
        training: Training, after `finetuning.train`.
        run: content of run.json.
        minutes: spent on training, all sittings together.
        stopped: why it ended early, or None.
        say: function(str), for what a person wants to know.
        device: for the scoring.
        on_picture: called after each face that is scored.
    Returns:
        dict with scores, scored_split, best_epoch, calibration and diagnosis, for run.json.
    Raises:
        ModelError: the model that the run started from is gone.
        OutputError: something cannot be written.
    """
    folder = training.folder
    best_epoch = read_state(folder)["best_epoch"]
    save_trained(training, run)
    verifiers = [
        Verifier.load(model, device=device) for model in (training.settings.backbone, folder)
    ]
    pairs = pairs_by_split(training)
    distances = measure(training, pairs, verifiers, on_picture)
    dev = pairs["dev"]
    source = f"pairs of {len(set(dev.people))} people of {run['dataset']} not trained on"
    calibration = calibrate(distances["dev"][1], dev.same, source)
    save_calibration(folder, calibration)
    remarks = [run["how"], *run["remarks"]]
    if min(calibration["pairs"]) < FEW_PAIRS:
        one, two = calibration["pairs"]
        words = counted(one, "pair of one person", "pairs of one person")
        remarks.append(
            f"the threshold was measured on {words} and {two:,} of two; with fewer than "
            f"{FEW_PAIRS} of a kind it is a guess: measure it with cvtool faces calibrate"
        )
        say(remarks[-1])
    thresholds = [best_threshold(distances["dev"][0], dev.same)[0], calibration["threshold"]]
    scored = scored_split(pairs, folder)
    scores = scores_of(training, pairs, distances, thresholds)
    if best_epoch == 0:
        say("no epoch was better on the dev people: the network stays as it came")
    diagnosis = diagnose(
        **{
            split: scores[split]["eer"] if split in scores else None
            for split in ("train", "dev", "test")
        },
        chance=CHANCE,
        half_widths={
            name: (figures["eer_interval"][1] - figures["eer_interval"][0]) / 2
            for name, figures in scores.items()
        },
        task="verify",
    )
    with whole_file(folder / ROC_FILE, overwrite=True) as part:
        before, after = distances[scored]
        plot_pairs(after, pairs[scored].same, thresholds[1], part, before=before)
    sheet = folder / SHEET_FILE
    report = Report(
        name=run["name"],
        dataset=run["dataset"],
        model=run["model"],
        people=tuple(sorted(set(training.splits["train"].people))),
        settings=training.settings.to_dict() | training.chosen,
        versions=run["versions"],
        splits={name: len(part.files) for name, part in training.splits.items()},
        scores=scores,
        scored_split=scored,
        best_epoch=best_epoch,
        calibration=calibration,
        worst=worst_of(training, scored, pairs[scored], distances[scored][1], thresholds[1]),
        diagnosis=diagnosis,
        roc=folder / ROC_FILE,
        curves=plot_history(folder),
        sheet=sheet if sheet.exists() else None,
        remarks=remarks,
        minutes=minutes,
        stopped=stopped,
    )
    write_report(folder / "report.html", report, overwrite=True)
    # They can be made again from the pictures; a run that goes on does.
    (folder / FACES_FILE).unlink(missing_ok=True)
    return {
        "scores": scores,
        "scored_split": scored,
        "best_epoch": best_epoch,
        "calibration": calibration,
        "diagnosis": diagnosis.to_dict(),
    }
