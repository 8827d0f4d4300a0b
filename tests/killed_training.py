"""Trainings that are killed or interrupted, and how they compare with others, for each task.

`finetuning` is the task's module of that name.
"""

from contextlib import contextmanager
from unittest.mock import patch

import h5py
import numpy as np

from cvtool.training.checkpoints import read_history, read_state


class Killed(BaseException):
    """Stands for SIGKILL: nothing that the code could catch and clean up after."""


def kill_at(monkeypatch, finetuning, step):
    """Let the training die at that step of this sitting."""
    seen = [0]

    class Kill(finetuning.StopOnNaN):
        def on_train_batch_end(self, batch, logs=None):
            seen[0] += 1
            if seen[0] == step:
                raise Killed

    monkeypatch.setattr(finetuning, "StopOnNaN", Kill)


def kill_after(monkeypatch, finetuning, epoch):
    """Let the training die as soon as that epoch's checkpoint is written."""

    class Kill(finetuning.Progress):
        def on_epoch_end(self, index, logs=None):
            if index + 1 == epoch:
                raise Killed

    monkeypatch.setattr(finetuning, "Progress", Kill)


@contextmanager
def ctrl_c_in(finetuning, epoch):
    """While it lasts, trainings are interrupted in the third step of that epoch."""

    class Interrupt(finetuning.StopOnNaN):
        def on_train_batch_end(self, batch, logs=None):
            if self.epoch + 1 == epoch and batch == 2:
                raise KeyboardInterrupt

    with patch.object(finetuning, "StopOnNaN", Interrupt):
        yield


def history(training, *keys):
    # A row without a loss is that of what the training started from.
    rows = [row for row in read_history(training.folder / "history.csv") if row["loss"]]
    return np.array([[float(row[key]) for key in keys] for row in rows])


def weights(training, name):
    found = []
    with h5py.File(training.folder / name) as file:
        file["layers"].visititems(
            lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None
        )
    return found


def assert_alike(training, whole, metrics):
    """Losses, rates, scores and weights are those of the uninterrupted training."""
    keys = "epoch", "loss", "learning_rate", *metrics
    np.testing.assert_allclose(history(training, *keys), history(whole, *keys), atol=1e-3)
    states = [read_state(one.folder) for one in (training, whole)]
    assert states[0]["best_epoch"] == states[1]["best_epoch"]
    for name in ("best.weights.h5", "last.weights.h5"):
        pairs = list(zip(weights(training, name), weights(whole, name), strict=True))
        assert len(pairs) > 15
        for one, other in pairs:
            np.testing.assert_allclose(one, other, atol=1e-4)
