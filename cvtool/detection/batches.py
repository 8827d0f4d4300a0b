"""Batches of augmented pictures and encoded boxes for a detector's training."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import keras
import numpy as np

from cvtool.detection.augmentation import (
    MOSAIC_ZOOM,
    flip_horizontal,
    jitter_colour,
    mixup,
    mosaic,
    random_affine,
)
from cvtool.detection.encoding import encode
from cvtool.detection.grid import STRIDES
from cvtool.errors import CvtoolError
from cvtool.pictures.reading import read_picture
from cvtool.training.balance import balanced_order, repeat_factors


@dataclass(frozen=True)
class Augmentation:
    """How strongly training pictures are changed; probabilities in [0, 1].

    Attributes:
        mosaic: how often four pictures are put together; else one is used.
        mixup: how often the result is blended with a second such picture.
        scale: smallest and largest size of a single picture on the square.
        zoom: smallest and largest size of a picture of a mosaic on its quadrant.
        stretch: its aspect ratio changes by at most this factor.
        translate: how far it may leave the square, as a share of it.
        mirror: how often the result is mirrored left to right.
        colour: how often its colours are changed.
    """

    mosaic: float = 0.5
    mixup: float = 0.0
    scale: tuple[float, float] = (0.6, 1.5)
    zoom: tuple[float, float] = MOSAIC_ZOOM
    stretch: float = 1.15
    translate: float = 0.1
    mirror: float = 0.5
    colour: float = 1.0


AUGMENTATIONS = {
    "none": Augmentation(
        mosaic=0.0, scale=(1.0, 1.0), stretch=1.0, translate=0.0, mirror=0.0, colour=0.0
    ),
    "light": Augmentation(),
    "strong": Augmentation(mosaic=0.8, mixup=0.1, scale=(0.4, 1.8), stretch=1.3),
}


class DetectionBatches(keras.utils.PyDataset):
    """Training batches of one input size, shuffled and balanced by class.

    The random numbers of a batch depend on the seed, the epoch and its index
    alone, so a resumed training sees what an uninterrupted one would have.

    Args:
        dataset: DetectionDataset.
        anchors: float array-like (S, A, 2) in pixels of this input size.
        size: side of the square input in pixels.
        batch: pictures in a batch.
        seed, epoch: see above; `epoch` is the first one to be drawn.
        augmentation: see Augmentation.
        cache: dict, or `training.memory.BoundedCache`, shared between stages that keeps
            decoded pictures; None decodes them each time.
        balance: see `training.balance.repeat_factors`.
        workers: threads that prepare batches.

    A batch is uint8 (N, size, size, 3) and float32 (N, P, 6), see `encode`.
    """

    def __init__(
        self,
        dataset,
        anchors,
        size,
        batch,
        *,
        seed=0,
        epoch=0,
        augmentation=None,
        strides=STRIDES,
        cache=None,
        balance=0.1,
        workers=1,
    ):
        super().__init__(workers=workers, max_queue_size=8)
        self.examples = dataset.examples
        self.anchors, self.strides = anchors, strides
        self.size, self.batch = size, batch
        self.seed, self.epoch = seed, epoch
        self.augmentation = augmentation or Augmentation()
        self.cache = cache
        self.problem = None  # the error of a picture, see __getitem__
        self.factors = repeat_factors(classes_present(dataset), balance)
        self.shuffle()

    def shuffle(self):
        rng = np.random.default_rng([self.seed, self.epoch])
        self.order = balanced_order(self.factors, len(self) * self.batch, rng)

    def on_epoch_end(self):
        self.epoch += 1
        self.shuffle()

    def __len__(self):
        return max(1, len(self.examples) // self.batch)

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, self.epoch, index])
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        try:
            samples = [self.sample(i, rng) for i in chosen]
        except CvtoolError as error:
            # It comes to `fit` from another thread, in the framework's words; kept for ours.
            self.problem = error
            raise
        targets = [
            encode(boxes, class_ids, self.size, self.anchors, self.strides)
            for _, boxes, class_ids in samples
        ]
        return np.stack([pixels for pixels, _, _ in samples]), np.stack(targets)

    def sample(self, index, rng):
        """One augmented sample (pixels, boxes, class_ids) that starts from example `index`."""
        result = self.composed(index, rng)
        if rng.random() < self.augmentation.mixup:
            result = mixup(result, self.composed(rng.choice(self.order), rng), rng)
        if rng.random() < self.augmentation.colour:
            result = jitter_colour(*result, rng)
        if rng.random() < self.augmentation.mirror:
            result = flip_horizontal(*result)
        return result

    def composed(self, index, rng):
        """A mosaic that starts from example `index`, or that example alone, on the square."""
        given = self.augmentation
        if rng.random() < given.mosaic:
            others = rng.choice(self.order, 3)
            samples = [self.read(i) for i in (index, *others)]
            return mosaic(samples, self.size, rng, zoom=given.zoom)
        return random_affine(
            *self.read(index),
            rng,
            size=self.size,
            scale=given.scale,
            stretch=given.stretch,
            translate=given.translate,
        )

    def read(self, index):
        """The example as (pixels, boxes, class_ids); crowds are left out."""
        example = self.examples[index]
        kept = None if self.cache is None else self.cache.get(index)
        if kept is not None:
            return kept
        pixels, scale = shrunk(read_picture(example.path), 2 * self.size)
        keep = ~example.crowd
        sample = pixels, example.boxes[keep] * np.float32(scale), example.class_ids[keep]
        if self.cache is not None:
            self.cache[index] = sample
        return sample


def shrunk(pixels, longest):
    """The picture no longer than `longest` pixels, and the factor it was resized by."""
    height, width = pixels.shape[:2]
    scale = min(1.0, longest / max(height, width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return pixels, scale


def classes_present(dataset):
    """Which classes each picture of a DetectionDataset shows, bool (examples, classes)."""
    present = np.zeros((len(dataset.examples), len(dataset.classes)), bool)
    for i, example in enumerate(dataset.examples):
        present[i, example.class_ids] = True
    return present
