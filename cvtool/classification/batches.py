"""Batches of augmented pictures for training, and plain views for everything else."""

from __future__ import annotations

import keras
import numpy as np

from cvtool.classification.augmentation import augment
from cvtool.classification.mixing import mix
from cvtool.errors import CvtoolError


class ClassificationBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches, the last one smaller where the set does not divide.

    The random numbers of a batch depend on the seed, the epoch and its index alone, so
    that a resumed training sees what an uninterrupted one would have seen.

    Args:
        store: `PictureStore`.
        targets: float32 (N, C): one-hot rows, or 0, 1 and NaN for several labels a picture.
        indices: int (M,), the pictures to train on.
        side: of the squares that come out, pixels.
        batch: pictures a step.
        augmentation: `augmentation.Augmentation`.
        colour_basis: for PCA colour augmentation, see `augmentation.colour_basis`.
        balance: draw the classes equally often, with repetition.
        seed, epoch: where the random numbers start.
    """

    def __init__(
        self,
        store,
        targets,
        indices,
        *,
        side,
        batch,
        augmentation,
        colour_basis=None,
        balance=False,
        seed=0,
        epoch=0,
    ):
        super().__init__(workers=2, max_queue_size=8)
        self.store, self.targets = store, targets
        self.indices = np.asarray(indices)
        self.side, self.batch = side, batch
        self.augmentation, self.colour_basis = augmentation, colour_basis
        self.weights = balanced_weights(targets[self.indices]) if balance else None
        self.seed, self.epoch = seed, epoch
        self.problem = None  # the error of a picture, see __getitem__
        self.shuffle()

    def shuffle(self):
        rng = np.random.default_rng([self.seed, self.epoch])
        if self.weights is None:
            self.order = rng.permutation(self.indices)
        else:
            self.order = rng.choice(self.indices, len(self.indices), p=self.weights)

    def on_epoch_end(self):
        self.epoch += 1
        self.shuffle()

    def __len__(self):
        return -(-len(self.indices) // self.batch)

    def __getitem__(self, index):
        """Pictures uint8 (batch, side, side, 3) and targets float32 (batch, C), -1 for unknown."""
        rng = np.random.default_rng([self.seed, self.epoch, index])
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        try:
            pictures = np.stack([self.augmented(self.store[i], rng) for i in chosen])
        except CvtoolError as error:
            # It comes to `fit` from another thread, in the framework's words; kept for ours.
            self.problem = error
            raise
        targets = self.targets[chosen]
        if self.augmentation.mixup or self.augmentation.cutmix:
            pictures, targets = mix(pictures, targets, rng, self.augmentation)
        return pictures, np.nan_to_num(targets, nan=-1.0)

    def augmented(self, pixels, rng):
        """One picture as the network sees it."""
        return augment(pixels, self.side, rng, self.augmentation, self.colour_basis)


class ViewBatches(keras.utils.PyDataset):
    """Centre views in order, uint8 (batch, side, side, 3), for predicting.

    Args:
        store: `PictureStore`.
        indices: int (M,), which pictures.
        mirrored: their mirror images instead.
        keep: they will be asked for again, so the store keeps them.
    """

    def __init__(self, store, indices, *, mirrored=False, keep=False, batch=64):
        super().__init__(workers=2, max_queue_size=8)
        self.store, self.indices = store, np.asarray(indices)
        self.batch, self.mirrored, self.keep = batch, mirrored, keep
        self.problem = None  # the error of a picture, see `predict`

    def __len__(self):
        return -(-len(self.indices) // self.batch)

    def __getitem__(self, index):
        chosen = self.indices[index * self.batch : (index + 1) * self.batch]
        try:
            views = np.stack([self.store.view(i, keep=self.keep) for i in chosen])
        except CvtoolError as error:
            self.problem = error
            raise
        return views[:, :, ::-1] if self.mirrored else views


def predict(model, batches):
    """A network's outputs for ViewBatches, as float32 array.

    Raises:
        PictureError: a picture cannot be read any more. (It comes to Keras from another
            thread, and would come out of it in the framework's own words.)
    """
    try:
        return model.predict(batches, verbose=0).astype(np.float32)
    except Exception:
        if batches.problem is not None:
            raise batches.problem from None
        raise


def balanced_weights(targets):
    """Probability of drawing each picture so that the classes come equally often.

    Args:
        targets: float32 (N, C), one-hot or 0, 1 and NaN.
    Returns:
        float64 (N,), sum 1. A picture of several labels counts as its rarest one.
    """
    present = np.nan_to_num(targets) > 0
    frequency = np.maximum(present.sum(axis=0), 1)
    rarest = np.where(present, frequency, len(targets)).min(axis=1)
    weights = 1 / rarest
    return weights / weights.sum()


def one_hot(labels, classes):
    """Targets float32 (N, C) of class ids (N,); labels that are 2-D already come back as they are.

    Returns:
        float32 (N, C).
    """
    labels = np.asarray(labels)
    if labels.ndim == 2:
        return labels.astype(np.float32)
    return np.eye(classes, dtype=np.float32)[labels]
