"""Batches of faces for training: all pictures in turn, or several pictures of several people."""

from __future__ import annotations

import keras
import numpy as np

from cvtool.faces.augmentation import FaceAugmentation, augment


class FaceBatches(keras.utils.PyDataset):
    """Training batches, shuffled.

    The random numbers of a batch depend on the seed, the epoch and its index alone, so a
    resumed training sees what an uninterrupted one would have.

    Args:
        faces: uint8 (N, S, S, 3): aligned faces with a border, see `augmentation.augment`.
        labels: int (N,): the number of each face's person.
        size: side of what the network sees, pixels.
        people, pictures: a batch holds `people` people (P) with `pictures` pictures each (K), of
            the people with two pictures or more. With `people` None it holds `pictures` pictures
            of anybody.
        steps: batches in an epoch; None for as many as show each picture once.
        seed, epoch: see above; `epoch` is the first one to be drawn.
        augmentation: FaceAugmentation.
        workers: threads that prepare batches.

    A batch is uint8 (B, size, size, 3) and int32 (B,).
    """

    # For `training.phases.fit`: nothing is read from a file, so no picture fails.
    problem = None

    def __init__(
        self,
        faces,
        labels,
        size,
        *,
        people=None,
        pictures=64,
        steps=None,
        seed=0,
        epoch=0,
        augmentation=None,
        workers=1,
    ):
        super().__init__(workers=workers, max_queue_size=8)
        self.faces, self.labels = faces, np.asarray(labels, np.int32)
        self.size, self.people, self.pictures = size, people, pictures
        self.augmentation = augmentation or FaceAugmentation()
        self.seed, self.epoch = seed, epoch
        numbers, counts = np.unique(self.labels, return_counts=True)
        self.several = [np.flatnonzero(self.labels == n) for n in numbers[counts > 1]]
        batch = pictures * (people or 1)
        self.steps = steps or max(1, len(self.labels) // batch)
        self.shuffle()

    def shuffle(self):
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.labels))

    def on_epoch_end(self):
        self.epoch += 1
        self.shuffle()

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, self.epoch, index])
        chosen = self.draw(index, rng)
        pixels = [augment(self.faces[i], self.size, rng, self.augmentation) for i in chosen]
        return np.stack(pixels), self.labels[chosen]

    def draw(self, index, rng):
        """Positions of a batch's faces."""
        if self.people is None:
            start = index * self.pictures
            return np.take(self.order, range(start, start + self.pictures), mode="wrap")
        groups = rng.permutation(len(self.several))[: self.people]
        # Who has fewer pictures comes with one of them twice, changed in another way.
        return np.concatenate(
            [np.resize(rng.permutation(self.several[group]), self.pictures) for group in groups]
        )
