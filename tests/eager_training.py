"""Trainings that run step by step: quicker than compiling for a few of them."""

from __future__ import annotations

from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def eager_training(finetuning):
    """While it lasts, the trainings of a task are not compiled.

    Args:
        finetuning: the task's module, with a `train_phase`.
    """
    import tensorflow

    real = finetuning.train_phase

    def train_phase(*arguments):
        tensorflow.config.run_functions_eagerly(True)
        try:
            return real(*arguments)
        finally:
            tensorflow.config.run_functions_eagerly(False)

    with patch.object(finetuning, "train_phase", train_phase):
        yield
