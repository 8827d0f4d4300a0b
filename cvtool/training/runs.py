"""One training from its first line to its report, and the going on with one, for every task."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cvtool.errors import TrainingError
from cvtool.training.checkpoints import read_state
from cvtool.training.run_folder import clear_run, read_run, versions, write_run

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Task:
    """What a task brings to its trainings.

    Attributes:
        name: as run.json and models call it: "classify", "detect", "segment", "verify".
        files: glob patterns of what a run writes, but for the files that carry its name.
        open: function(folder, run) -> the training, ready to be worked on.
        write_sheet: function(training): a picture of the training pictures as the network
            sees them.
        train: function(training, say=) -> why it ended early, or None. best.weights.h5
            holds the best network so far, also when it is interrupted.
        count: function(training) -> how many pictures `finish` will look at.
        finish: function(training, run, minutes=, stopped=, say=, on_picture=) -> dict for
            run.json, with scores and diagnosis; writes the model and the report.
    """

    name: str
    files: tuple[str, ...]
    open: Callable
    write_sheet: Callable
    train: Callable
    count: Callable
    finish: Callable


@contextmanager
def silent(description, total):
    """No progress bar."""
    yield lambda: None


def write_new_run(folder, task, content):
    """Make a run folder with its run.json, in place of what an earlier run left in it.

    Args:
        folder: from `run_folder.choose_folder`.
        task: Task.
        content: of run.json: dataset, model, settings, chosen, classes, splits and what else
            the task needs to open it.
    Raises:
        OutputError: it cannot be written.
    """
    name = model_name(folder)
    own = (f"{name}.tflite", f"{name}.weights.h5", f"wide-{name}.weights.h5")
    clear_run(folder, (*task.files, *own))
    start = {"name": name, "task": task.name}
    end = {"versions": versions(), "minutes": 0.0, "finished": False}
    write_run(folder, start | content | end)


def go_on(folder, task, *, say, progress=silent):
    """Train a prepared run, or go on with one, and write its model and report.

    Args:
        folder: run folder.
        task: Task of the run.
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
    training = task.open(folder, run)
    if training.chosen["epochs"]:
        task.write_sheet(training)
    failure, finished, interrupted = None, True, False
    try:
        stopped = task.train(training, say=say)
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
    with progress("scoring", task.count(training)) as advance:
        try:
            scored = task.finish(training, run, **about, say=say, on_picture=advance)
        except KeyboardInterrupt:
            say(f"the report is not written yet; go on with: cvtool finetune --resume {folder}")
            raise
    run = run | about | scored | {"finished": finished}
    write_run(folder, run)
    if failure is not None:
        raise TrainingError(f"{failure}; the best model so far is in {folder}") from failure
    return run


def name_of(dataset):
    """What a run of a data set is called: the folder's or file's name, without odd letters."""
    path = Path(dataset).resolve()
    stem = path.name if path.is_dir() else path.stem
    # runs/train says nothing: the folder above is the name of the set.
    if stem.lower() in ("train", "training", "data") and path.parent.name:
        stem = path.parent.name
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in stem).strip("-") or "run"


def model_name(folder):
    """The name of a run's model and its files; not that of a checkpoint."""
    name = folder.resolve().name[:LONGEST_NAME]
    return f"{name}-model" if name in ("best", "last") else name
