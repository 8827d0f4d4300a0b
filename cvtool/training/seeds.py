"""Random numbers inside the network that a resumed training draws again."""

from __future__ import annotations

import keras
import numpy as np


class SeedEachEpoch(keras.callbacks.Callback):
    """Seed every dropout layer at the start of each epoch.

    A layer's random state is not part of the checkpoints; this way it follows from the
    seed and the epoch, whatever came before.

    Args:
        seed: of the training.
    """

    def __init__(self, seed):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        for number, generator in enumerate(generators(self.model)):
            state = np.random.default_rng([self.seed, epoch, number]).integers(2**32, size=2)
            generator.state.assign(state.astype(np.uint32))


def generators(model):
    """The `keras.random.SeedGenerator` of each layer that has one, nested models included."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += generators(layer)
        elif getattr(layer, "seed_generator", None) is not None:
            found.append(layer.seed_generator)
    return found
