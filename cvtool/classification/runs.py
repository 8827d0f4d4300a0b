"""A fine-tuning from its first line to its report, and the going on with one."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cvtool.classification.finetuning import open_training, train, training_batches
from cvtool.classification.finishing import (
    RUN_FILES,
    SHEET_FILE,
    finish,
    pictures_to_predict,
)
from cvtool.classification.networks import classifier
from cvtool.classification.preparation import prepare, split_lists
from cvtool.classification.release import release
from cvtool.classification.scratch import check_size, find_scratch
from cvtool.classification.settings import PARTS, chosen_for
from cvtool.classification.sheet import augmentation_sheet
from cvtool.errors import ModelError, TrainingError
from cvtool.models.applications import APPLICATIONS
from cvtool.models.presets import find_model
from cvtool.pictures.writing import check_output_folder, write_picture
from cvtool.training.checkpoints import read_state
from cvtool.training.devices import training_strategy
from cvtool.training.run_folder import choose_folder, clear_run, read_run, versions, write_run

SHEET_ROWS = 6
LONGEST_NAME = 100


def start_run(
    dataset,
    settings,
    *,
    out=None,
    overwrite=False,
    pictures=None,
    split=None,
    test=None,
    target=None,
    say,
    on_picture=None,
):
    """Prepare a data set and the run folder of its training.

    Args:
        dataset, pictures, split, test, target: see `preparation.prepare`.
        settings: Settings.
        out, overwrite: see `training.run_folder.choose_folder`.
        say: function(str), for what a person wants to know.
        on_picture: called after each picture is checked.
    Returns:
        the run folder, whose run.json says everything that `go_on` needs.
    Raises:
        CvtoolError: a mistake in the data set or the settings; nothing is left behind.
    """
    architecture, native_size, words = network_of(settings)
    training_strategy(settings.gpus)
    backbone = settings.backbone if settings.from_scratch is None else None
    folder = choose_folder(
        name_of(dataset),
        out,
        overwrite=overwrite,
        read=(dataset, test, target),
        kept=(pictures, backbone),
    )
    check_output_folder(folder, "name another with --out")
    prepared = prepare(
        dataset,
        pictures=pictures,
        split=split,
        test=test,
        target=target,
        seed=settings.seed,
        on_picture=on_picture,
    )
    for remark in prepared.remarks:
        say(remark)
    say(f"{len(prepared.data.classes)} classes: {prepared.how}")
    chosen = chosen_for(
        settings,
        pictures=len(prepared.splits["train"]),
        short_side=prepared.short_side,
        native_size=native_size,
    )
    if settings.from_scratch:
        architecture = architecture | {"size": chosen["size"]}
    released = {"head": "head only", "last": "last stage released", "all": "all layers released"}
    if settings.from_scratch is None:
        part = released.get(chosen["unfreeze"], f"released from {chosen['unfreeze']} on")
        words = f"{words}, {part}"
    say(
        f"{words}; size {chosen['size']}, batch {chosen['batch']}, "
        f"{chosen['epochs']} epochs, learning rate {chosen['learning_rate']:g}"
    )
    refuse_impossible(settings, architecture, chosen)
    run = {
        "name": model_name(folder),
        "task": "classify",
        "dataset": str(dataset),
        "model": words,
        "settings": settings.to_dict(),
        "chosen": chosen,
        "architecture": architecture | {"dropout": settings.dropout},
        "classes": list(prepared.data.classes),
        "several": prepared.data.several,
        "how": prepared.how,
        "remarks": prepared.remarks,
        "versions": versions(),
        "minutes": 0.0,
        "finished": False,
        "splits": split_lists(prepared),
    }
    clear_run(folder, (*RUN_FILES, f"{run['name']}.tflite", f"{run['name']}.weights.h5"))
    write_run(folder, run)
    return folder


@contextmanager
def silent(description, total):
    """No progress bar."""
    yield lambda: None


def go_on(folder, *, say, progress=silent):
    """Train a prepared run, or go on with one, and write its model and report.

    Args:
        folder: run folder.
        say: function(str), for what a person wants to know.
        progress: function(description, total) -> context manager of a function to call at
            each step, for a progress bar.
    Returns:
        content of run.json at the end: with scores, diagnosis and stopped.
    Raises:
        TrainingError: no run, finished already, NaN loss, or stopped before there was a
            model to keep.
    """
    folder = Path(folder)
    run = read_run(folder)
    if run["finished"]:
        raise TrainingError(
            f"{folder}: this run is finished, its report is {folder / 'report.html'}; start a new "
            "one to train longer"
        )
    start = time.perf_counter() - 60 * run["minutes"]
    training = open_training(folder, run)
    if training.chosen["epochs"]:
        write_sheet(training)
    failure, finished, interrupted = None, True, False
    try:
        stopped = train(training, say=say)
    except KeyboardInterrupt:
        finished, interrupted = False, True
        stopped = f"stopped with Ctrl-C after epoch {read_state(folder)['epoch']}"
    except TrainingError as error:
        failure, stopped = error, f"stopped: {error}"
    minutes = (time.perf_counter() - start) / 60
    if not read_state(folder)["epoch"]:
        write_run(folder, run | {"minutes": round(minutes, 2)})
        if interrupted:
            say(f"stopped before there was a model; go on with: cvtool finetune --resume {folder}")
            raise KeyboardInterrupt
        raise failure or TrainingError(f"{folder}: nothing was trained; start a new run")
    if stopped and failure is None:
        say(stopped)
    about = {"minutes": round(minutes, 2), "stopped": stopped}
    with progress("scoring", pictures_to_predict(training)) as advance:
        try:
            scored = finish(training, run, **about, say=say, on_picture=advance)
        except KeyboardInterrupt:
            say(f"the report is not written yet; go on with: cvtool finetune --resume {folder}")
            raise
    run = run | about | scored | {"finished": finished}
    write_run(folder, run)
    if failure is not None:
        raise TrainingError(f"{failure}; the best model so far is in {folder}") from failure
    return run


def network_of(settings):
    """Architecture, native size and a description in words of what will be trained.

    Raises:
        ModelError: no such network, or not one for classification.
    """
    if settings.from_scratch is not None:
        name = settings.from_scratch
        size = find_scratch(name).size
        return {"network": name, "scratch": True}, size, f"{name} from scratch"
    if settings.backbone in APPLICATIONS:
        size = APPLICATIONS[settings.backbone].size
        return {"network": settings.backbone}, size, f"{settings.backbone}, trained on ImageNet"
    preset = find_model(settings.backbone)
    if preset.task != "classify":
        raise ModelError(
            f'--backbone: model "{preset.name}" is for {preset.task}; give one that classifies'
        )
    architecture = dict(preset.architecture)
    if architecture.get("scratch") or architecture.get("top"):
        raise ModelError(
            f'--backbone: model "{preset.name}" has no backbone to take over; give tiny200 or a '
            f"name such as {next(iter(APPLICATIONS))}"
        )
    return architecture, preset.size, preset.name


def refuse_impossible(settings, architecture, chosen):
    """Raise the error of settings that training would only meet after minutes of work.

    Raises:
        ModelError: too small a size for a network from scratch.
        CvtoolError: --unfreeze names no layer.
    """
    if settings.from_scratch is not None:
        check_size(settings.from_scratch, chosen["size"])
    elif chosen["unfreeze"] not in PARTS:
        release(classifier(architecture, 2), chosen["unfreeze"], chosen["size"])


def name_of(dataset):
    """What a run of a data set is called: the folder's or file's name, without odd letters."""
    path = Path(dataset).resolve()
    stem = path.name if path.is_dir() else path.stem
    # runs/train says nothing: the folder above is the name of the set.
    if stem.lower() in ("train", "training") and path.parent.name:
        stem = path.parent.name
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in stem).strip("-") or "run"


def model_name(folder):
    """The name of a run's model and its files; not that of a checkpoint."""
    name = folder.resolve().name[:LONGEST_NAME]
    return f"{name}-model" if name in ("best", "last") else name


def write_sheet(training):
    """augmented.jpg: what the network sees of a few training pictures."""
    path = training.folder / SHEET_FILE
    if path.exists():
        return
    batches = training_batches(training, 0)
    train = training.splits["train"]
    rows = np.random.default_rng(training.settings.seed).permutation(train)[:SHEET_ROWS]
    labels = []
    for i in rows:
        named = np.flatnonzero(np.nan_to_num(training.targets[i]) > 0)
        labels.append(", ".join(training.classes[c] for c in named))
    pictures = [training.store[i] for i in rows]
    sheet = augmentation_sheet(pictures, labels, batches.augmented, side=training.chosen["size"])
    write_picture(path, sheet, overwrite=True)
