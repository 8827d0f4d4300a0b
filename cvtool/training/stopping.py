"""Reasons for a training to end before its last epoch."""

from __future__ import annotations

import math

import keras

from cvtool.errors import TrainingError
from cvtool.training.checkpoints import read_state


class StopOnNaN(keras.callbacks.Callback):
    """Stop at the first step whose loss is no number, and say what to try.

    Raises:
        TrainingError: naming epoch and step.
    """

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss):
            return
        rate = self.model.optimizer.learning_rate
        tenth = float(keras.ops.convert_to_numpy(rate)) / 10
        raise TrainingError(
            f"the loss became {loss} at step {batch + 1} of epoch {self.epoch + 1}; try a lower "
            f"--learning-rate, such as {tenth:.1g}, or a longer --warmup"
        )


class StopWithoutGain(keras.callbacks.Callback):
    """Early stopping: end after `patience` epochs without a better score.

    The best score is read from the run's state, so a resumed training counts on.

    Args:
        folder: run folder, see `Checkpoint`, which must come before in the list.
        patience: epochs; 0 never stops.
    Attributes:
        stopped: the training is over; true from the start where a resumed one was already.
    """

    def __init__(self, folder, patience):
        super().__init__()
        self.folder, self.patience = folder, patience
        # A run may have been killed between its last epoch and its report.
        self.stopped = self._is_over(read_state(folder)["epoch"])

    def on_epoch_end(self, epoch, logs=None):
        if self._is_over(epoch + 1):
            self.model.stop_training = self.stopped = True

    def _is_over(self, epochs):
        best = read_state(self.folder)["best_epoch"]
        return bool(self.patience) and best is not None and epochs - best >= self.patience
