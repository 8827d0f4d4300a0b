"""What a network in training says of a data set, without an engine or a saved model."""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.datasets.mask_files import mask_of
from cvtool.datasets.masked import VOID
from cvtool.pictures.reading import read_picture
from cvtool.segmentation.augmentation import FILL
from cvtool.segmentation.metrics import confusion_matrix
from cvtool.segmentation.segmenter import scaled

# Pixels of the squares that are looked at together.
_AT_ONCE = 8 * 256**2


def score_dataset(network, dataset, size, cache=None):
    """Count the pixels of a data set by their true and their predicted class.

    They are counted at the network's own size: what enlarging the masks would add tells
    nothing of which network is the better one, and costs time in each epoch.

    Args:
        network: keras.Model of `unet.build`.
        dataset: MaskDataset.
        size: longer side of what the network sees, pixels.
        cache: `training.memory.BoundedCache` that keeps the resized pictures from one call to
            the next, or None.
    Returns:
        int64 (C, C): rows are the truth.
    Raises:
        PictureError, MaskError: a picture or mask cannot be read.
    """
    classes = len(dataset.classes)
    confusion = np.zeros((classes, classes), np.int64)
    batch = max(1, _AT_ONCE // size**2)
    for start in range(0, len(dataset.examples), batch):
        examples = dataset.examples[start : start + batch]
        squares = [square_of(dataset, example, size, cache) for example in examples]
        logits = network.predict_on_batch(np.stack([pixels for pixels, _ in squares]))
        for row, (_, truth) in zip(logits, squares, strict=True):
            confusion += confusion_matrix(truth, row.argmax(-1), classes)
    return confusion


def square_of(dataset, example, size, cache):
    """A picture and its mask at the top left of a square that the longer side fills.

    Squares of one size are computed together, and compiled for once.

    Returns:
        uint8 (size, size, 3), and uint8 (size, size) with void outside the picture.
    """
    kept = None if cache is None else cache.get(example.path)
    if kept is not None:
        return kept
    pixels, mask = read_scaled(dataset, example, size)
    height, width = mask.shape
    square = np.full((size, size, 3), FILL, np.uint8), np.full((size, size), VOID, np.uint8)
    square[0][:height, :width], square[1][:height, :width] = pixels, mask
    if cache is not None:
        cache[example.path] = square
    return square


def read_scaled(dataset, example, longest, *, enlarge=True):
    """Read a picture and its mask with the longer side scaled to `longest` pixels.

    Args:
        dataset: MaskDataset.
        example: of its pictures.
        longest: pixels.
        enlarge: also what is smaller.
    Returns:
        uint8 (h, w, 3) and uint8 (h, w) of class ids, 255 for void.
    Raises:
        PictureError, MaskError: one of them cannot be read.
    """
    pixels = read_picture(example.path)
    mask = mask_of(dataset, example, pixels.shape[:2])
    pixels = scaled(pixels, longest if enlarge else min(longest, max(pixels.shape[:2])))
    height, width = pixels.shape[:2]
    if mask.shape != (height, width):
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return pixels, mask
