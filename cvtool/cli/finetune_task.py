"""What `cvtool finetune` trains, a classifier, a detector or a segmenter, and its options."""

from __future__ import annotations

import os
from pathlib import Path

import typer

# What --resume may be combined with; everything else is in the run already.
WITH_RESUME = {"resume", "as_json"}

# Where each task's runs and settings are.
PACKAGES = {"classify": "classification", "detect": "detection", "segment": "segmentation"}

# Options that not every task has; of these, what is said about the data rather than the training.
ONLY = {
    **dict.fromkeys(
        ("target", "unfreeze", "head_epochs", "dropout", "label_smoothing", "human_error"),
        ("classify",),
    ),
    **dict.fromkeys(("freeze", "force"), ("detect", "segment")),
    **dict.fromkeys(("loss", "boundary"), ("segment",)),
}
OWN_DATA = {
    "classify": ("target",),
    "detect": ("force",),
    "segment": ("force", "masks", "classes"),
}
# What an error says of a task: whom an option is for, and what a data set has.
TRAINED = {"classify": "classifiers", "detect": "detectors", "segment": "segmenters"}
SHOWN = {
    "classify": "no boxes or masks",
    "detect": "boxes, which train a detector",
    "segment": "masks, which train a segmenter",
}


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
            only = " and ".join(TRAINED[other] for other in ONLY[name])
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(f"{option} is for {only}, and {dataset} has {SHOWN[task]}")


def refuse_more_than_resume(given: set[str]) -> None:
    """Options beside --resume would be ignored, so they are refused."""
    for name in sorted(given - WITH_RESUME):
        option = f"--{name.replace('_', '-')}"
        raise typer.BadParameter(f"{option} cannot change a run that is resumed; leave it out")
