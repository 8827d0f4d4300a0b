"""Checkpoints: a training that is killed goes on from its last whole epoch.

A run folder holds
    last.weights.h5   weights and optimiser state after the last whole epoch
    best.weights.h5   averaged weights of the epoch with the best score
    state.json        epochs done, best score and its epoch
    history.csv       one row an epoch
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from pathlib import Path

import keras
import numpy as np

from cvtool.errors import OutputError, TrainingError


@contextlib.contextmanager
def averaged_weights(model):
    """Put the optimiser's moving average in place of the weights for a while."""
    optimizer = model.optimizer
    # Before the first step there is nothing to average.
    if not getattr(optimizer, "use_ema", False) or not int(optimizer.iterations):
        yield
        return
    raw = [_copied(variable) for variable in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    # Under JAX, a variable and its average are now one array, which `predict` would give away.
    for variable in model.trainable_variables:
        variable.assign(_copied(variable))
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, raw, strict=True):
            variable.assign(value)


def _copied(variable):
    return keras.ops.convert_to_numpy(variable.value).copy()


def read_state(folder):
    """Read a run's state.

    Returns:
        dict with `epoch` (epochs done), `best` (best score or None) and
        `best_epoch`; zeros for a run that has not begun.
    Raises:
        TrainingError: the file is damaged.
    """
    path = Path(folder) / "state.json"
    if not path.exists():
        return {"epoch": 0, "best": None, "best_epoch": None}
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        return {"epoch": int(state["epoch"])} | {k: state[k] for k in ("best", "best_epoch")}
    except (ValueError, TypeError, KeyError) as error:
        raise TrainingError(f"{path}: damaged ({error}); start the training anew") from None


def resume(model, folder):
    """Load the last checkpoint of a run, optimiser state included, if there is one.

    Args:
        model: compiled network of the run's architecture.
        folder: run folder.
    Returns:
        the number of epochs already done.
    Raises:
        TrainingError: the checkpoint is damaged or missing.
    """
    folder = Path(folder)
    state = read_state(folder)
    if state["epoch"]:
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        load_checkpoint(model, folder / "last.weights.h5")
    return state["epoch"]


def load_checkpoint(model, path):
    """Load weights that `save_weights` wrote.

    Raises:
        TrainingError: the file is missing, damaged or of another network.
    """
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise TrainingError(
            f"{path}: the checkpoint cannot be read ({reason}); start the training anew"
        ) from None


def save_weights(model, path):
    """Save weights under a temporary name and rename, so that a kill leaves the old file.

    Raises:
        OutputError: the disk is full or the folder cannot be written; the old file stays.
    """
    path = Path(path)
    part = path.with_name(f"part-{path.name}")
    try:
        model.save_weights(part)
        os.replace(part, path)
    # HDF5 reports a full disk as RuntimeError on some ways to it.
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise _unwritable(path, error) from error


def write_state(folder, state):
    """Replace a run's state.

    Raises:
        OutputError: it cannot be written; the old state stays.
    """
    path = Path(folder) / "state.json"
    part = path.with_name("part-state.json")
    try:
        part.write_text(json.dumps(state), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path, error):
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return OutputError(
        f"{path}: the checkpoint cannot be written ({reason}); make room on the disk and go on "
        "from the checkpoint before"
    )


class Checkpoint(keras.callbacks.Callback):
    """After each epoch: score, history row, last and best weights.

    Args:
        folder: run folder, made if missing.
        score: function(model) -> dict of figures, called with the averaged
            weights in place; None to keep no best weights.
        metric: the figure that decides which epoch is best (higher is better).
        every: score only each so many epochs; the last one always.
    """

    def __init__(self, folder, score=None, metric=None, every=1):
        super().__init__()
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.score = score
        self.metric = metric
        self.every = every
        self.total_epochs = None  # set it when `fit` is called once a stage

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, **{k: float(v) for k, v in (logs or {}).items()}}
        row["learning_rate"] = float(np.asarray(self.model.optimizer.learning_rate))
        state = read_state(self.folder)
        last = epoch + 1 == (self.total_epochs or self.params.get("epochs"))
        if self.score and (last or (epoch + 1) % self.every == 0):
            with averaged_weights(self.model):
                figures = self.score(self.model)
                value = figures[self.metric]
                if state["best"] is None or value > state["best"]:
                    state |= {"best": value, "best_epoch": epoch + 1}
                    save_weights(self.model, self.folder / "best.weights.h5")
            row |= figures
            if logs is not None:
                logs |= figures
        append_history(self.folder / "history.csv", row)
        save_weights(self.model, self.folder / "last.weights.h5")
        # The state is written last: it names only what is already on disk.
        write_state(self.folder, state | {"epoch": epoch + 1})


def append_history(path, row):
    """Add a row to history.csv.

    Rows of epochs that a kill interrupted after they were written are dropped,
    and columns may differ from row to row (a score is not taken at each epoch).
    """
    rows = [r for r in read_history(path) if int(r["epoch"]) < row["epoch"]] + [row]
    columns = list(dict.fromkeys(key for r in rows for key in r))
    part = Path(path).with_name("part-history.csv")
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        os.replace(part, path)
    except OSError as error:
        raise _unwritable(path, error) from error


def read_history(path):
    """Read history.csv as a list of dicts of strings; empty if there is none."""
    path = Path(path)
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        # A row without its epoch is not ours, and there is nothing to draw of it.
        return [row for row in csv.DictReader(file) if (row.get("epoch") or "").isdigit()]
