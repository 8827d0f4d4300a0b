"""Batches of augmented pictures and targets for a segmentation network's training."""

from __future__ import annotations

import keras
import numpy as np

from cvtool.datasets.mask_files import mask_of
from cvtool.errors import CvtoolError
from cvtool.pictures.reading import read_picture
from cvtool.segmentation.augmentation import Augmentation, augment
from cvtool.segmentation.targets import make_targets
from cvtool.training.balance import balanced_order


class SegmentationBatches(keras.utils.PyDataset):
    """Training batches of one input size, shuffled and balanced by class.

    The random numbers of a batch depend on the seed, the epoch and its index alone, so a
    resumed training sees what an uninterrupted one would have.

    Args:
        dataset: MaskDataset.
        size: side of the square input in pixels.
        batch: pictures in a batch.
        seed, epoch: see above; `epoch` is the first one to be drawn.
        augmentation: see `augmentation.Augmentation`.
        patches: cut squares out of the pictures instead of shrinking them whole.
        factors: float (examples,), how often to show each picture, see
            `training.balance.repeat_factors`; None for all alike.
        steps: batches in an epoch; None for as many as show each picture once.
        class_weights, boundary: see `targets.make_targets`.
        cache: dict, or `training.memory.BoundedCache`, that keeps decoded pictures; None
            decodes them each time.
        workers: threads that prepare batches.

    A batch is uint8 (N, size, size, 3) and float32 (N, size, size, 2), see `make_targets`.
    """

    def __init__(
        self,
        dataset,
        size,
        batch,
        *,
        seed=0,
        epoch=0,
        augmentation=None,
        patches=False,
        factors=None,
        steps=None,
        class_weights=None,
        boundary=0.0,
        cache=None,
        workers=1,
    ):
        super().__init__(workers=workers, max_queue_size=8)
        self.examples = dataset.examples
        self.dataset = dataset
        self.size, self.batch = size, batch
        self.seed, self.epoch = seed, epoch
        self.augmentation = augmentation or Augmentation()
        self.patches = patches
        self.factors = np.ones(len(self.examples)) if factors is None else factors
        self.steps = steps or max(1, len(self.examples) // batch)
        self.class_weights, self.boundary = class_weights, boundary
        self.cache = cache
        self.problem = None  # the error of a picture, see __getitem__
        self.shuffle()

    def shuffle(self):
        rng = np.random.default_rng([self.seed, self.epoch])
        self.order = balanced_order(self.factors, self.steps * self.batch, rng)

    def on_epoch_end(self):
        self.epoch += 1
        self.shuffle()

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, self.epoch, index])
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        try:
            samples = [self.sample(i, rng) for i in chosen]
        except CvtoolError as error:
            # It comes to `fit` from another thread, in the framework's words; kept for ours.
            self.problem = error
            raise
        pixels, targets = zip(*samples, strict=True)
        return np.stack(pixels), np.stack(targets)

    def sample(self, index, rng):
        """One augmented picture and its targets."""
        pixels, mask = augment(
            *self.read(index), self.size, rng, self.augmentation, patches=self.patches
        )
        return pixels, make_targets(mask, self.class_weights, self.boundary)

    def read(self, index):
        """The example as (pixels, mask)."""
        kept = None if self.cache is None else self.cache.get(index)
        if kept is not None:
            return kept
        example = self.examples[index]
        pixels = read_picture(example.path)
        mask = mask_of(self.dataset, example, pixels.shape[:2])
        sample = pixels, mask
        if self.cache is not None:
            self.cache[index] = sample
        return sample
