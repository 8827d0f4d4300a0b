"""Features of a frozen backbone, computed once and kept: the head trains on them in seconds."""

from __future__ import annotations

import keras
import numpy as np

from cvtool.classification.batches import ViewBatches, predict
from cvtool.classification.losses import training_loss
from cvtool.pictures.writing import whole_file
from cvtool.training.optimizers import optimizer_named, schedule_named

LEARNING_RATE = 3e-3
LARGEST_HALF = 65504.0


def cached_features(extractor, store, indices, path, *, mirrored=False, key=""):
    """The pooled features of pictures, read from a file if it holds them already.

    Args:
        extractor: keras.Model, pixels to features (N, D).
        store: `PictureStore`.
        indices: int (M,), which pictures.
        path: the .npz file that keeps them; None keeps none.
        mirrored: of the mirror images.
        key: what else the features depend on; a file with another key is made anew.
    Returns:
        float32 (M, D).
    Raises:
        OutputError: the file cannot be written.
    """
    indices = np.asarray(indices)
    if path is not None and path.exists():
        kept = _read(path)
        if kept and kept["key"] == key and np.array_equal(kept["indices"], indices):
            return kept["features"].astype(np.float32)
    features = predict(extractor, ViewBatches(store, indices, mirrored=mirrored))
    # Half precision: a tenth of a per cent of a feature decides nothing. Without a file too,
    # so that a resumed run trains on the same numbers.
    kept = np.clip(features, -LARGEST_HALF, LARGEST_HALF).astype(np.float16)
    if path is not None:
        with whole_file(path, overwrite=True) as part, part.open("wb") as stream:
            np.savez(stream, features=kept, indices=indices, key=key)
    return kept.astype(np.float32)


def train_head(
    features,
    targets,
    *,
    dev=None,
    several=False,
    epochs=30,
    batch=64,
    dropout=0.2,
    label_smoothing=0.1,
    weight_decay=0.02,
    seed=0,
    callbacks=(),
):
    """Train the last layer on cached features.

    Args:
        features: float32 (N, D).
        targets: float32 (N, C), -1 where a label is unknown.
        dev: (features, targets) to watch, or None.
        several: several labels a picture.
        epochs, batch, dropout, label_smoothing, weight_decay, seed: as in `Settings`.
        callbacks: more Keras callbacks.
    Returns:
        kernel float32 (D, C), bias float32 (C,), and the Keras history as a dict.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(features.shape[1:])
    x = keras.layers.Dropout(dropout, seed=seed)(inputs)
    dense = keras.layers.Dense(targets.shape[1], dtype="float32")
    head = keras.Model(inputs, dense(x))
    batch = min(batch, len(features))
    steps = epochs * -(-len(features) // batch)
    # Without label smoothing, as the dev loss of the later epochs.
    cross_entropy = keras.metrics.CategoricalCrossentropy(from_logits=True, name="cross_entropy")
    head.compile(
        optimizer_named(
            "adamw", schedule_named("cosine", LEARNING_RATE, steps), weight_decay=weight_decay
        ),
        training_loss(several, label_smoothing),
        metrics=[] if several else ["accuracy", cross_entropy],
    )
    history = head.fit(
        features,
        targets,
        validation_data=dev,
        batch_size=batch,
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
    )
    kernel, bias = dense.get_weights()
    return kernel, bias, history.history


def _read(path):
    """The arrays of a file of ours; None for any other, which is then made anew."""
    try:
        with np.load(path) as arrays:
            return {name: arrays[name] for name in ("features", "indices", "key")}
    except (OSError, ValueError, KeyError, EOFError):
        return None
    except Exception as error:
        if type(error).__name__ == "BadZipFile":
            return None
        raise
