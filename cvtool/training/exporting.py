"""The files of a trained network in its run folder."""

from __future__ import annotations

import os
from contextlib import suppress

from cvtool.errors import OutputError
from cvtool.models.saving import save_model

KERAS_FILE = "model.keras"


def export_network(network, folder, description, *, for_litert=None):
    """Write a network in every format that a run promises.

    That is what `models.saving.save_model` writes, and model.keras.

    Args:
        network: keras.Model with its trained weights.
        folder: pathlib.Path of the run.
        description, for_litert: see `models.saving.save_model`.
    Raises:
        OutputError: it cannot be written.
    """
    part = folder / f"part-{KERAS_FILE}"
    try:
        save_model(network, folder, description, for_litert=for_litert)
        network.save(part)
        os.replace(part, folder / KERAS_FILE)
    # HDF5 reports a full disk as RuntimeError on some ways to it.
    except (OSError, RuntimeError) as error:
        with suppress(OSError):
            part.unlink()
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise OutputError(
            f"{folder}: the model cannot be written ({reason}); make room and go on with --resume"
        ) from error
