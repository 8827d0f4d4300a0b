"""The files of a trained network in its run folder."""

from __future__ import annotations

import os

from cvtool.errors import OutputError
from cvtool.models.saving import save_model

KERAS_FILE = "model.keras"


def export_network(network, folder, description):
    """Write a network in every format that a run promises.

    That is what `models.saving.save_model` writes, and model.keras.

    Args:
        network: keras.Model with its trained weights.
        folder: pathlib.Path of the run.
        description: see `models.saving.save_model`.
    Raises:
        OutputError: it cannot be written.
    """
    part = folder / f"part-{KERAS_FILE}"
    try:
        save_model(network, folder, description)
        network.save(part)
        os.replace(part, folder / KERAS_FILE)
    except OSError as error:
        raise OutputError(
            f"{folder}: the model cannot be written ({error.strerror}); make room and go on with "
            "--resume"
        ) from error
