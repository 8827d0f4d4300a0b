"""Which task `cvtool finetune` trains for, and the options that each task has."""

from __future__ import annotations

import os
from pathlib import Path

import typer

# What --resume may be combined with; everything else is in the run already.
WITH_RESUME = {"resume", "as_json"}

# Where each task's runs and settings are.
PACKAGES = {
    "classify": "classification",
    "detect": "detection",
    "segment": "segmentation",
    "verify": "faces",
}
# What models and runs call a task that --task calls otherwise.
CALLED = {"faces": "verify"}

# Options that not every task has; of these, what is said about the data rather than the training.
ONLY = {
    **dict.fromkeys(
        ("target", "unfreeze", "head_epochs", "dropout", "label_smoothing", "human_error"),
        ("classify",),
    ),
    **dict.fromkeys(
        ("pictures", "from_scratch", "size", "balance"), ("classify", "detect", "segment")
    ),
    **dict.fromkeys(("force",), ("detect", "segment")),
    **dict.fromkeys(("freeze",), ("detect", "segment", "verify")),
    **dict.fromkeys(("loss", "boundary"), ("segment",)),
}
DATA = {
    "classify": ("pictures", "split", "test", "target"),
    "detect": ("pictures", "split", "test", "force"),
    "segment": ("pictures", "split", "test", "force", "masks", "classes"),
    "verify": ("split", "test"),
}
# What an error says of a task: whom an option is for, and what a data set has.
TRAINED = {
    "classify": "classifiers",
    "detect": "detectors",
    "segment": "segmenters",
    "verify": "face models",
}
SHOWN = {
    "classify": "no boxes or masks",
    "detect": "boxes, which train a detector",
    "segment": "masks, which train a segmenter",
    "verify": "people, who train a face model",
}


def choose_task(
    asked: str,
    dataset: Path,
    pictures: Path | None,
    masks: Path | None,
    classes: Path | None,
    backbone: str | None,
) -> str:
    """The task to train for: what was asked for, or what follows from data set and model.

    Folders of people look like folders of classes. They train a face model if it is asked for, or
    where a face model is what to start from.

    Args:
        asked: of --task: "auto" for what follows.
        dataset, pictures, masks, classes, backbone: as on the command line.
    Raises:
        DatasetError: there is nothing.
        typer.BadParameter: the data set is for another task than that asked for.
    """
    shown = task_of(dataset, pictures, masks, classes)
    task = CALLED.get(asked, asked)
    if task == "auto":
        is_faces = shown == "classify" and backbone is not None and for_faces(backbone)
        return "verify" if is_faces else shown
    if task != shown and (task, shown) != ("verify", "classify"):
        raise typer.BadParameter(f"--task {asked}: {dataset} has {SHOWN[shown]}")
    return task


def for_faces(model: str) -> bool:
    """Whether a name is that of a face model; of what is no model, its task will say so."""
    from cvtool.errors import ModelError
    from cvtool.models.presets import find_model

    try:
        return find_model(model).task == "verify"
    except ModelError:
        return False


def task_of(dataset: Path, pictures: Path | None, masks: Path | None, classes: Path | None) -> str:
    """What a data set trains: "segment" where it has masks, "detect" with boxes, else "classify".

    Args:
        dataset, pictures, masks, classes: as on the command line.
    Raises:
        DatasetError: there is nothing, of which no option could be said to be wrong.
    """
    from cvtool.datasets.boxed_layouts import may_have_boxes
    from cvtool.datasets.masked_layout import recognise_masks
    from cvtool.errors import DatasetError

    if not os.path.exists(dataset):
        raise DatasetError(f"{dataset}: no such file or folder; check the path")
    if masks or classes or recognise_masks(dataset, pictures):
        return "segment"
    return "detect" if may_have_boxes(dataset) else "classify"


def task_of_run(folder: Path) -> str:
    """The task of a run that was begun.

    Raises:
        TrainingError: no run there, a damaged one, or one of a task that this version does not
            train.
    """
    from cvtool.errors import TrainingError
    from cvtool.training.run_folder import RUN_FILE, read_run

    task = read_run(folder).get("task")
    if task is None:
        raise TrainingError(
            f"{folder / RUN_FILE}: damaged, it has no task; start the training anew"
        )
    if task not in PACKAGES:
        raise TrainingError(f'{folder}: a training for "{task}", which this cvtool does not know')
    return task


def options_given(ctx: typer.Context) -> set[str]:
    """Names of the options that were on the command line."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}


def refuse_other_task(given: set[str], task: str, dataset: Path) -> None:
    """Options of other tasks would be ignored, so they are refused."""
    for name in sorted(given):
        if name in ONLY and task not in ONLY[name]:
            *others, last = (TRAINED[other] for other in ONLY[name])
            only = f"{', '.join(others)} and {last}" if others else last
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(f"{option} is for {only}, and {dataset} has {SHOWN[task]}")


def refuse_more_than_resume(given: set[str]) -> None:
    """Options beside --resume would be ignored, so they are refused."""
    for name in sorted(given - WITH_RESUME):
        option = f"--{name.replace('_', '-')}"
        raise typer.BadParameter(f"{option} cannot change a run that is resumed; leave it out")
