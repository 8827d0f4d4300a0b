"""How a classifier's fine-tuning starts, and what it brings to the mechanism of runs."""

from __future__ import annotations

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
from cvtool.classification.settings import PARTS, Settings, chosen_for
from cvtool.classification.sheet import augmentation_sheet
from cvtool.errors import ModelError
from cvtool.models.applications import APPLICATIONS
from cvtool.models.presets import find_model
from cvtool.pictures.writing import check_output_folder, write_picture
from cvtool.training import runs
from cvtool.training.devices import training_strategy
from cvtool.training.page import counted
from cvtool.training.run_folder import choose_folder
from cvtool.training.runs import name_of, silent

SHEET_ROWS = 6

# The head has AdamW, a cosine and a rate of its own.
NOT_OF_THE_HEAD = ("optimizer", "learning_rate", "schedule", "warmup", "patience", "balance")


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
    if chosen["unfreeze"] == "head" and (idle := idle_options(settings)):
        say(
            f"{', '.join(idle)} without effect, for only the head is trained; release layers with "
            "--unfreeze last"
        )
    smaller = chosen["train_size"] < chosen["size"]
    crops = f", trained on crops of {chosen['train_size']}" if smaller else ""
    say(
        f"{words}; size {chosen['size']}{crops}, batch {chosen['batch']}, "
        f"{counted(chosen['epochs'], 'epoch', 'epochs')}, "
        f"learning rate {chosen['learning_rate']:g}"
    )
    refuse_impossible(settings, architecture, chosen)
    run = {
        "dataset": str(dataset),
        "model": words,
        "settings": settings.to_dict(),
        "chosen": chosen,
        "architecture": architecture | {"dropout": settings.dropout},
        "classes": list(prepared.data.classes),
        "several": prepared.data.several,
        "how": prepared.how,
        "remarks": prepared.remarks,
        "splits": split_lists(prepared),
    }
    runs.write_new_run(folder, TASK, run)
    return folder


def go_on(folder, *, say, progress=silent):
    """Train a prepared run, or go on with one; see `training.runs.go_on`."""
    return runs.go_on(folder, TASK, say=say, progress=progress)


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
    if any(architecture.get(kind) for kind in ("scratch", "top", "own")):
        raise ModelError(
            f'--backbone: model "{preset.name}" has no backbone to take over; give tiny200 or a '
            f"name such as {next(iter(APPLICATIONS))}"
        )
    return architecture, preset.size, preset.name


def idle_options(settings):
    """Options that were given another value, and that the training of a head does not heed."""
    plain = Settings()
    idle = [name for name in NOT_OF_THE_HEAD if getattr(settings, name) != getattr(plain, name)]
    # Without augmentation there are no mirror images among the cached features.
    if settings.augment not in (plain.augment, "none"):
        idle.append("augment")
    return [f"--{name.replace('_', '-')}" for name in idle]


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
    sheet = augmentation_sheet(pictures, labels, batches.augmented, side=training.train_size)
    write_picture(path, sheet, overwrite=True)


TASK = runs.Task(
    name="classify",
    files=RUN_FILES,
    open=open_training,
    write_sheet=write_sheet,
    train=train,
    count=pictures_to_predict,
    finish=finish,
)
