"""A fine-tuning from its first line to its report, and the going on with one."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from cvtool.classification.finetuning import open_training, train, training_batches
from cvtool.classification.finishing import finish, pictures_to_predict
from cvtool.classification.networks import classifier
from cvtool.classification.preparation import prepare, split_lists
from cvtool.classification.release import release
from cvtool.classification.scratch import check_size, find_scratch
from cvtool.classification.settings import PARTS, chosen_for
from cvtool.classification.sheet import augmentation_sheet
from cvtool.errors import ModelError, TrainingError
from cvtool.models.applications import APPLICATIONS
from cvtool.models.presets import find_model
from cvtool.pictures.writing import write_picture
from cvtool.training.checkpoints import read_state
from cvtool.training.devices import training_strategy
from cvtool.training.run_folder import new_run, read_run, versions, write_run

SHEET_ROWS = 6


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
        out, overwrite: see `training.run_folder.new_run`.
        say: function(str), for what a person wants to know.
        on_picture: called after each picture is checked.
    Returns:
        the run folder, whose run.json says everything that `go_on` needs.
    Raises:
        CvtoolError: a mistake in the data set or the settings; nothing is left behind.
    """
    architecture, native_size, words = network_of(settings)
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
    folder = new_run(name_of(dataset), out, overwrite=overwrite)
    run = {
        "name": folder.resolve().name,
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
    write_run(folder, run)
    return folder


def go_on(folder, *, say, progress=None):
    """Train a prepared run, or go on with one, and write its model and report.

    Args:
        folder: run folder.
        say: function(str), for what a person wants to know.
        progress: function(description, total) -> context manager of a function to call at
            each step, for a progress bar; or None.
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
    write_sheet(training)
    failure, finished = None, True
    try:
        stopped = train(training, say=say)
    except KeyboardInterrupt:
        finished = False
        stopped = f"stopped with Ctrl-C after epoch {read_state(folder)['epoch']}"
    except TrainingError as error:
        failure, stopped = error, f"stopped: {error}"
    minutes = (time.perf_counter() - start) / 60
    if not read_state(folder)["epoch"]:
        write_run(folder, run | {"minutes": round(minutes, 2)})
        again = f"go on with: cvtool finetune --resume {folder}"
        raise failure or TrainingError(f"stopped before there was a model; {again}")
    if stopped:
        say(stopped)
    about = {"minutes": round(minutes, 2), "stopped": stopped}
    if progress is None:
        scored = finish(training, run, **about)
    else:
        with progress("scoring", pictures_to_predict(training)) as advance:
            scored = finish(training, run, **about, on_picture=advance)
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
        DeviceError: --gpus all without two GPUs.
        ModelError: too small a size for a network from scratch.
        CvtoolError: --unfreeze names no layer.
    """
    training_strategy(settings.gpus)
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


def write_sheet(training):
    """augmented.jpg: what the network sees of a few training pictures."""
    path = training.folder / "augmented.jpg"
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
