"""What a person sees of a training: a line an epoch with the time left, and curves."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import keras

from cvtool.training.checkpoints import read_history


class Progress(keras.callbacks.Callback):
    """One line an epoch on stderr, with the time left for the whole training.

    On a terminal a second, moving line shows the step within the epoch.

    Args:
        epochs: epochs of the whole training, all stages together.
        stream: where to write; stderr by default.
    """

    def __init__(self, epochs, stream=None):
        super().__init__()
        self.epochs = epochs
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch_start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        steps = self.params.get("steps")
        if self.live and batch % 10 == 9 and steps:
            seconds = (time.perf_counter() - self.epoch_start) / (batch + 1)
            left = seconds * (steps - batch - 1)
            loss = (logs or {}).get("loss", float("nan"))
            self.stream.write(f"\r  step {batch + 1}/{steps}  loss {loss:.4f}  {clock(left)} left ")
            self.stream.flush()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.epoch_start)
        # The last epochs speak for the coming ones: picture sizes may grow.
        recent = self.seconds[-3:]
        left = sum(recent) / len(recent) * (self.epochs - epoch - 1)
        figures = "  ".join(f"{k} {float(v):.4f}" for k, v in (logs or {}).items())
        clear = "\r\x1b[K" if self.live else ""
        print(
            f"{clear}epoch {epoch + 1}/{self.epochs}  {figures}  "
            f"{clock(self.seconds[-1])}, {clock(left)} left",
            file=self.stream,
            flush=True,
        )


def clock(seconds):
    """Write a duration as h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def plot_history(folder):
    """Draw a run's history.csv as curves.png: losses on the left, scores on the right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = read_history(Path(folder) / "history.csv")
    columns = [c for c in (rows[0] if rows else {}) if c not in ("epoch", "learning_rate")]
    sides = [
        [c for c in columns if "loss" in c],
        [c for c in columns if "loss" not in c],
    ]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for axis, names in zip(axes, sides, strict=True):
        for name in names:
            points = [(int(r["epoch"]), float(r[name])) for r in rows if r.get(name)]
            axis.plot(*zip(*points, strict=True), marker=".", label=name)
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
        if names:
            axis.legend()
    figure.tight_layout()
    path = Path(folder) / "curves.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
